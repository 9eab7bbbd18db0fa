package sampler

import "math"

// block is how many values torch transforms at a time.
const block = 16

// Noise is n standard normal values: torch.randn(n) with a CPU generator of
// that seed (torch 2.15, aten/src/ATen/native/cpu/DistributionTemplates.h,
// normal_fill; below 16 values, its serial path). On every machine the bits are
// those of torch on x86-64 with AVX2, which differ from torch's elsewhere by up
// to 3e-6. Only the low 32 bits of the seed count. diffusers draws latents so,
// in the order (channel, y, x).
func Noise(seed uint64, n int) []float32 {
	m := newMersenne(seed)
	out := make([]float32, n)
	if n < block {
		fewNormals(out, m)
		return out
	}
	for i := range out {
		out[i] = m.uniform24()
	}
	for i := 0; i+block <= n; i += block {
		normals(out[i : i+block])
	}
	if n%block != 0 { // the last 16 values are drawn anew
		tail := out[n-block:]
		for i := range tail {
			tail[i] = m.uniform24()
		}
		normals(tail)
	}
	return out
}

// normals turns 16 uniform values into normal ones (Box and Muller, 1958):
// the cosines of eight pairs, then the sines.
func normals(u []float32) {
	const half = block / 2
	for j := range half {
		radius := float32(math.Sqrt(float64(-2 * ln(1-u[j]))))
		sin, cos := sincos(float32(2*math.Pi) * u[j+half])
		u[j] = float32(radius*cos) + 0 // no negative zeros
		u[j+half] = float32(radius*sin) + 0
	}
}

// fewNormals is torch's path for less than a block: pairs in f64.
func fewNormals(out []float32, m *mersenne) {
	for i := 0; i < len(out); i += 2 {
		angle, size := m.uniform53(), m.uniform53()
		radius, theta := math.Sqrt(-2*math.Log1p(-size)), 2*math.Pi*angle
		out[i] = float32(radius * math.Cos(theta))
		if i+1 < len(out) {
			out[i+1] = float32(radius * math.Sin(theta))
		}
	}
}
