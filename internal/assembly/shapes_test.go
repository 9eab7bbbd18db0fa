package assembly

import (
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"taca/configs"
	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// shapesAlone are the names and shapes of a file.
type shapesAlone map[string][]int

func (s shapesAlone) Names() []string { return slices.Sorted(maps.Keys(s)) }
func (s shapesAlone) String() string  { return "published.safetensors" }
func (s shapesAlone) Tensor(name string) (checkpoint.Raw, bool) {
	shape, ok := s[name]
	return checkpoint.Raw{Shape: shape, Type: "BF16"}, ok
}

// published are the files of the published models: scripts/golden/dialects.py.
func published(t *testing.T) map[string]shapesAlone {
	t.Helper()
	f, err := os.Open("testdata/published.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]shapesAlone
	if err := json.NewDecoder(text).Decode(&files); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestShapesOfPublishedModels: from the shapes of a published model's single
// file follows the config.json of its folder, as far as the preset has it, and
// the kind of each component.
func TestShapesOfPublishedModels(t *testing.T) {
	files := published(t)
	for _, c := range []struct {
		file    string
		tensors int
		kind    dialect.Kind
		preset  string
		part    string
	}{
		{"flux-dev", 780, dialect.FLUXTransformer, "flux-dev", "transformer"},
		{"flux-schnell", 776, dialect.FLUXTransformer, "flux-schnell", "transformer"},
		{"sd35-medium", 665 + 244, dialect.SD3Transformer, "sd35-medium", "transformer"},
		{"sd35-large", 923 + 244, dialect.SD3Transformer, "sd35-large", "transformer"},
		{"sd35-large", 923 + 244, dialect.VAE, "sd35-large", "vae"},
		{"ae", 244, dialect.VAE, "flux-dev", "vae"},
		{"clip_l", 197, dialect.CLIPL, "sd35-large", "text_encoder"},
		{"clip_l", 197, dialect.CLIPL, "flux-dev", "text_encoder"},
		{"clip_g", 389, dialect.CLIPG, "sd35-large", "text_encoder_2"},
		{"t5xxl", 220, dialect.T5, "sd35-large", "text_encoder_3"},
	} {
		file := files[c.file]
		if len(file) != c.tensors {
			t.Errorf("%s: %d tensors, want %d", c.file, len(file), c.tensors)
		}
		parts, err := dialect.Read(file)
		i := slices.IndexFunc(parts, func(p dialect.Component) bool { return p.Kind == c.kind })
		if err != nil || i < 0 {
			t.Errorf("%s holds no %s: %v", c.file, c.kind, err)
			continue
		}
		preset, _, err := configs.Find(c.preset)
		if err != nil {
			t.Fatal(err)
		}
		want, err := presetSettings(preset, c.part+"/config.json")
		if err != nil || len(want) == 0 {
			t.Fatalf("%s has no %s: %v", c.preset, c.part, err)
		}
		d := derive(parts[i])
		got := maps.Clone(d.told)
		maps.Copy(got, d.assumed)
		held := 0
		for key, value := range got {
			if theirs, says := want[key]; says && !same(theirs, value) {
				t.Errorf("%s, %s: %s is %v, the preset says %v", c.file, c.kind, key, value, theirs)
			} else if says {
				held++
			}
		}
		if held < 7 {
			t.Errorf("%s, %s: %d settings are the preset's, want at least 7", c.file, c.kind, held)
		}
	}
}

// TestRelatives: the preset of a file is found by its shapes.
func TestRelatives(t *testing.T) {
	files := published(t)
	for _, name := range []string{"flux-dev", "flux-schnell", "sd35-medium", "sd35-large"} {
		parts, err := dialect.Read(files[name])
		if err != nil {
			t.Fatal(err)
		}
		m := &Model{family: familyWith(parts[0].Kind), derived: map[role]derived{transformer: derive(parts[0])}}
		presets, err := m.Relatives()
		if err != nil || len(presets) < 2 || presets[0].Name != name {
			t.Errorf("%s: the nearest presets are %v (%v)", name, presets, err)
		}
	}
}

// TestPublishedLayout: the single file that is written of a published model's
// components has the names and shapes of the published one.
func TestPublishedLayout(t *testing.T) {
	for name, file := range published(t) {
		parts, err := dialect.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if name == "clip_g" { // in OpenCLIP's names, which are written nowhere
			continue
		}
		all, err := dialect.Layout(parts)
		if err != nil || len(all) != len(file) {
			t.Errorf("%s: %d tensors, want %d (%v)", name, len(all), len(file), err)
		}
		for _, j := range all {
			if !slices.Equal(file[j.Name], j.Shape) {
				t.Errorf("%s: %s is %v, want %v", name, j.Name, j.Shape, file[j.Name])
			}
		}
	}
}

// TestFits: a published file fits the presets that have it.
func TestFits(t *testing.T) {
	files := published(t)
	sd35 := []string{"sd35-large", "sd35-large-turbo", "sd35-medium"}
	all := append([]string{"flux-dev", "flux-schnell"}, sd35...)
	for _, c := range []struct {
		file    string
		presets []string
		flag    string
	}{
		{"flux-dev", []string{"flux-dev"}, "--transformer"},
		{"flux-schnell", []string{"flux-schnell"}, "--transformer"},
		{"sd35-medium", []string{"sd35-medium"}, "--transformer"},
		{"sd35-large", []string{"sd35-large", "sd35-large-turbo"}, "--transformer"},
		{"ae", all, "--vae"},
		{"clip_l", all, "--clip-l"},
		{"clip_g", sd35, "--clip-g"},
		{"t5xxl", all, "--t5"},
	} {
		parts, err := dialect.Read(files[c.file])
		if err != nil {
			t.Fatal(err)
		}
		presets, flag, err := Fits(parts[0])
		if err != nil || !slices.Equal(presets, c.presets) || flag != c.flag {
			t.Errorf("%s fits %v by %s, want %v by %s (%v)", c.file, presets, flag, c.presets, c.flag, err)
		}
	}
	files["flux-dev"]["img_in.weight"], files["flux-dev"]["final_layer.linear.weight"] = []int{3072, 60}, []int{60, 3072}
	parts, err := dialect.Read(files["flux-dev"])
	if err != nil {
		t.Fatal(err)
	}
	if presets, _, err := Fits(parts[0]); err != nil || len(presets) > 0 {
		t.Errorf("of another size it fits %v (%v)", presets, err)
	}
}
