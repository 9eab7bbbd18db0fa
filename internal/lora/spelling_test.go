package lora

import (
	"encoding/json"
	"io/fs"
	"slices"
	"testing"

	"taca/configs"
	"taca/internal/dry"
	"taca/internal/model/clip"
	"taca/internal/model/flux"
	"taca/internal/model/nn"
	"taca/internal/model/sd3"
	"taca/internal/model/t5"
	"taca/internal/tensor"
)

// published opens the parts of a preset, with shapes alone.
func published(t *testing.T, preset string) []Part {
	t.Helper()
	p, _, err := configs.Find(preset)
	if err != nil {
		t.Fatal(err)
	}
	files, err := p.FS()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string, into any) {
		text, err := fs.ReadFile(files, name+"/config.json")
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var class struct {
		Name string `json:"_class_name"`
	}
	read("transformer", &class)
	kinds := []Kind{SD3, CLIPL, CLIPG, T5}
	if class.Name == "FluxTransformer2DModel" {
		kinds = []Kind{FLUX, CLIPL, T5}
	}
	var parts []Part
	for i, kind := range kinds {
		name := []string{"transformer", "text_encoder", "text_encoder_2", "text_encoder_3"}[i]
		parts = append(parts, Part{Name: name, Kind: kind, Layers: shapes(t, kind, func(into any) { read(name, into) })})
	}
	return parts
}

// shapes is the layers of a model without weights.
func shapes(t *testing.T, kind Kind, read func(into any)) map[string]*nn.Linear {
	t.Helper()
	var m interface{ Layers() map[string]*nn.Linear }
	var err error
	switch kind {
	case FLUX:
		var c flux.Config
		read(&c)
		m, err = flux.Open(c, nil, dry.New(), tensor.BF16)
	case SD3:
		var c sd3.Config
		read(&c)
		m, err = sd3.Open(c, nil, dry.New(), tensor.BF16)
	case T5:
		var c t5.Config
		read(&c)
		m, err = t5.Open(c, nil, dry.New(), tensor.BF16)
	default:
		var c clip.Config
		read(&c)
		m, err = clip.Open(c, nil, dry.New(), tensor.BF16)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.Layers()
}

// TestNoTwoPlaces: of no published model do two places have a common spelling,
// so that what is looked up is what the trainer meant.
func TestNoTwoPlaces(t *testing.T) {
	for preset, layers := range map[string][]int{
		"flux-dev": {504, 72, 168}, "flux-schnell": {502, 72, 168},
		"sd35-medium": {24*14 - 3 + 13*4 + 8, 73, 193, 168}, "sd35-large": {38*14 - 3 + 8, 73, 193, 168},
	} {
		parts := published(t, preset)
		known := spellings(parts)
		for i := range parts {
			p := &parts[i]
			if len(p.Layers) != layers[i] {
				t.Errorf("%s: %s has %d layers, want %d", preset, p.Name, len(p.Layers), layers[i])
			}
			names := p.names()
			if u := names.Underscored(); len(u) != len(names) {
				t.Errorf("%s: %d names of %s are %d with underscores", preset, len(names), p.Name, len(u))
			}
			for name, m := range names {
				for _, prefix := range append([]string{p.Name + "."}, prefixes[p.Kind]...) {
					at := known.find(prefix + name)
					if at.part != p || at.Swapped != m.Swapped || !slices.Equal(at.Parts, m.Parts) {
						t.Errorf("%s: %s%s is %v of %v, want %v of %s", preset, prefix, name, at.Parts, at.part, m.Parts, p.Name)
					}
				}
			}
		}
	}
}

// TestEveryLayer: the original names reach every layer of a published model.
func TestEveryLayer(t *testing.T) {
	for _, preset := range []string{"flux-dev", "sd35-medium", "sd35-large"} {
		p := published(t, preset)[0]
		reached := map[string]bool{}
		for name, m := range p.names() {
			if p.Layers[name] != nil && name != "context_embedder" { // which both sides call so
				continue
			}
			for _, part := range m.Parts {
				reached[part] = true
			}
		}
		for layer := range p.Layers {
			if !reached[layer] {
				t.Errorf("%s: no original name reaches %s", preset, layer)
			}
		}
	}
}
