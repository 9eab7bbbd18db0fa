package pipeline

import (
	"context"
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model"
	"taca/internal/model/vae"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// Cost is what one part of a model takes, found by running it on the dry
// backend.
type Cost struct {
	Part    string  `json:"part"`
	Weights int     `json:"weight_bytes"`
	Scratch int     `json:"scratch_bytes"` // peak
	State   int     `json:"state_bytes"`
	FLOPs   float64 `json:"flops"` // of one run
	Runs    int     `json:"runs"`  // per picture
	Groups  [][]int `json:"-"`     // bytes of each weight of each block
}

// Plan is what a request takes, part by part, in the order they run.
type Plan []Cost

// Weights is the bytes of all parts' weights.
func (p Plan) Weights() int {
	sum := 0
	for _, c := range p {
		sum += c.Weights
	}
	return sum
}

// Scratch is the peak of scratch and state; parts run one after the other.
func (p Plan) Scratch() int {
	most := 0
	for _, c := range p {
		most = max(most, c.Scratch+c.State)
	}
	return most
}

// FLOPs is the arithmetic of one picture.
func (p Plan) FLOPs() float64 {
	sum := 0.0
	for _, c := range p {
		sum += c.FLOPs * float64(c.Runs)
	}
	return sum
}

// Plan runs a request on the dry backend, which takes milliseconds. Where the
// folder holds weights their format counts, else bf16 is assumed.
func (m *Model) Plan(ctx context.Context, r Request, d tensor.DType) (Plan, error) {
	if err := m.agrees(); err != nil {
		return nil, err
	}
	w := m.newWeights()
	defer w.close()
	return m.plan(ctx, r, d, w.orShapes)
}

func (m *Model) plan(ctx context.Context, r Request, d tensor.DType, source func(string) (checkpoint.Source, error)) (Plan, error) {
	var run sampler.Run
	evaluations := 1
	if m.family.guide(r, &run) {
		evaluations = 2
	}
	var plan Plan
	text, err := m.trialText(ctx, d, source, r, func(part string, b *dry.Backend) {
		plan = append(plan, cost(part, b, evaluations))
	})
	if err != nil {
		return nil, err
	}
	b := dry.New()
	if err := m.trialStep(ctx, env{b, d, source}, r, text); err != nil {
		return nil, err
	}
	plan = append(plan, cost("transformer", b, evaluations*r.Steps))
	b = dry.New()
	if err := m.trialDecode(ctx, env{b, d, source}, r); err != nil {
		return nil, err
	}
	return append(plan, cost("vae", b, 1)), nil
}

func cost(part string, b *dry.Backend, runs int) Cost {
	return Cost{Part: part, Weights: b.WeightBytes(), Groups: b.Groups(), Scratch: b.PeakScratch(), State: b.PeakState(), FLOPs: b.FLOPs(), Runs: runs}
}

// trialText is a prompt of zeros as m's encoders read it, each on a dry backend
// of its own, which is shown to see.
func (m *Model) trialText(ctx context.Context, d tensor.DType, source func(string) (checkpoint.Source, error), r Request, see func(part string, b *dry.Backend)) (Text, error) {
	var parts []encoded
	for _, e := range m.family.encoders() {
		b := dry.New()
		said, err := trial(ctx, env{b, d, source}, e, r.MaxLength)
		if err != nil {
			return Text{}, err
		}
		parts = append(parts, said)
		see(e.component(), b)
	}
	return m.family.assemble(parts, r.MaxLength), nil
}

// trial encodes a prompt of zeros.
func trial(ctx context.Context, where env, e textEncoder, maxLength int) (encoded, error) {
	open, err := e.open(where)
	if err != nil {
		return encoded{}, err
	}
	return open.encode(ctx, make([]int32, e.length(maxLength)))
}

// trialStep evaluates the denoiser once.
func (m *Model) trialStep(ctx context.Context, where env, r Request, text Text) error {
	d, err := m.family.denoiser(where)
	if err != nil {
		return err
	}
	conditioning, err := place(where.backend, text)
	if err != nil {
		return err
	}
	g, err := m.Geometry()
	if err != nil {
		return err
	}
	grid := g.Patches(r.Width, r.Height)
	x, err := where.backend.New(grid.Rows(), g.PatchColumns(), tensor.F32)
	if err != nil {
		return err
	}
	// The sampler holds two velocities under classifier-free guidance.
	v := where.backend.Scratch(grid.Rows(), g.PatchColumns(), tensor.F32)
	where.backend.Scratch(grid.Rows(), g.PatchColumns(), tensor.F32)
	err = d.Velocity(ctx, v, x, model.Step{Sigma: 1, Guidance: r.Guidance, Gamma: 1, Grid: grid, Text: conditioning})
	if err != nil && ctx.Err() == nil { // on the dry backend it is the request that does not suit
		return usage("%v", err)
	}
	return err
}

// trialDecode decodes one picture.
func (m *Model) trialDecode(ctx context.Context, where env, r Request) error {
	source, err := where.weights("vae")
	if err != nil {
		return err
	}
	d, err := vae.Open(m.vae, source, where.backend, where.dtype)
	if err != nil {
		return err
	}
	size := tensor.Grid{Height: r.Height / m.vae.Downscale(), Width: r.Width / m.vae.Downscale()}
	z := where.backend.Scratch(size.Rows(), m.vae.LatentChannels, tensor.F32)
	_, _, err = d.Decode(ctx, z, size)
	return err
}

// reserve makes the backend's scratch arena large enough for r. Guidance and
// adapters change nothing: trialStep has room for both halves, and what is
// between the two products of an adapter is the backend's own affair.
func (p *Pipeline) reserve(r Request) error {
	key := fmt.Sprint(r.Width, "×", r.Height, " with ", r.MaxLength)
	if p.reserved[key] {
		return nil
	}
	plan, err := p.plan(context.Background(), r, p.config.DType, p.weights.shapes)
	if err != nil {
		return err
	}
	most := 0
	for _, c := range plan {
		most = max(most, c.Scratch)
	}
	p.reserved[key] = true
	return p.backend.Reserve(most)
}
