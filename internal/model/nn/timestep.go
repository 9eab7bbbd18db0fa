package nn

import "math"

// Sinusoid is the embedding of a timestep (or of a guidance strength, both in
// 0..1000 and up): cosines, then sines, of t at width/2 frequencies falling
// from 1 to 1/10000. It follows diffusers' get_timestep_embedding with
// flip_sin_to_cos and no frequency shift.
func Sinusoid(t float32, width int) []float32 {
	half := width / 2
	out := make([]float32, width)
	for i := range half {
		exponent := float32(-math.Log(10000)) * float32(i) / float32(half)
		angle := float64(t * float32(math.Exp(float64(exponent))))
		out[i] = float32(math.Cos(angle))
		out[half+i] = float32(math.Sin(angle))
	}
	return out
}
