package pipeline

import (
	"context"
	"fmt"
	"image"

	"taca/internal/model/vae"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// start makes the latents that run begins with, as rows of tokens, and puts into
// run what of the picture stays. What it took is given back by discardStart, after
// an error too.
//
// A generator of the seed draws as diffusers does: noise alone, or where there is
// a picture first its latents, then the noise over them.
func (p *Pipeline) start(ctx context.Context, r Request, run *sampler.Run, watch Watcher) (x tensor.Tensor, err error) {
	n := run.Grid.Rows() * p.geometry.PatchColumns()
	if r.Latents != nil && len(r.Latents) != n {
		size := p.geometry.Latent(run.Grid)
		return x, usage("latents of %d values: a %d×%d picture needs [1, %d, %d, %d]",
			len(r.Latents), r.Width, r.Height, p.geometry.Channels, size.Height, size.Width)
	}
	if r.Original == nil {
		noise := r.Latents
		if noise == nil {
			noise = p.drawn.of(r.Seed, n)
		}
		return p.placeLatents(noise, run.Grid)
	}
	moments, err := p.moments(ctx, r.Original.Picture, watch)
	if err != nil {
		return x, err
	}
	g := sampler.NewGenerator(uint64(r.Seed))
	original := p.vae.Latents(moments, g.Normal(n))
	noise := r.Latents
	if noise == nil {
		noise = g.Normal(n)
	}
	if r.Original.Mask != nil {
		if run.Keep, err = p.keep(r.Original, original, noise, run.Grid); err != nil {
			return x, err
		}
	}
	return p.placeLatents(sampler.Noised(original, noise, run.Schedule[run.Skip]), run.Grid)
}

// keep places what restores the parts of an original that stay.
func (p *Pipeline) keep(o *Original, original, noise []float32, grid tensor.Grid) (*sampler.Keep, error) {
	paint := o.painted(p.geometry)
	stay := make([]float32, len(paint))
	for i, v := range paint {
		stay[i] = 1 - v
	}
	k := &sampler.Keep{}
	for _, part := range []struct {
		to     *tensor.Tensor
		values []float32
	}{{&k.Original, original}, {&k.Noise, noise}, {&k.Paint, paint}, {&k.Stay, stay}} {
		var err error
		if *part.to, err = p.placeLatents(part.values, grid); err != nil {
			return k, err
		}
	}
	return k, nil
}

// placeLatents puts latents, in the order (channel, y, x), into memory of the
// backend as rows of tokens.
func (p *Pipeline) placeLatents(values []float32, grid tensor.Grid) (tensor.Tensor, error) {
	x, err := p.backend.New(grid.Rows(), p.geometry.PatchColumns(), tensor.F32)
	if err == nil {
		p.backend.Upload(x, p.geometry.Pack(values, grid))
	}
	return x, err
}

// discardStart frees what start took.
func (p *Pipeline) discardStart(x tensor.Tensor, k *sampler.Keep) {
	all := []tensor.Tensor{x}
	if k != nil {
		all = append(all, k.Original, k.Noise, k.Paint, k.Stay)
	}
	for _, t := range all {
		if !t.None() {
			p.backend.Free(t)
		}
	}
}

// met is the picture that was encoded last. Those of several seeds start from
// the same.
type met struct {
	picture *image.RGBA
	moments []float32
}

// moments is what the VAE's encoder says of a picture. The encoder is opened for
// it, and dropped.
func (p *Pipeline) moments(ctx context.Context, picture *image.RGBA, watch Watcher) ([]float32, error) {
	if p.met.picture == picture {
		return p.met.moments, nil
	}
	watch.tell(Event{Stage: Encoding, Total: 1, What: imageEncoder})
	source, err := p.weights.component("vae")
	if err != nil {
		return nil, err
	}
	e, err := vae.OpenEncoder(p.vae, source, p.backend, p.config.DType)
	if err != nil {
		return nil, err
	}
	defer e.Drop()
	b, size := p.backend, picture.Bounds().Size()
	defer b.Release(b.Mark())
	pixels := b.Scratch(size.X*size.Y, 3, tensor.F32)
	b.Upload(pixels, vae.Values(picture))
	found, _, err := e.Encode(ctx, pixels, tensor.Grid{Height: size.Y, Width: size.X})
	if err != nil {
		return nil, fmt.Errorf("encode the picture: %w", err)
	}
	moments := fetch(b, found).data
	if err := b.Err(); err != nil {
		return nil, err
	}
	if !sampler.Finite(moments) {
		return nil, p.explain(&sampler.NotFinite{What: "the encoded picture"})
	}
	p.met = met{picture, moments}
	watch.tell(Event{Stage: Encoding, Done: 1, Total: 1, What: imageEncoder})
	return moments, nil
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
