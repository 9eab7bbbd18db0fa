package pipeline

import (
	"context"
	"errors"
	"io/fs"

	"taca/internal/checkpoint"
	"taca/internal/model/clip"
	"taca/internal/model/nn"
	"taca/internal/model/t5"
	"taca/internal/tensor"
	"taca/internal/tokenizer"
)

// clipEncoder is CLIP-L or CLIP-G in a folder of the model.
type clipEncoder struct {
	folder string
	name   string // "clip" or "clip_g"
	config clip.Config
	pooled func(clip.Output) (tensor.Tensor, error)
}

// clipLength is how many tokens the pipelines of both families give CLIP.
const clipLength = 77

func (c *clipEncoder) component() string { return c.folder }
func (c *clipEncoder) kind() string      { return c.name }
func (c *clipEncoder) length(int) int    { return clipLength }

func (c *clipEncoder) tokenizer(f fs.FS) (tokenizer.Tokenizer, error) { return tokenizer.OpenCLIP(f) }

func (c *clipEncoder) open(e env) (openEncoder, error) {
	source, err := e.weights(c.folder)
	if err != nil {
		return nil, err
	}
	m, err := clip.Open(c.config, source, e.backend, e.dtype)
	if err != nil {
		return nil, err
	}
	return &openClip{c, e.backend, m}, nil
}

type openClip struct {
	*clipEncoder
	backend tensor.Backend
	model   *clip.Encoder
}

func (c *openClip) encode(ctx context.Context, ids []int32) (encoded, error) {
	defer c.backend.Release(c.backend.Mark())
	out, err := c.model.Encode(ctx, ids)
	if err != nil {
		return encoded{}, err
	}
	pooled, err := c.pooled(out)
	if err != nil {
		return encoded{}, &checkpoint.Error{Path: c.folder, Problem: err.Error()}
	}
	return encoded{tokens: fetch(c.backend, out.Penultimate), pooled: fetch(c.backend, pooled).data}, nil
}

func (c *openClip) layers() map[string]*nn.Linear { return c.model.Layers() }

func (c *openClip) drop() { c.model.Drop() }

// finalPooled is what FLUX takes: the last layer at the end token.
func finalPooled(o clip.Output) (tensor.Tensor, error) { return o.Pooled, nil }

// projectedPooled is what SD3 takes.
func projectedPooled(o clip.Output) (tensor.Tensor, error) {
	if o.Projected.None() {
		return tensor.Tensor{}, errors.New("text_projection.weight is missing, which Stable Diffusion 3 needs")
	}
	return o.Projected, nil
}

// t5Encoder is T5 v1.1 in a folder of the model.
type t5Encoder struct {
	folder string
	config t5.Config
}

func (t *t5Encoder) component() string        { return t.folder }
func (t *t5Encoder) kind() string             { return "t5" }
func (t *t5Encoder) length(maxLength int) int { return maxLength }

func (t *t5Encoder) tokenizer(f fs.FS) (tokenizer.Tokenizer, error) { return tokenizer.OpenT5(f) }

func (t *t5Encoder) open(e env) (openEncoder, error) {
	source, err := e.weights(t.folder)
	if err != nil {
		return nil, err
	}
	m, err := t5.Open(t.config, source, e.backend, e.dtype)
	if err != nil {
		return nil, err
	}
	return &openT5{e.backend, m}, nil
}

type openT5 struct {
	backend tensor.Backend
	model   *t5.Encoder
}

func (t *openT5) encode(ctx context.Context, ids []int32) (encoded, error) {
	defer t.backend.Release(t.backend.Mark())
	out, err := t.model.Encode(ctx, ids)
	if err != nil {
		return encoded{}, err
	}
	return encoded{tokens: fetch(t.backend, out)}, nil
}

func (t *openT5) layers() map[string]*nn.Linear { return t.model.Layers() }

func (t *openT5) drop() { t.model.Drop() }

// readConfigs reads the config.json of several components, reporting all that
// cannot be read together.
func readConfigs(f *checkpoint.Folder, into map[string]any) error {
	var errs []error
	for component, config := range into {
		errs = append(errs, f.ReadJSON(component+"/config.json", config))
	}
	return errors.Join(errs...)
}
