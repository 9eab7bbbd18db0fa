package sampler

import "math"

// block is how many values torch transforms at a time.
const block = 16

// Noise is the first n values of a Generator.
func Noise(seed uint64, n int) []float32 { return NewGenerator(seed).Normal(n) }

// Generator is torch's CPU generator of a seed. What is drawn first decides what
// comes after.
type Generator struct {
	source *mersenne
	second *float64 // of a pair drawn for an odd number of values, or nil
}

// NewGenerator is torch.Generator("cpu").manual_seed(seed). Only the low 32 bits
// of the seed count.
func NewGenerator(seed uint64) *Generator { return &Generator{source: newMersenne(seed)} }

// Normal is n standard normal values: torch.randn(n) with this generator
// (torch 2.15, aten/src/ATen/native/cpu/DistributionTemplates.h, normal_fill;
// below 16 values, its serial path). On every machine the bits are those of torch
// on x86-64 with AVX2, which differ from torch's elsewhere by up to 3e-6. diffusers
// draws latents so, in the order (channel, y, x).
func (g *Generator) Normal(n int) []float32 {
	m := g.source
	out := make([]float32, n)
	if n < block {
		g.few(out)
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

// few is torch's path for less than a block: pairs in f64, of which the second
// waits for whoever draws few next.
func (g *Generator) few(out []float32) {
	for i := range out {
		if g.second != nil {
			out[i], g.second = float32(*g.second), nil
			continue
		}
		angle, size := g.source.uniform53(), g.source.uniform53()
		radius, theta := math.Sqrt(-2*math.Log1p(-size)), 2*math.Pi*angle
		second := radius * math.Sin(theta)
		out[i], g.second = float32(radius*math.Cos(theta)), &second
	}
}
