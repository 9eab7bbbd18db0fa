package sampler_test

import (
	"slices"
	"testing"

	"taca/internal/sampler"
	"taca/internal/tensor"
)

// TestSkip: a run that leaves out steps has the noise levels and the gamma that
// the whole schedule has there.
func TestSkip(t *testing.T) {
	s := newStage(t, always(1), sampler.Schedule{1, 0.75, 0.5, 0.25, 0}, sampler.FirstSteps(3, 1.5, sampler.Constant))
	s.run.Skip = 2
	done, err := s.denoise(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []sampler.Progress{{Step: 0, Steps: 2, Sigma: 0.5, Gamma: 1.5}, {Step: 1, Steps: 2, Sigma: 0.25, Gamma: 1}}; !slices.Equal(done, want) {
		t.Errorf("steps %+v, want %+v", done, want)
	}
	if got := s.latents(t); got != -0.5 {
		t.Errorf("latents %v, want what two steps of the velocity 1 give, -0.5", got)
	}
	if !slices.Equal(s.denoiser.gates, []bool{true, false}) {
		t.Errorf("gates %v", s.denoiser.gates)
	}
}

// TestKeep: what stays is the picture under the noise of the level that a step
// ends at, and at last the picture itself.
func TestKeep(t *testing.T) {
	s := newStage(t, always(1), sampler.Schedule{1, 0.5, 0}, sampler.Off())
	fill := func(values ...float32) tensor.Tensor {
		m := matrix(t, s.backend, 2, 4)
		s.backend.Upload(m, values)
		return m
	}
	s.run.Keep = &sampler.Keep{
		Original: fill(1, 2, 3, 4, 5, 6, 7, 8), Noise: fill(3, 3, 3, 3, 3, 3, 3, 3),
		Paint: fill(1, 0, 1, 0, 1, 0, 1, 0), Stay: fill(0, 1, 0, 1, 0, 1, 0, 1),
	}
	var seen [][]float32
	_, err := sampler.Denoise(t.Context(), s.backend, s.denoiser, s.x, s.run, func(sampler.Progress) {
		host := make([]float32, 8)
		s.backend.Download(host, s.x)
		seen = append(seen, host)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{{-0.5, 2.5, -0.5, 3.5, -0.5, 4.5, -0.5, 5.5}, {-1, 2, -1, 4, -1, 6, -1, 8}} {
		if !slices.Equal(seen[i], want) {
			t.Errorf("after step %d: %v, want %v", i+1, seen[i], want)
		}
	}
}

func TestNoised(t *testing.T) {
	if got := sampler.Noised([]float32{2, -4}, []float32{1, 0.5}, 0.75); !slices.Equal(got, []float32{1.25, -0.625}) {
		t.Errorf("%v", got)
	}
}
