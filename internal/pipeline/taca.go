package pipeline

import (
	"taca/internal/model"
	"taca/internal/sampler"
)

// TACA says how strongly visual queries look at text, when and where. Of Steps
// and Threshold one counts; where Shape is points, neither does.
type TACA struct {
	Gamma     float32 `json:"gamma"`               // 1 is plain attention; where Shape is points, the one farthest from 1
	Steps     int     `json:"steps,omitempty"`     // leading steps it acts on (the official code: 3 of 30); 0: by threshold
	Threshold float32 `json:"threshold,omitempty"` // or all steps whose timestep, 0..1000, is at least this (the paper: 970)
	Shape     string  `json:"schedule,omitempty"`  // linear, cosine, or points such as 1000=1.4,900=1; none: constant
	Blocks    string  `json:"blocks,omitempty"`    // blocks it acts in, such as 0-18,30; none: all
}

// decays are the shapes that have a name.
var decays = map[string]sampler.Decay{"": sampler.Constant, "linear": sampler.Linear, "cosine": sampler.Cosine}

// Pointed reports whether the shape says gamma itself.
func (t TACA) Pointed() bool { return decays[t.Shape] == nil }

// Schedule is gamma as a function of the step. The error is a *UsageError.
func (t TACA) Schedule() (sampler.GammaSchedule, error) {
	decay, named := decays[t.Shape]
	switch {
	case !named:
		points, err := sampler.ParsePoints(t.Shape)
		if err != nil {
			return nil, usage("gamma schedule %v", err)
		}
		return sampler.Piecewise(points), nil
	case t.Gamma == 1:
		return sampler.Off(), nil
	case t.Steps > 0:
		return sampler.FirstSteps(t.Steps, t.Gamma, decay), nil
	}
	return sampler.AboveTimestep(t.Threshold, t.Gamma, decay), nil
}

// Check refuses a request that this model cannot meet, as a *UsageError.
func (m *Model) Check(r Request) error {
	g, err := m.Geometry()
	if err != nil {
		return err
	}
	if err := r.Check(g.Unit()); err != nil {
		return err
	}
	if err := r.checkMask(g); err != nil {
		return err
	}
	blocks, err := model.ParseBlocks(r.TACA.Blocks)
	if err != nil {
		return usage("gamma %v", err)
	}
	if n := m.family.blocks(); blocks.Last() >= n {
		return usage("gamma blocks %s: this model has blocks 0 to %d", r.TACA.Blocks, n-1)
	}
	return nil
}

// Steps is the noise level and the gamma of each of r's steps that is not left
// out.
func (m *Model) Steps(r Request) ([]model.Step, error) {
	if err := m.Check(r); err != nil {
		return nil, err
	}
	gamma, err := r.TACA.Schedule()
	if err != nil {
		return nil, err
	}
	schedule, err := m.schedule(r)
	if err != nil {
		return nil, err
	}
	return sampler.Run{Schedule: schedule, Skip: r.skipped(), Gamma: gamma}.Steps(), nil
}

// Blocks is how many blocks the transformer has.
func (m *Model) Blocks() int { return m.family.blocks() }
