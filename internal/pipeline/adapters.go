package pipeline

import (
	"errors"
	"slices"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/lora"
	"taca/internal/model/nn"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// LoRA is an adapter file to attach to the transformer and, unless it follows
// gamma, to the text encoders.
type LoRA struct {
	Path  string  `json:"path"`
	Scale float32 `json:"scale"`
	TACA  bool    `json:"taca,omitempty"` // active exactly in the steps where gamma is not 1
}

// followsSteps is why a LoRA that follows gamma has no say in the encoders.
const followsSteps = "an adapter that follows gamma acts in some of the transformer's steps, and the prompt is encoded once, before all of them: " +
	"give it to --lora if it is to act on text encoders"

// adapters are the LoRAs of a pipeline.
type adapters struct {
	parts  []lora.Part // where they may attach, the encoders with shapes alone
	files  []*checkpoint.File
	loras  []*lora.LoRA
	follow map[LoRA]sampler.Gate // those that may follow gamma
	gates  []sampler.Gate        // of those that do
}

const transformer = "transformer"

func encoderPart(e textEncoder, open openEncoder) lora.Part {
	return lora.Part{Name: e.component(), Kind: lora.Kind(e.kind()), Layers: open.layers()}
}

func denoiserPart(f family, d denoiser) lora.Part {
	return lora.Part{Name: transformer, Kind: f.spelling(), Layers: d.Layers()}
}

// attach finds the place of everything in a LoRA's file and hangs it on the
// transformer; encoders get theirs when they are opened.
func (p *Pipeline) attach(l LoRA) error {
	a := &p.adapters
	file, mapped, err := lora.Open(l.Path)
	if err != nil {
		return err
	}
	a.files = append(a.files, mapped)
	parts := slices.Clone(a.parts)
	for i := range parts {
		if l.TACA && parts[i].Name != transformer {
			parts[i].Closed = followsSteps
		}
	}
	fitted, err := file.Fit(parts, lora.Options{Scale: l.Scale, Lenient: p.config.Lenient})
	if err != nil {
		return err
	}
	if _, err := fitted.Attach(transformer, p.denoiser.Layers(), p.backend); err != nil {
		return err
	}
	a.loras = append(a.loras, fitted)
	fitted.Set(!l.TACA)
	if l.TACA {
		if a.follow == nil {
			a.follow = map[LoRA]sampler.Gate{}
		}
		a.follow[l] = fitted
		a.gates = append(a.gates, fitted)
	}
	return nil
}

// Follow says which of the LoRAs that may follow gamma do, from the next picture
// on; the others stay off. At first all do.
func (p *Pipeline) Follow(loras []LoRA) {
	p.adapters.gates = nil
	for _, l := range loras {
		if gate, ok := p.adapters.follow[l]; ok {
			p.adapters.gates = append(p.adapters.gates, gate)
		}
	}
}

// LeftOut is what of each LoRA's file is not used, by its path.
func (p *Pipeline) LeftOut() map[string][]lora.Omission {
	left := map[string][]lora.Omission{}
	for i, l := range p.adapters.loras {
		if omissions := l.LeftOut(); len(omissions) > 0 {
			left[p.config.LoRAs[i].Path] = omissions
		}
	}
	return left
}

// hang attaches all LoRAs to an encoder that has been opened. What it returns
// gives the memory back.
func (a *adapters) hang(part string, layers map[string]*nn.Linear, b tensor.Backend) (release func(), err error) {
	var groups []tensor.Group
	release = func() {
		for _, g := range groups {
			g.Drop()
		}
	}
	for _, l := range a.loras {
		if l.Layers()[part] == 0 {
			continue
		}
		g, err := l.Attach(part, layers, b)
		if err != nil {
			release()
			return nil, err
		}
		groups = append(groups, g)
	}
	return release, nil
}

// digests tell what the LoRAs add to a part.
func (a *adapters) digests(part string) [][]byte {
	var all [][]byte
	for _, l := range a.loras {
		if d := l.Digest(part); d != nil {
			all = append(all, d)
		}
	}
	return all
}

func (a *adapters) close() error {
	var errs []error
	for _, f := range a.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Fit finds the place of everything in an adapter file in a model that need
// not have weights.
func (m *Model) Fit(f *lora.File, o lora.Options) (*lora.LoRA, error) {
	where := env{dry.New(), tensor.BF16, func(string) (checkpoint.Source, error) { return nil, nil }}
	var parts []lora.Part
	for _, e := range m.family.encoders() {
		open, err := e.open(where)
		if err != nil {
			return nil, err
		}
		parts = append(parts, encoderPart(e, open))
	}
	d, err := m.family.denoiser(where)
	if err != nil {
		return nil, err
	}
	return f.Fit(append(parts, denoiserPart(m.family, d)), o)
}
