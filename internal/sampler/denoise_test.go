package sampler_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"taca/internal/model"
	"taca/internal/sampler"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// script is a denoiser that answers each evaluation with a constant velocity,
// and notes what it was asked.
type script struct {
	backend    tensor.Backend
	answer     func(evaluation int) (float32, error)
	gate       *switched
	trajectory model.Trajectory
	steps      []int  // that were evaluated
	gates      []bool // the gate at each
	answers    int
	cached     []model.Cached // what each step says
	open       bool           // between Start and End
}

func (s *script) Start(t model.Trajectory) (model.Evaluator, error) {
	s.trajectory, s.open = t, true
	return s, nil
}

func (s *script) Ready(context.Context, int) error { return nil }

func (s *script) End() { s.open = false }

func (s *script) Velocity(ctx context.Context, dst []tensor.Tensor, _ tensor.Tensor, i int) (model.Cached, error) {
	if err := ctx.Err(); err != nil {
		return model.Cached{}, err
	}
	s.steps, s.gates = append(s.steps, i), append(s.gates, s.gate.on)
	for _, to := range dst {
		v, err := s.answer(s.answers)
		if err != nil {
			return model.Cached{}, err
		}
		s.answers++
		s.backend.Upload(to, slices.Repeat([]float32{v}, to.Rows*to.Cols))
	}
	if i < len(s.cached) {
		return s.cached[i], nil
	}
	return model.Cached{}, nil
}

// switched is an adapter that remembers whether it is on.
type switched struct{ on bool }

func (g *switched) Set(on bool) { g.on = on }

// stage is all that a run needs, over latents of 2 tokens that are 0.
type stage struct {
	backend  tensor.Backend
	x        tensor.Tensor
	gate     *switched
	denoiser *script
	run      sampler.Run
}

func newStage(t *testing.T, answer func(int) (float32, error), schedule sampler.Schedule, gamma sampler.GammaSchedule) *stage {
	t.Helper()
	b := opstest.NewReference()
	s := &stage{backend: b, gate: &switched{}}
	s.x, s.run.Positive.Tokens = matrix(t, b, 2, 4), matrix(t, b, 1, 1)
	s.denoiser = &script{backend: b, answer: answer, gate: s.gate}
	s.run.Schedule, s.run.Gamma, s.run.Gates = schedule, gamma, []sampler.Gate{s.gate}
	s.run.Grid = tensor.Grid{Height: 1, Width: 2}
	return s
}

func matrix(t *testing.T, b tensor.Backend, rows, cols int) tensor.Tensor {
	t.Helper()
	m, err := b.New(rows, cols, tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *stage) denoise(ctx context.Context) ([]sampler.Progress, error) {
	var done []sampler.Progress
	_, err := sampler.Denoise(ctx, s.backend, s.denoiser, s.x, s.run, func(p sampler.Progress) { done = append(done, p) })
	return done, err
}

// latents are the values of x, which must all be one.
func (s *stage) latents(t *testing.T) float32 {
	t.Helper()
	out := make([]float32, s.x.Rows*s.x.Cols)
	s.backend.Download(out, s.x)
	if slices.Min(out) != slices.Max(out) {
		t.Fatalf("latents differ from each other: %v", out)
	}
	return out[0]
}

func always(v float32) func(int) (float32, error) {
	return func(int) (float32, error) { return v, nil }
}

// TestEuler: x ends at Σ (σ' − σ)·v, and the gate is open exactly in the steps
// whose gamma is not 1.
func TestEuler(t *testing.T) {
	velocities := []float32{2, -4, 8}
	s := newStage(t, func(i int) (float32, error) { return velocities[i], nil },
		sampler.Schedule{1, 0.75, 0.25, 0}, sampler.AboveTimestep(700, 1.5, sampler.Constant))
	s.run.Embedded = 3.5
	s.gate.on = true // left so by somebody else
	done, err := s.denoise(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.latents(t); got != -0.25*2+0.5*4-0.25*8 {
		t.Errorf("latents are %g, want -0.5", got)
	}
	if want := []bool{true, true, false}; !slices.Equal(s.denoiser.gates, want) || s.gate.on {
		t.Errorf("the gate was %v and is %v, want %v and closed", s.denoiser.gates, s.gate.on, want)
	}
	want := []sampler.Progress{{Step: 0, Steps: 3, Sigma: 1, Gamma: 1.5}, {Step: 1, Steps: 3, Sigma: 0.75, Gamma: 1.5}, {Step: 2, Steps: 3, Sigma: 0.25, Gamma: 1}}
	if !slices.Equal(done, want) {
		t.Errorf("progress %v, want %v", done, want)
	}
	trajectory := model.Trajectory{Grid: s.run.Grid, Guidance: 3.5, Texts: []model.Conditioning{s.run.Positive},
		Steps: []model.Step{{Sigma: 1, Gamma: 1.5}, {Sigma: 0.75, Gamma: 1.5}, {Sigma: 0.25, Gamma: 1}}}
	if !reflect.DeepEqual(s.denoiser.trajectory, trajectory) || !slices.Equal(s.denoiser.steps, []int{0, 1, 2}) || s.denoiser.open {
		t.Errorf("steps %v of %+v (not ended: %v), want all of %+v", s.denoiser.steps, s.denoiser.trajectory, s.denoiser.open, trajectory)
	}
}

// TestGammaBelowOne opens the gate too.
func TestGammaBelowOne(t *testing.T) {
	s := newStage(t, always(1), sampler.Schedule{1, 0.5, 0}, sampler.FirstSteps(1, 0.5, sampler.Constant))
	if _, err := s.denoise(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.denoiser.gates, []bool{true, false}) {
		t.Errorf("the gate was %v", s.denoiser.gates)
	}
}

// TestClassifierFree: v⁻ + g·(v − v⁻), the prompt first, both in one step.
func TestClassifierFree(t *testing.T) {
	s := newStage(t, func(i int) (float32, error) { return []float32{3, 1}[i%2], nil },
		sampler.Schedule{1, 0.5, 0}, sampler.FirstSteps(1, 1.2, sampler.Constant))
	s.run.CFG, s.run.Negative.Tokens = 4, matrix(t, s.backend, 1, 1)
	if _, err := s.denoise(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := s.latents(t); got != -(1 + 4*(3-1)) {
		t.Errorf("latents are %g, want -9", got)
	}
	if !slices.Equal(s.denoiser.gates, []bool{true, false}) {
		t.Errorf("the gate was %v in the two steps", s.denoiser.gates)
	}
	if want := []model.Conditioning{s.run.Positive, s.run.Negative}; !slices.Equal(s.denoiser.trajectory.Texts, want) {
		t.Errorf("texts %v, want the prompt's and the negative's", s.denoiser.trajectory.Texts)
	}
}

// TestWithoutANegative one evaluation a step is enough, whatever CFG says.
func TestWithoutANegative(t *testing.T) {
	s := newStage(t, always(1), sampler.Schedule{1, 0}, sampler.Off())
	s.run.CFG = 7
	if _, err := s.denoise(context.Background()); err != nil || s.latents(t) != -1 || s.denoiser.answers != 1 {
		t.Errorf("latents %g after %d evaluations (%v), want -1 after one", s.latents(t), s.denoiser.answers, err)
	}
}

// TestReuse: what two steps overlooked is their change times their way, and
// the error is relative to the latents that come out.
func TestReuse(t *testing.T) {
	velocities := []float32{2, -4, 8, -16}
	s := newStage(t, func(i int) (float32, error) { return velocities[i], nil }, sampler.Schedule{1, 0.75, 0.5, 0.25, 0}, sampler.Off())
	s.run.Cache = 0.25
	s.denoiser.cached = []model.Cached{{}, {Hit: true, Change: 0.125}, {Change: 0.5}, {Hit: true, Change: 0.25}}
	reuse, err := sampler.Denoise(context.Background(), s.backend, s.denoiser, s.x, s.run, func(sampler.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	if s.denoiser.trajectory.Cache != 0.25 {
		t.Errorf("the trajectory has the threshold %g", s.denoiser.trajectory.Cache)
	}
	// The latents go -0.5, 1, -2 and 4, to 2.5.
	if want := (sampler.Reuse{Steps: 2, Error: (0.125*1 + 0.25*4) / 2.5}); reuse.Steps != want.Steps || math.Abs(reuse.Error-want.Error) > 1e-9 {
		t.Errorf("%+v, want %+v", reuse, want)
	}
}

// TestEveryExitClosesTheGates and gives back the scratch.
func TestEveryExitClosesTheGates(t *testing.T) {
	broken := errors.New("broken")
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		answer func(int) (float32, error)
		cancel bool
		is     func(error) bool
	}{
		{"the device fails", func(int) (float32, error) { return 0, broken }, false, func(err error) bool { return errors.Is(err, broken) }},
		{"NaN", always(float32(math.NaN())), false, notFinite},
		{"Inf", always(inf), false, notFinite},
		{"cancelled", always(1), true, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		s := newStage(t, c.answer, sampler.Schedule{1, 0.5, 0}, sampler.FirstSteps(2, 1.2, sampler.Constant))
		ctx, cancel := context.WithCancel(context.Background())
		s.denoiser.answer = func(i int) (float32, error) {
			if c.cancel {
				cancel() // in the middle of the first step
			}
			return c.answer(i)
		}
		before := s.backend.Mark()
		_, err := s.denoise(ctx)
		cancel()
		if !c.is(err) {
			t.Errorf("%s: error %v", c.name, err)
		}
		if len(s.denoiser.gates) != 1 || !s.denoiser.gates[0] || s.gate.on {
			t.Errorf("%s: the gate was %v, and is open: %v", c.name, s.denoiser.gates, s.gate.on)
		}
		if s.backend.Mark() != before || s.denoiser.open {
			t.Errorf("%s: scratch or the trajectory is kept", c.name)
		}
	}
}

func notFinite(err error) bool {
	var n *sampler.NotFinite
	return errors.As(err, &n)
}
