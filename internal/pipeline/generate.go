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
	run := sampler.Run{Gamma: gamma, Skip: r.skipped(), Gates: p.adapters.gates, Grid: grid, Cache: r.Cache}
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
	x, err := p.start(ctx, r, &run, watch)
	defer p.discardStart(x, run.Keep)
	if err != nil {
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

func (p *Pipeline) denoise(ctx context.Context, x tensor.Tensor, run sampler.Run, watch Watcher) (sampler.Reuse, []attention.Step, error) {
	var seen []attention.Step
	var unseen error
	if p.recorder != nil {
		run.Watcher = p.recorder
		defer p.recorder.Free()
	}
	steps := run.Steps()
	watch.tell(Event{Stage: Denoising, Total: len(steps), Gamma: steps[0].Gamma})
	reuse, err := sampler.Denoise(ctx, p.backend, p.denoiser, x, run, func(at sampler.Progress) {
		if p.recorder != nil && unseen == nil {
			var step attention.Step
			step, unseen = p.recorder.Take()
			seen = append(seen, step)
		}
		next := min(at.Step+1, at.Steps-1)
		watch.tell(Event{Stage: Denoising, Done: at.Step + 1, Total: at.Steps, Gamma: steps[next].Gamma})
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
