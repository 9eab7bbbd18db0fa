package pipeline

import (
	"context"
	"errors"
	"slices"

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
	FLOPs      float64 // of one evaluation
	Modulation float64 // FLOPs of what depends on no latents, for all steps of the request

	backend   tensor.Backend
	weights   *weights
	denoiser  denoiser
	x         tensor.Tensor
	at        model.Trajectory
	steps     int
	evaluator model.Evaluator
}

// OpenStep opens m's transformer for pictures of r's size and length of text,
// with each of the gammas.
func (m *Model) OpenStep(ctx context.Context, b tensor.Backend, d tensor.DType, r Request, gammas ...float32) (*Step, error) {
	s := &Step{backend: b, weights: m.newWeights(), steps: r.Steps}
	if err := s.open(ctx, m, d, r, gammas); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Step) open(ctx context.Context, m *Model, d tensor.DType, r Request, gammas []float32) error {
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
	plan, err := m.trialSteps(ctx, d, s.weights.shapes, r, text)
	if err != nil {
		return err
	}
	s.Modulation, s.FLOPs = plan[0].FLOPs, plan[1].FLOPs
	b := s.backend
	if err := b.Reserve(plan[1].Scratch); err != nil {
		return err
	}
	if s.denoiser, err = m.family.denoiser(env{b, d, s.weights.component}); err != nil {
		return err
	}
	s.at = model.Trajectory{Guidance: r.Guidance, Grid: g.Patches(r.Width, r.Height), Texts: make([]model.Conditioning, 1)}
	for _, gamma := range gammas {
		s.at.Steps = append(s.at.Steps, model.Step{Sigma: 1, Gamma: gamma})
	}
	if s.at.Texts[0], err = place(b, text); err != nil {
		return err
	}
	if s.x, err = b.New(s.at.Grid.Rows(), g.PatchColumns(), tensor.F32); err != nil {
		return err
	}
	b.Upload(s.x, sampler.Noise(0, s.x.Rows*s.x.Cols))
	if s.evaluator, err = s.denoiser.Start(s.at); err != nil {
		return err
	}
	return b.Err()
}

// Run evaluates the transformer once, with the i-th gamma, and waits for it.
func (s *Step) Run(ctx context.Context, i int) error {
	b := s.backend
	defer b.Release(b.Mark())
	if _, err := s.evaluate(ctx, i); err != nil {
		return err
	}
	return b.Sync()
}

// Velocity is Run, and what it found: row by row of the latents' patches.
func (s *Step) Velocity(ctx context.Context, i int) ([]float32, error) {
	b := s.backend
	defer b.Release(b.Mark())
	v, err := s.evaluate(ctx, i)
	if err != nil {
		return nil, err
	}
	host := make([]float32, v.Rows*v.Cols)
	b.Download(host, v)
	return host, b.Sync()
}

// evaluate leaves the velocity in scratch memory.
func (s *Step) evaluate(ctx context.Context, i int) (tensor.Tensor, error) {
	v := s.backend.Scratch(s.x.Rows, s.x.Cols, tensor.F32)
	_, err := s.evaluator.Velocity(ctx, []tensor.Tensor{v}, s.x, i)
	return v, err
}

// Modulate does what all steps of the request need that depends on no latents,
// and waits for it.
func (s *Step) Modulate(ctx context.Context) error {
	all := s.at
	all.Steps = slices.Repeat(s.at.Steps[:1], s.steps)
	evaluator, err := s.denoiser.Start(all)
	if err != nil {
		return err
	}
	defer evaluator.End()
	if err := evaluator.Ready(ctx, 0); err != nil {
		return err
	}
	return s.backend.Sync()
}

// Close gives back the backend's memory and the files.
func (s *Step) Close() error {
	if s.evaluator != nil {
		s.evaluator.End()
	}
	for _, text := range s.at.Texts {
		discard(s.backend, text)
	}
	if !s.x.None() {
		s.backend.Free(s.x)
	}
	if s.denoiser != nil {
		s.denoiser.Drop()
	}
	return errors.Join(s.backend.Err(), s.weights.close())
}
