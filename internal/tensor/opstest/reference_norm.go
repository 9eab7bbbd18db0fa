package opstest

import (
	"math"

	"taca/internal/tensor"
)

// ModulatedNorm is dst = (1+scale)·norm(x) + shift.
func (r *reference) ModulatedNorm(dst, x, shift, scale tensor.Tensor, eps float32) {
	tensor.CheckNorm("ModulatedNorm", dst, x, shift, scale)
	gain := vector(scale)
	for j := range gain {
		gain[j] = r.kept(r.step(1 + gain[j]))
	}
	r.layerNorm(dst, x, gain, vector(shift), eps)
}

// LayerNorm is dst = gain·norm(x) + bias.
func (r *reference) LayerNorm(dst, x, gain, bias tensor.Tensor, eps float32) {
	tensor.CheckNorm("LayerNorm", dst, x, gain, bias)
	r.layerNorm(dst, x, vector(gain), vector(bias), eps)
}

func (r *reference) layerNorm(dst, x tensor.Tensor, gain, bias []float64, eps float32) {
	for i := range x.Rows {
		row := load(x, i, nil)
		mean, deviation := r.moments(row, eps)
		for j, v := range row {
			row[j] = r.scaled(r.step(v-mean), deviation, gain[j], bias[j])
		}
		r.store(dst, i, row)
	}
}

// scaled is gain·(v/deviation) + bias.
func (r *reference) scaled(v, deviation, gain, bias float64) float64 {
	n := r.kept(r.step(v / deviation))
	return r.step(r.kept(r.step(n*gain)) + bias)
}

// moments are the mean of row and sqrt(variance + eps).
func (r *reference) moments(row []float64, eps float32) (mean, deviation float64) {
	n := float64(len(row))
	for _, v := range row {
		mean = r.step(mean + v)
	}
	mean = r.step(mean / n)
	var variance float64
	for _, v := range row {
		d := r.step(v - mean)
		variance = r.step(variance + r.step(d*d))
	}
	return mean, r.step(math.Sqrt(r.step(r.step(variance/n) + float64(eps))))
}

// RMSNorm is dst = gain·x/sqrt(mean(x²)+eps).
func (r *reference) RMSNorm(dst, x, gain tensor.Tensor, eps float32) {
	tensor.CheckNorm("RMSNorm", dst, x, gain)
	g := vector(gain)
	for i := range x.Rows {
		row := load(x, i, nil)
		r.rmsNorm(row, g, eps)
		r.store(dst, i, row)
	}
}

func (r *reference) rmsNorm(row, gain []float64, eps float32) {
	mean := r.step(r.dot(row, row) / float64(len(row)))
	root := r.step(math.Sqrt(r.step(mean + float64(eps))))
	for j, v := range row {
		row[j] = r.step(r.kept(r.step(v/root)) * gain[j])
	}
}

// QKNormRope normalises every head and rotates it by its token's position.
func (r *reference) QKNormRope(x, gain, rope tensor.Tensor, heads int, eps float32) {
	tensor.CheckQKNormRope(x, gain, rope, heads)
	g := vector(gain)
	size := x.Cols / heads
	for i := range x.Rows {
		row := load(x, i, nil)
		for h := range heads {
			head := row[h*size : (h+1)*size]
			if g != nil {
				r.rmsNorm(head, g, eps)
			}
			if !rope.None() {
				r.rotate(head, load(rope, i, nil))
			}
		}
		r.store(x, i, row)
	}
}

// rotate turns each pair of head by the angle whose cosine and sine rope holds.
func (r *reference) rotate(head, rope []float64) {
	for j := 0; j < len(head); j += 2 {
		a, b, cos, sin := r.kept(head[j]), r.kept(head[j+1]), rope[j], rope[j+1]
		head[j] = r.step(r.step(a*cos) - r.step(b*sin))
		head[j+1] = r.step(r.step(a*sin) + r.step(b*cos))
	}
}

// GroupNorm is dst = act(gain·norm(x) + bias) over all pixels and the channels
// of one group.
func (r *reference) GroupNorm(dst, x, gain, bias tensor.Tensor, groups int, eps float32, act tensor.Activation) {
	tensor.CheckGroupNorm(dst, x, gain, bias, groups)
	all, g, b := loadAll(x), vector(gain), vector(bias)
	size := x.Cols / groups
	parallel(groups, func(lo, hi int) {
		for group := lo; group < hi; group++ {
			var members []float64
			for i := range x.Rows {
				at := i*x.Cols + group*size
				members = append(members, all[at:at+size]...)
			}
			mean, deviation := r.moments(members, eps)
			for i := range x.Rows {
				for c := group * size; c < (group+1)*size; c++ {
					v := r.scaled(r.step(all[i*x.Cols+c]-mean), deviation, g[c], b[c])
					all[i*x.Cols+c] = r.activate(r.kept(v), act)
				}
			}
		}
	})
	for i := range dst.Rows {
		r.store(dst, i, all[i*x.Cols:(i+1)*x.Cols])
	}
}
