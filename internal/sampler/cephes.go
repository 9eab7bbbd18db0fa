package sampler

import "math"

// On x86-64 torch takes the logarithm, sine and cosine of its noise from f32
// polynomials with fused multiply-adds (aten/src/ATen/native/cpu/
// avx_mathfun.h, as its compiler contracts it), whose last bits are not those
// of a C library. Coefficients and reductions are those of Cephes' logf, sinf
// and cosf (Moshier, 1989). What follows has torch's bits for each of the 2²⁴
// arguments that noise can have.

// fused is a·b + c. Rounding to f64 on the way shows in none of the arguments.
func fused(a, b, c float32) float32 { return float32(float64(a)*float64(b) + float64(c)) }

// polynomial has its coefficients from the highest power down.
type polynomial []float32

func (p polynomial) at(x float32) float32 {
	sum := p[0]
	for _, c := range p[1:] {
		sum = fused(sum, x, c)
	}
	return sum
}

var (
	logTail = polynomial{7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
		-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1} // of (ln(1+x) − x + x²/2) / x³
	sineTail   = polynomial{-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1}               // of (sin x − x) / x³, in x²
	cosineTail = polynomial{2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2} // of (cos x − 1 + x²/2) / x⁴, in x²
)

// ln is the natural logarithm of x in (0, 1].
func ln(x float32) float32 {
	const ln2, ln2Rest = 0.693359375, -2.12194440e-4 // their sum is ln 2
	fraction, exponent := math.Frexp(float64(x))
	m, e := float32(fraction)-1, float32(exponent)
	if fraction < math.Sqrt2/2 {
		m, e = m+float32(fraction), e-1
	}
	square := float32(m * m)
	tail := fused(float32(logTail.at(m)*m), square, float32(e*ln2Rest))
	return fused(e, ln2, m+(tail-float32(0.5*square)))
}

// sincos is the sine and the cosine of x in [0, 2π].
func sincos(x float32) (sin, cos float32) {
	octants := (int(float32(x*(4/math.Pi))) + 1) &^ 1                                                 // even
	for _, part := range []float32{-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8} { // their sum is −π/4
		x = fused(float32(octants), part, x)
	}
	square := float32(x * x)
	sin = fused(float32(sineTail.at(square)*square), x, x)
	cos = 1 + fused(float32(cosineTail.at(square)*square), square, float32(-0.5*square))
	if octants&2 != 0 {
		sin, cos = cos, -sin
	}
	if octants&4 != 0 {
		sin, cos = -sin, -cos
	}
	return sin, cos
}
