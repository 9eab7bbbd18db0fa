package opstest

import (
	"math"

	"taca/internal/tensor"
)

// GatedAdd is x += gate·y.
func (r *reference) GatedAdd(x, y, gate tensor.Tensor) {
	tensor.CheckGatedAdd(x, y, gate)
	g := vector(gate)
	r.each(x, x, y, func(j int, a, b float64) float64 {
		if g != nil {
			b = r.kept(r.step(g[j] * b))
		}
		return a + b
	})
}

// Activate is dst = act(x).
func (r *reference) Activate(dst, x tensor.Tensor, act tensor.Activation) {
	tensor.CheckSame("Activate", dst, x)
	r.each(dst, x, x, func(_ int, a, _ float64) float64 { return r.activate(a, act) })
}

// Mul is dst = x·y.
func (r *reference) Mul(dst, x, y tensor.Tensor) {
	tensor.CheckSame("Mul", dst, x, y)
	r.each(dst, x, y, func(_ int, a, b float64) float64 { return a * b })
}

// Mix is dst = a·x + b·y.
func (r *reference) Mix(dst tensor.Tensor, a float32, x tensor.Tensor, b float32, y tensor.Tensor) {
	tensor.CheckSame("Mix", dst, x, y)
	r.each(dst, x, y, func(_ int, u, v float64) float64 {
		return r.kept(r.step(float64(a)*u)) + r.kept(r.step(float64(b)*v))
	})
}

// each writes f of the elements of x and y; j is the column.
func (r *reference) each(dst, x, y tensor.Tensor, f func(j int, a, b float64) float64) {
	for i := range dst.Rows {
		u, v := load(x, i, nil), load(y, i, nil)
		for j := range u {
			u[j] = r.step(f(j, u[j], v[j]))
		}
		r.store(dst, i, u)
	}
}

// activate rounds every step to F32 where r is naive.
func (r *reference) activate(x float64, act tensor.Activation) float64 {
	switch act {
	case tensor.SiLU:
		return r.step(x * r.sigmoid(x))
	case tensor.QuickGELU:
		return r.step(x * r.sigmoid(r.step(1.702*x)))
	case tensor.GELU:
		return r.step(r.step(x/2) * r.step(1+r.step(math.Erf(r.step(x/math.Sqrt2)))))
	case tensor.GELUTanh:
		cubic := r.step(x + r.step(0.044715*r.step(r.step(x*x)*x)))
		t := r.step(math.Tanh(r.step(math.Sqrt(2/math.Pi) * cubic)))
		return r.step(r.step(x/2) * r.step(1+t))
	}
	return x
}

func (r *reference) sigmoid(x float64) float64 {
	return r.step(1 / r.step(1+r.step(math.Exp(-x))))
}

// Upsample2x repeats every pixel two by two.
func (r *reference) Upsample2x(dst, x tensor.Tensor, g tensor.Grid) {
	tensor.CheckUpsample2x(dst, x, g)
	wide := g.Twice()
	for py := range wide.Height {
		for px := range wide.Width {
			r.store(dst, py*wide.Width+px, load(x, py/2*g.Width+px/2, nil))
		}
	}
}

// Copy is dst = src in dst's format.
func (r *reference) Copy(dst, src tensor.Tensor) {
	tensor.CheckCopy(dst, src)
	for i := range dst.Rows {
		r.store(dst, i, load(src, i, nil))
	}
}

// Upload fills dst, rounding to its format even where results are exact.
func (r *reference) Upload(dst tensor.Tensor, src []float32) {
	tensor.CheckHost("Upload", dst, len(src))
	to := dst.Mem.(*memory).values
	for i := range dst.Rows {
		for j := range dst.Cols {
			to[dst.Offset+i*dst.Stride+j] = round(dst.DType, float64(src[i*dst.Cols+j]))
		}
	}
}

// Download fills dst from src.
func (r *reference) Download(dst []float32, src tensor.Tensor) {
	tensor.CheckHost("Download", src, len(dst))
	for i, v := range loadAll(src) {
		dst[i] = float32(v)
	}
}
