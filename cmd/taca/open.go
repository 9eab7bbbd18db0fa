package main

import (
	"context"
	"errors"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/pipeline"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// open reads the model's configuration, opens the device and maps the weights.
func (g *generation) open(ctx context.Context) error {
	if err := g.prepare(); err != nil {
		return err
	}
	if err := g.load(ctx); err != nil {
		g.progress.close()
		return errors.Join(err, g.backend.Close())
	}
	return nil
}

// prepare reads the model's configuration and opens the device.
func (g *generation) prepare() error {
	folder, err := g.app.find(g.settings, g.planned)
	m, err := readModelIn(g.settings.Weights, folder, err)
	if err != nil {
		return err
	}
	for _, remark := range m.Remarks() {
		g.app.say("taca: %s: %s", m.Name, remark)
	}
	r, err := g.request(m)
	if err != nil {
		return err
	}
	if g.loras, err = adapters(g.settings); err != nil {
		return err
	}
	g.backend, err = g.app.open(g.settings)
	if err != nil {
		return err
	}
	g.model = m
	if g.dtype, err = chooseDType(g.settings.DType, prefersBF16(g.backend) && inHalf(m)); err != nil {
		return err
	}
	g.progress = newProgress(g.app, g.backend)
	if g.opts.trace != "" {
		if g.trace, err = newTraceWriter(g.opts.trace, g.backend); err != nil {
			return err
		}
		g.backend = g.trace
	}
	g.record = record{Program: "taca " + version(), Model: lasting(g.settings.Model), Parts: lastingParts(g.settings.Parts), Class: m.Class, Request: r, LoRAs: slices.Clone(g.loras),
		Lenient: g.settings.Lenient, DType: strings.ToLower(g.dtype.String()), Weights: g.settings.Weights, Backend: g.backend.Name()}
	g.record.Start = lasting(g.opts.latentsIn)
	if o := g.opts.original; o != nil {
		g.record.Image, g.record.Mask = &o.image, o.mask
		g.idle(r)
	}
	for i := range g.record.LoRAs {
		g.record.LoRAs[i].Path = lasting(g.loras[i].Path)
	}
	return nil
}

// load maps the weights. After an error the device is still open.
func (g *generation) load(ctx context.Context) error {
	var err error
	g.pipe, err = pipeline.Open(ctx, g.model, g.backend, pipeline.Config{DType: g.dtype, LoRAs: g.loras, Lenient: g.settings.Lenient,
		Conditioning: g.conditioningCache(), Attention: g.recorded}, g.watch)
	if err != nil {
		return err
	}
	left := g.pipe.LeftOut()
	for _, path := range slices.Sorted(maps.Keys(left)) {
		for _, o := range left[path] {
			g.progress.clear()
			g.app.say("taca: %s: left out, %v", path, o)
		}
	}
	return nil
}

// request is what the settings ask of this model; latents given as a file fix
// the size where no flag does.
func (g *generation) request(m *pipeline.Model) (pipeline.Request, error) {
	r := request(g.settings, m.Defaults())
	geometry, err := m.Geometry()
	if err != nil {
		return r, modelError{err}
	}
	if g.opts.latentsIn != "" {
		if err := readLatents(g.opts.latentsIn, &r, geometry.Downscale, g.opts.sized); err != nil {
			return r, err
		}
	}
	if g.opts.original != nil {
		asked := g.opts.asked
		if g.opts.latentsIn != "" {
			asked = image.Pt(r.Width, r.Height)
		}
		size := g.opts.original.picture.Bounds().Size()
		if err := g.opts.original.into(&r, g.settings, asked, geometry.Unit()); err != nil {
			return r, err
		}
		if asked == (image.Point{}) && size != image.Pt(r.Width, r.Height) {
			g.app.say("taca: %s is %d×%d; it is painted at %d×%d, as --width and --height say nothing else", g.settings.Image, size.X, size.Y, r.Width, r.Height)
		}
	}
	return r, m.Check(r)
}

// watch passes progress on, to the terminal and to the trace.
func (g *generation) watch(e pipeline.Event) {
	g.times.note(e)
	g.progress.show(e)
	if g.trace != nil {
		g.trace.note(e)
	}
}

// chooseDType is the format of activations that --dtype names; half says that
// auto is bf16.
func chooseDType(name string, half bool) (tensor.DType, error) {
	switch name {
	case "f32":
		return tensor.F32, nil
	case "bf16":
		return tensor.BF16, nil
	case "auto":
		if half {
			return tensor.BF16, nil
		}
		return tensor.F32, nil
	}
	return 0, usagef("dtype %q is unknown: use f32, bf16 or auto", name)
}

// inHalf reports whether the weights are stored in half precision or less.
func inHalf(m *pipeline.Model) bool { return !m.StoredAs("transformer", tensor.F32) }

// prefersBF16 asks a backend whether it multiplies bf16 faster than f32.
func prefersBF16(b tensor.Backend) bool {
	fast, ok := b.(interface{ FastBF16() bool })
	return ok && fast.FastBF16()
}

// lasting is a path that means the same from any folder; presets keep their
// name. The embedded model's is never a folder's, as in locate.
func lasting(path string) string {
	if _, err := os.Stat(path); err != nil || path == demoPreset {
		return path
	}
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}

// latentsName is the tensor that --latents-in and --latents-out speak of.
const latentsName = "latents"

// readLatents puts the file's latents into r. They decide its size unless
// flags did.
func readLatents(path string, r *pipeline.Request, downscale int, sized bool) error {
	f, err := checkpoint.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, ok := f.Tensor(latentsName)
	if !ok {
		return usagef("read --latents-in %s: it has no tensor called %s, only %s", path, latentsName, strings.Join(f.Names(), ", "))
	}
	if len(raw.Shape) != 4 || raw.Shape[0] != 1 {
		return usagef("read --latents-in %s: latents are %v, want [1, 16, h, w]", path, raw.Shape)
	}
	if r.Latents, err = checkpoint.Floats(raw); err != nil {
		return usagef("read --latents-in %s: latents are %s, want F32, F16 or BF16", path, raw.Type)
	}
	if !sampler.Finite(r.Latents) {
		return usagef("read --latents-in %s: latents hold NaN or Inf", path)
	}
	height, width := raw.Shape[2]*downscale, raw.Shape[3]*downscale
	if !sized {
		r.Width, r.Height = width, height
	}
	if r.Width != width || r.Height != height {
		return usagef("read --latents-in %s: latents %v are a %d×%d picture, not %d×%d", path, raw.Shape, width, height, r.Width, r.Height)
	}
	return nil
}

func writeLatents(path string, p *pipeline.Picture) error {
	shape := []int{1, p.Channels, p.Grid.Height, p.Grid.Width}
	return checkpoint.Write(path, []checkpoint.Tensor{checkpoint.FromFloats(latentsName, shape, p.Latents)}, nil)
}
