package pipeline

import (
	"context"
	"errors"

	"taca/internal/dry"
	"taca/internal/model"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// Step is one evaluation of a model's transformer, open on a backend to be
// timed. Its text is made of zeros, its latents are noise: no encoder and no
// decoder is opened, so a folder that holds only the transformer's weights and
// the other parts' configs will do.
type Step struct {
	FLOPs float64 // of one evaluation

	backend  tensor.Backend
	weights  *weights
	denoiser denoiser
	x        tensor.Tensor
	at       model.Step
}

// OpenStep opens m's transformer for pictures of r's size and length of text.
func (m *Model) OpenStep(ctx context.Context, b tensor.Backend, d tensor.DType, r Request) (*Step, error) {
	s := &Step{backend: b, weights: m.newWeights()}
	if err := s.open(ctx, m, d, r); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Step) open(ctx context.Context, m *Model, d tensor.DType, r Request) error {
	g, err := m.Geometry()
	if err != nil {
		return err
	}
	if err := r.Check(g.Unit()); err != nil {
		return err
	}
	text, err := m.trialText(ctx, d, s.weights.orShapes, r, func(string, *dry.Backend) {})
	if err != nil {
		return err
	}
	try := dry.New()
	if err := m.trialStep(ctx, env{try, d, s.weights.shapes}, r, text); err != nil {
		return err
	}
	s.FLOPs = try.FLOPs()
	b := s.backend
	if err := b.Reserve(try.PeakScratch()); err != nil {
		return err
	}
	if s.denoiser, err = m.family.denoiser(env{b, d, s.weights.component}); err != nil {
		return err
	}
	s.at = model.Step{Sigma: 1, Guidance: r.Guidance, Grid: g.Patches(r.Width, r.Height)}
	if s.at.Text, err = place(b, text); err != nil {
		return err
	}
	if s.x, err = b.New(s.at.Grid.Rows(), g.PatchColumns(), tensor.F32); err != nil {
		return err
	}
	b.Upload(s.x, sampler.Noise(0, s.x.Rows*s.x.Cols))
	return b.Err()
}

// Run evaluates the transformer once, with that gamma, and waits for it.
func (s *Step) Run(ctx context.Context, gamma float32) error {
	b := s.backend
	defer b.Release(b.Mark())
	if _, err := s.evaluate(ctx, gamma); err != nil {
		return err
	}
	return b.Sync()
}

// Velocity is Run, and what it found: row by row of the latents' patches.
func (s *Step) Velocity(ctx context.Context, gamma float32) ([]float32, error) {
	b := s.backend
	defer b.Release(b.Mark())
	v, err := s.evaluate(ctx, gamma)
	if err != nil {
		return nil, err
	}
	host := make([]float32, v.Rows*v.Cols)
	b.Download(host, v)
	return host, b.Sync()
}

// evaluate leaves the velocity in scratch memory.
func (s *Step) evaluate(ctx context.Context, gamma float32) (tensor.Tensor, error) {
	s.at.Gamma = gamma
	v := s.backend.Scratch(s.x.Rows, s.x.Cols, tensor.F32)
	return v, s.denoiser.Velocity(ctx, v, s.x, s.at)
}

// Close gives back the backend's memory and the files.
func (s *Step) Close() error {
	discard(s.backend, s.at.Text)
	if !s.x.None() {
		s.backend.Free(s.x)
	}
	if s.denoiser != nil {
		s.denoiser.Drop()
	}
	return errors.Join(s.backend.Err(), s.weights.close())
}
