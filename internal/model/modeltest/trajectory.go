package modeltest

import (
	"slices"
	"testing"

	"taca/internal/model"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// Trajectory is several steps of one picture, on a backend: the golden's last
// run at other noise levels, with gamma in the first of them.
type Trajectory struct {
	model.Trajectory
	X tensor.Tensor
	b tensor.Backend
}

// Along is a trajectory of steps, of which the first tempered ones have gamma
// 1.2. With two, there is another text: the first run's.
func (g Golden) Along(t *testing.T, b tensor.Backend, steps, tempered, texts int) Trajectory {
	t.Helper()
	r := g.Runs[len(g.Runs)-1]
	way := Trajectory{X: upload(t, b, r.X), b: b}
	way.Grid, way.Guidance = tensor.Grid{Height: r.Height, Width: r.Width}, r.Guidance
	for _, from := range []Run{r, g.Runs[0]}[:texts] {
		way.Texts = append(way.Texts, model.Conditioning{Tokens: upload(t, b, from.Text), Pooled: upload(t, b, from.Pooled)})
	}
	for i := range steps {
		step := model.Step{Sigma: 1 - float32(i)/float32(steps), Gamma: 1}
		if i < tempered {
			step.Gamma = 1.2
		}
		way.Steps = append(way.Steps, step)
	}
	return way
}

// evaluated is what a step gave.
type evaluated struct {
	velocities [][]float32 // one for each text
	cached     model.Cached
}

// follow takes m through all steps, from the same latents in each. before is
// called before each.
func (w Trajectory) follow(t *testing.T, m model.Denoiser, before func(step int)) []evaluated {
	t.Helper()
	e, err := m.Start(w.Trajectory)
	if err != nil {
		t.Fatal(err)
	}
	defer e.End()
	defer w.b.Release(w.b.Mark())
	var dst []tensor.Tensor
	for range w.Texts {
		dst = append(dst, w.b.Scratch(w.X.Rows, w.X.Cols, tensor.F32))
	}
	found := make([]evaluated, len(w.Steps))
	for i := range w.Steps {
		before(i)
		cached, err := e.Velocity(t.Context(), dst, w.X, i)
		if err != nil {
			t.Fatal(err)
		}
		found[i].cached = cached
		for _, v := range dst {
			host := make([]float32, v.Rows*v.Cols)
			w.b.Download(host, v)
			found[i].velocities = append(found[i].velocities, host)
		}
	}
	return found
}

// Alone sees that a step gives the same bits whatever steps and texts it is
// readied with, and that an adapter of each layer acts in the steps whose gate
// is open, and in no others.
func Alone(t *testing.T, pattern string, open Opener, layers ...string) {
	for _, layer := range layers {
		t.Run(layer, func(t *testing.T) { each(t, pattern, Backends(), alone(open, layer)) })
	}
}

func alone(open Opener, layer string) func(*testing.T, tensor.Backend, Golden) {
	return func(t *testing.T, b tensor.Backend, golden Golden) {
		m := golden.Open(t, open, b, tensor.F32)
		gate := adapt(t, b, m.Layers()[layer])
		way := golden.Along(t, b, 7, 3, 2)
		switched := func(step int) {
			*gate = 0
			if way.Steps[step].Gamma != 1 {
				*gate = 1
			}
		}
		together := way.follow(t, m, switched)
		closed := way.follow(t, m, func(int) { *gate = 0 })
		for i := range way.Steps {
			for k := range way.Texts {
				single := way
				single.Steps, single.Texts = way.Steps[i:i+1], way.Texts[k:k+1]
				alone := single.follow(t, m, func(int) { switched(i) })
				if !slices.Equal(together[i].velocities[k], alone[0].velocities[0]) {
					t.Fatalf("step %d, text %d: the velocity is another where the step is alone", i, k)
				}
				if acts := !slices.Equal(together[i].velocities[k], closed[i].velocities[k]); acts != (i < 3) {
					t.Errorf("step %d, text %d: the adapter acts: %v", i, k, acts)
				}
			}
		}
	}
}

// Once sees that two texts need each group of weights once in a step, as one
// does.
func Once(t *testing.T, pattern string, open Opener) {
	for _, golden := range Goldens(t, pattern) {
		var needs [2][]int // after each step
		for i := range needs {
			spy := &Spy{Backend: opstest.NewReference()}
			m := golden.Open(t, open, spy, tensor.F32)
			golden.Along(t, spy, 3, 3, i+1).follow(t, m, func(int) { needs[i] = append(needs[i], spy.Needs) })
			if attended := needs[i][2] - needs[i][1]; attended < 3 {
				t.Errorf("%s: a step needs %d groups", golden.Name, attended)
			}
		}
		if !slices.Equal(needs[0], needs[1]) {
			t.Errorf("%s: groups needed up to each step: %v for one text, %v for two", golden.Name, needs[0], needs[1])
		}
	}
}

// adapt hangs an adapter of rank 1 on a layer, and returns its gate.
func adapt(t *testing.T, b tensor.Backend, l *nn.Linear) *float32 {
	t.Helper()
	if l == nil {
		t.Fatal("no such layer")
	}
	gate := new(float32)
	ramp := func(rows, cols int) tensor.Tensor {
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = float32(i%5-2) / 16
		}
		m, err := b.New(rows, cols, tensor.F32)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Free(m) })
		b.Upload(m, values)
		return m
	}
	l.Adapters = append(l.Adapters, nn.Adapter{Down: ramp(1, l.W.Cols), Up: ramp(l.W.Rows, 1), Scale: 1, Gate: gate})
	return gate
}
