package pipeline

import (
	"cmp"
	"context"
	"errors"

	"taca/internal/attention"
	"taca/internal/conditioning"
	"taca/internal/dry"
	"taca/internal/model"
	"taca/internal/model/vae"
	"taca/internal/tensor"
	"taca/internal/tokenizer"
)

// Config is how a model is opened.
type Config struct {
	DType        tensor.DType // of activations: F32 or BF16
	LoRAs        []LoRA
	Lenient      bool                // what of a LoRA finds no place is left out: see LeftOut
	Conditioning *conditioning.Cache // of encoded prompts; nil: every run encodes its own
	Attention    bool                // is recorded: see Picture
}

// Pipeline is a model opened on a backend, ready for any number of pictures,
// one at a time.
type Pipeline struct {
	*Model
	backend    tensor.Backend
	config     Config
	weights    *weights
	tokenizers []tokenizer.Tokenizer
	geometry   model.Geometry
	denoiser   denoiser
	decoder    *vae.Decoder
	drawn      drawn
	met        met
	adapters   adapters
	reserved   map[string]bool     // request shapes whose scratch has been found
	recorder   *attention.Recorder // nil unless Config.Attention
}

// Open maps the weights of m and checks every component against its config,
// reporting all defects together, before any work is done.
func Open(ctx context.Context, m *Model, b tensor.Backend, c Config, watch Watcher) (*Pipeline, error) {
	p := &Pipeline{Model: m, backend: b, config: c, weights: m.newWeights(), reserved: map[string]bool{}}
	if err := p.open(ctx, watch); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Pipeline) open(ctx context.Context, watch Watcher) error {
	steps := len(p.family.encoders()) + 2 + len(p.config.LoRAs)
	done := 0
	part := func(what string, do func() error) error {
		watch.tell(Event{Stage: Loading, Done: done, Total: steps, What: what})
		done++
		if err := ctx.Err(); err != nil {
			return err
		}
		return do()
	}
	var errs []error
	for _, e := range p.family.encoders() {
		errs = append(errs, part(e.component(), func() error { return p.checkEncoder(e) }))
	}
	errs = append(errs, part("transformer", p.openDenoiser), part("vae", p.openDecoder))
	if err := cmp.Or(errors.Join(errs...), p.agrees()); err != nil {
		return err
	}
	for _, l := range p.config.LoRAs {
		if err := part(l.Path, func() error { return p.attach(l) }); err != nil {
			return err
		}
	}
	watch.tell(Event{Stage: Loading, Done: steps, Total: steps})
	return nil
}

// env is where the model's parts are opened for real.
func (p *Pipeline) env() env {
	return env{backend: p.backend, dtype: p.config.DType, weights: p.weights.component}
}

// checkEncoder holds an encoder's files against its config without giving
// them to the device, and reads its tokenizer.
func (p *Pipeline) checkEncoder(e textEncoder) error {
	t, err := p.tokenizer(e)
	p.tokenizers = append(p.tokenizers, t)
	trial := p.env()
	trial.backend = dry.New()
	open, bound := e.open(trial)
	if bound == nil {
		p.adapters.parts = append(p.adapters.parts, encoderPart(e, open))
	}
	return errors.Join(err, bound)
}

func (p *Pipeline) openDenoiser() error {
	d, err := p.family.denoiser(p.env())
	if err != nil {
		return err
	}
	p.denoiser = d
	p.adapters.parts = append(p.adapters.parts, denoiserPart(p.family, d))
	if p.config.Attention {
		p.recorder = attention.NewRecorder(p.backend, p.family.blocks())
	}
	p.geometry, err = p.Model.Geometry()
	return err
}

func (p *Pipeline) openDecoder() error {
	source, err := p.weights.component("vae")
	if err != nil {
		return err
	}
	p.decoder, err = vae.Open(p.vae, source, p.backend, p.config.DType)
	return err
}

// Close unmaps the weights. The backend stays open.
func (p *Pipeline) Close() error {
	if p.denoiser != nil {
		p.denoiser.Drop()
	}
	if p.decoder != nil {
		p.decoder.Drop()
	}
	return errors.Join(p.weights.close(), p.adapters.close())
}
