package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"strings"

	"taca/internal/attention"
	"taca/internal/checkpoint"
	"taca/internal/model"
	"taca/internal/model/vae"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// Picture is what a request became.
type Picture struct {
	Image    *image.NRGBA
	Latents  []float32   // before decoding, in the order (channel, y, x)
	Channels int         // of the latents
	Grid     tensor.Grid // of the latents
	Reuse    sampler.Reuse
	// Attention is what was recorded in each step of how the prompt's text is
	// attended to; nil unless Config.Attention.
	Attention []attention.Step
}

// Paint makes the picture of r from its encoded prompts. A negative prompt that
// r does not need is let alone.
func (p *Pipeline) Paint(ctx context.Context, r Request, t Texts, watch Watcher) (*Picture, error) {
	if err := errors.Join(p.Check(r), p.reserve(r)); err != nil {
		return nil, err
	}
	gamma, err := r.TACA.Schedule()
	if err != nil {
		return nil, err
	}
	grid := p.geometry.Patches(r.Width, r.Height)
	x, err := p.noise(r, grid)
	if err != nil {
		return nil, err
	}
	defer p.backend.Free(x)

	run := sampler.Run{Gamma: gamma, Gates: p.adapters.gates, Grid: grid, Cache: r.Cache}
	if run.Blocks, err = model.ParseBlocks(r.TACA.Blocks); err != nil {
		return nil, err
	}
	guided := p.family.guide(r, &run)
	if guided && t.Negative.tokens.n == 0 {
		return nil, usage("guidance %g, true cfg %g: the texts were read for a request without them", r.Guidance, r.TrueCFG)
	}
	if run.Schedule, err = p.schedule(r); err != nil {
		return nil, err
	}
	if run.Positive, err = place(p.backend, t.Positive); err != nil {
		return nil, err
	}
	defer discard(p.backend, run.Positive)
	if guided {
		if run.Negative, err = place(p.backend, t.Negative); err != nil {
			return nil, err
		}
		defer discard(p.backend, run.Negative)
	}
	reuse, seen, err := p.denoise(ctx, x, run, watch)
	if err != nil {
		return nil, err
	}
	picture, err := p.decode(ctx, x, grid, watch)
	if err != nil {
		return nil, err
	}
	picture.Reuse, picture.Attention = reuse, seen
	return picture, nil
}

// schedule is the noise levels of r.
func (m *Model) schedule(r Request) (sampler.Schedule, error) {
	g, err := m.Geometry()
	if err != nil {
		return nil, err
	}
	s, err := m.family.schedule(m.scheduler, r.Steps, g.Patches(r.Width, r.Height).Rows())
	if err != nil {
		return nil, &checkpoint.Error{Path: m.Name, Problem: err.Error()}
	}
	return s, nil
}

// noise is the latents a run starts from, as rows of tokens.
func (p *Pipeline) noise(r Request, grid tensor.Grid) (tensor.Tensor, error) {
	n := grid.Rows() * p.geometry.PatchColumns()
	start := r.Latents
	if start == nil {
		start = p.drawn.of(r.Seed, n)
	}
	if len(start) != n {
		size := p.geometry.Latent(grid)
		return tensor.Tensor{}, usage("latents of %d values: a %d×%d picture needs [1, %d, %d, %d]",
			len(start), r.Width, r.Height, p.geometry.Channels, size.Height, size.Width)
	}
	x, err := p.backend.New(grid.Rows(), p.geometry.PatchColumns(), tensor.F32)
	if err != nil {
		return x, err
	}
	p.backend.Upload(x, p.geometry.Pack(start, grid))
	return x, nil
}

// drawn is the noise that was last asked for. Pictures that are compared begin
// with the same.
type drawn struct {
	seed   int64
	values []float32
}

func (d *drawn) of(seed int64, n int) []float32 {
	if d.seed != seed || len(d.values) != n {
		*d = drawn{seed, sampler.Noise(uint64(seed), n)}
	}
	return d.values
}

func (p *Pipeline) denoise(ctx context.Context, x tensor.Tensor, run sampler.Run, watch Watcher) (sampler.Reuse, []attention.Step, error) {
	var seen []attention.Step
	var unseen error
	if p.recorder != nil {
		run.Watcher = p.recorder
		defer p.recorder.Free()
	}
	watch.tell(Event{Stage: Denoising, Total: run.Schedule.Steps(), Gamma: run.Gamma(0, run.Schedule[0])})
	reuse, err := sampler.Denoise(ctx, p.backend, p.denoiser, x, run, func(at sampler.Progress) {
		if p.recorder != nil && unseen == nil {
			var step attention.Step
			step, unseen = p.recorder.Take()
			seen = append(seen, step)
		}
		next := min(at.Step+1, at.Steps-1)
		watch.tell(Event{Stage: Denoising, Done: at.Step + 1, Total: at.Steps, Gamma: run.Gamma(next, run.Schedule[next])})
	})
	var broken *sampler.NotFinite
	if errors.As(err, &broken) {
		err = p.explain(err)
	}
	return reuse, seen, cmp.Or(err, unseen)
}

// explain says where NaN comes from, if it is in the files.
func (p *Pipeline) explain(err error) error {
	var sources []checkpoint.Source
	for _, name := range p.parts() {
		if s, ok := p.weights.open[name]; ok {
			sources = append(sources, s)
		}
	}
	for _, f := range p.adapters.files {
		sources = append(sources, f)
	}
	for _, source := range sources {
		if bad := checkpoint.NonFinite(source); len(bad) > 0 {
			return fmt.Errorf("%w: %s holds NaN or Inf in %s: download it again", err, source, strings.Join(bad[:min(3, len(bad))], ", "))
		}
	}
	return fmt.Errorf("%w: the weights are finite; try --dtype f32 and less guidance", err)
}

func (p *Pipeline) decode(ctx context.Context, x tensor.Tensor, grid tensor.Grid, watch Watcher) (*Picture, error) {
	watch.tell(Event{Stage: Decoding, Total: 1})
	b := p.backend
	defer b.Release(b.Mark())
	size := p.geometry.Latent(grid)
	packed := fetch(b, x)
	picture := &Picture{Latents: p.geometry.Unpack(packed.data, grid), Channels: p.geometry.Channels, Grid: size}

	pixelRows := model.Geometry{Downscale: 1, Patch: 1, Channels: p.geometry.Channels}
	z := b.Scratch(size.Rows(), p.geometry.Channels, tensor.F32)
	b.Upload(z, pixelRows.Pack(picture.Latents, size))
	pixels, full, err := p.decoder.Decode(ctx, z, size)
	if err != nil {
		return nil, fmt.Errorf("decode the latents: %w", err)
	}
	values := fetch(b, pixels).data
	if !sampler.Finite(values) {
		return nil, p.explain(&sampler.NotFinite{What: "the decoded picture"})
	}
	picture.Image = vae.Pixels(values, full)
	watch.tell(Event{Stage: Decoding, Done: 1, Total: 1})
	return picture, b.Err()
}
