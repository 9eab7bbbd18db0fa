package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
	Seldom  bool    `json:"-"`     // needed before many steps, and in none of them

	Groups   [][]int     `json:"-"` // bytes of each weight of each block
	Copied   []int       `json:"-"` // bytes of each block that are no windows of mapped files
	Operands map[int]int `json:"-"` // elements of the largest left operand of products with so many columns
	Host     int         `json:"-"` // bytes of the arrays that go to the device or come from it
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

// Scratch is the most scratch and the most state of a part: the arena keeps its
// size while state comes and goes.
func (p Plan) Scratch() int {
	scratch, state := 0, 0
	for _, c := range p {
		scratch, state = max(scratch, c.Scratch), max(state, c.State)
	}
	return scratch + state
}

// Arena is what all parts' scratch has room in.
func (p Plan) Arena() int {
	most := 0
	for _, c := range p {
		most = max(most, c.Scratch)
	}
	return most
}

// Copied is the bytes of all parts' weights that are no windows of mapped files.
func (p Plan) Copied() int {
	sum := 0
	for _, c := range p {
		for _, n := range c.Copied {
			sum += n
		}
	}
	return sum
}

// Mapped is the bytes of each block that are windows of mapped files.
func (c Cost) Mapped() []int {
	all := make([]int, len(c.Groups))
	for i, weights := range c.Groups {
		all[i] = -c.Copied[i]
		for _, n := range weights {
			all[i] += n
		}
	}
	return all
}

// FLOPs is the arithmetic of one picture.
func (p Plan) FLOPs() float64 {
	sum := 0.0
	for _, c := range p {
		sum += c.FLOPs * float64(c.Runs)
	}
	return sum
}

// Picture is what runs for each picture, and not for each prompt.
func (p Plan) Picture() Plan {
	for i, c := range p {
		if c.Seldom { // modulation is the first after the encoders
			return p[i:]
		}
	}
	return p
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
	var plan Plan
	text, err := m.trialText(ctx, d, source, r, func(part string, b *dry.Backend) {
		plan = append(plan, cost(part, b, m.texts(r)))
	})
	if err != nil {
		return nil, err
	}
	if r.Original != nil {
		b := dry.New()
		if err := m.trialEncode(ctx, env{b, d, source}, r); err != nil {
			return nil, err
		}
		plan = append(plan, cost(imageEncoder, b, 1))
	}
	steps, err := m.trialSteps(ctx, d, source, r, slices.Repeat([]Text{text}, m.texts(r))...)
	if err != nil {
		return nil, err
	}
	plan = append(plan, steps...)
	b := dry.New()
	if err := m.trialDecode(ctx, env{b, d, source}, r); err != nil {
		return nil, err
	}
	plan = append(plan, cost("vae", b, 1))
	for _, c := range plan {
		if s, _ := source(c.component()); s == nil { // nothing is known of what will be mapped
			clear(c.Copied)
		}
	}
	return plan, nil
}

// imageEncoder is the part that a picture to start from is encoded with.
const imageEncoder = "vae encoder"

// component is the folder that holds the part's weights.
func (c Cost) component() string {
	switch {
	case c.Seldom:
		return "transformer"
	case c.Part == imageEncoder:
		return "vae"
	}
	return c.Part
}

func cost(part string, b *dry.Backend, runs int) Cost {
	return costOf(part, b, runs, false)
}

// costOf is what has run on b so far, with the weights that are needed seldom,
// or the others.
func costOf(part string, b *dry.Backend, runs int, seldom bool) Cost {
	c := Cost{Part: part, Seldom: seldom, Groups: b.Groups(seldom), Copied: b.Copied(seldom), Scratch: b.PeakScratch(), State: b.PeakState(),
		Operands: maps.Clone(b.Operands()), Host: b.HostBytes(), FLOPs: b.FLOPs(), Runs: runs}
	for _, g := range c.Groups {
		for _, n := range g {
			c.Weights += n
		}
	}
	return c
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

// trialSteps readies all of r's steps that are not left out on a dry backend, for texts that all go
// through the transformer in each, and evaluates the first. It returns what
// either takes; they share the state.
func (m *Model) trialSteps(ctx context.Context, d tensor.DType, source func(string) (checkpoint.Source, error), r Request, texts ...Text) (Plan, error) {
	b := dry.New()
	open, err := m.family.denoiser(env{b, d, source})
	if err != nil {
		return nil, err
	}
	g, err := m.Geometry()
	if err != nil {
		return nil, err
	}
	t := model.Trajectory{Grid: g.Patches(r.Width, r.Height), Steps: make([]model.Step, r.Steps-r.skipped()), Cache: r.Cache}
	for i := range t.Steps {
		t.Steps[i] = model.Step{Sigma: 1, Gamma: 1}
	}
	matrix := func() tensor.Tensor { return b.Scratch(t.Grid.Rows(), g.PatchColumns(), tensor.F32) }
	var velocities []tensor.Tensor
	for _, text := range texts {
		c, err := place(b, text)
		if err != nil {
			return nil, err
		}
		t.Texts, velocities = append(t.Texts, c), append(velocities, matrix())
	}
	var x tensor.Tensor
	for range 1 + r.kept() {
		if x, err = b.New(t.Grid.Rows(), g.PatchColumns(), tensor.F32); err != nil {
			return nil, err
		}
	}
	evaluator, err := open.Start(t)
	if err != nil { // on the dry backend it is the request that does not suit
		return nil, usage("%v", err)
	}
	if err := evaluator.Ready(ctx, 0); err != nil {
		return nil, err
	}
	ready := costOf("modulation", b, 1, true)
	if _, err := evaluator.Velocity(ctx, velocities, x, 0); err != nil {
		return nil, err
	}
	step := cost("transformer", b, len(t.Steps))
	step.FLOPs, step.Host = step.FLOPs-ready.FLOPs, step.Host-ready.Host
	return Plan{ready, step}, nil
}

// texts is how many r has: the negative prompt is one under classifier-free
// guidance.
func (m *Model) texts(r Request) int {
	if m.family.guide(r, &sampler.Run{}) {
		return 2
	}
	return 1
}

// trialEncode encodes one picture.
func (m *Model) trialEncode(ctx context.Context, where env, r Request) error {
	source, err := where.weights("vae")
	if err != nil {
		return err
	}
	e, err := vae.OpenEncoder(m.vae, source, where.backend, where.dtype)
	if err != nil {
		return err
	}
	size := tensor.Grid{Height: r.Height, Width: r.Width}
	pixels := where.backend.Scratch(size.Rows(), 3, tensor.F32)
	where.backend.Upload(pixels, make([]float32, pixels.Rows*pixels.Cols))
	_, _, err = e.Encode(ctx, pixels, size)
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

// reserve makes the backend's scratch arena large enough for r. Adapters change
// nothing: what is between the two products of one is the backend's own affair.
func (p *Pipeline) reserve(r Request) error {
	key := fmt.Sprint(r.Width, "×", r.Height, " with ", r.MaxLength, " tokens, ", p.texts(r), " × ", r.Steps-r.skipped(), ", cache ", r.Cache > 0, ", from a picture ", r.Original != nil, r.kept())
	if p.reserved[key] {
		return nil
	}
	plan, err := p.plan(context.Background(), r, p.config.DType, p.weights.shapes)
	if err != nil {
		return err
	}
	p.reserved[key] = true
	return p.backend.Reserve(plan.Arena())
}
