package opstest

import "taca/internal/tensor"

// Linear is dst = act(x·wᵀ + bias).
func (r *reference) Linear(dst, x, w, bias tensor.Tensor, act tensor.Activation) {
	tensor.CheckLinear(dst, x, w, bias)
	y := r.product(x, w)
	b := vector(bias)
	parallel(dst.Rows, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := y[i*dst.Cols : (i+1)*dst.Cols]
			r.finish(row, b, act)
			r.store(dst, i, row)
		}
	})
}

// finish is row = act(row + bias).
func (r *reference) finish(row, bias []float64, act tensor.Activation) {
	for j := range row {
		if bias != nil {
			row[j] = r.kept(r.step(row[j] + bias[j]))
		}
		row[j] = r.activate(row[j], act)
	}
}

// AddLowRank is dst += scale · (x·downᵀ)·upᵀ.
func (r *reference) AddLowRank(dst, x, down, up tensor.Tensor, scale float32) {
	tensor.CheckAddLowRank(dst, x, down, up)
	inner := r.product(x, down)
	outer := r.times(inner, x.Rows, down.Rows, up)
	for i := range dst.Rows {
		row := load(dst, i, nil)
		for j := range row {
			row[j] = r.step(row[j] + r.kept(r.step(float64(scale)*outer[i*dst.Cols+j])))
		}
		r.store(dst, i, row)
	}
}

// product is x·wᵀ, row by row.
func (r *reference) product(x, w tensor.Tensor) []float64 {
	return r.times(loadAll(x), x.Rows, x.Cols, w)
}

// times is x·wᵀ for an n × k matrix of plain numbers. The rows of w are shared
// among the processors, for there are many even where x is one row.
func (r *reference) times(x []float64, n, k int, w tensor.Tensor) []float64 {
	if r.narrow && w.DType.Rotated() {
		return r.quantisedProduct(x, n, w)
	}
	y := make([]float64, n*w.Rows)
	parallel(w.Rows, func(lo, hi int) {
		column := make([]float64, k)
		for o := lo; o < hi; o++ {
			load(w, o, column)
			for i := range n {
				y[i*w.Rows+o] = r.kept(r.dot(x[i*k:(i+1)*k], column))
			}
		}
	})
	return y
}

// dot is the sum of products, from first to last.
func (r *reference) dot(a, b []float64) float64 {
	b = b[:len(a)]
	if r.narrow {
		var sum float32
		for i, v := range a {
			sum += float32(float32(v) * float32(b[i]))
		}
		return float64(sum)
	}
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// Gather copies rows of a table.
func (r *reference) Gather(dst, table tensor.Tensor, ids []int32) {
	tensor.CheckGather(dst, table, ids)
	for i, id := range ids {
		r.store(dst, i, load(table, int(id), nil))
	}
}

// Conv3x3 is a convolution with a zero border: each pixel's neighbourhood is
// laid out as one row, which leaves a Linear.
func (r *reference) Conv3x3(dst, x, w, bias tensor.Tensor, g tensor.Grid) {
	tensor.CheckConv3x3(dst, x, w, bias, g)
	in := x.Cols
	patches := make([]float64, g.Rows()*9*in)
	for tap := range 9 {
		dy, dx := tap/3-1, tap%3-1
		for py := max(0, -dy); py < min(g.Height, g.Height-dy); py++ {
			for px := max(0, -dx); px < min(g.Width, g.Width-dx); px++ {
				at := (py*g.Width+px)*9 + tap
				load(x, (py+dy)*g.Width+px+dx, patches[at*in:(at+1)*in])
			}
		}
	}
	y := r.times(patches, g.Rows(), 9*in, w)
	b := vector(bias)
	for i := range dst.Rows {
		row := y[i*dst.Cols : (i+1)*dst.Cols]
		r.finish(row, b, tensor.Identity)
		r.store(dst, i, row)
	}
}
