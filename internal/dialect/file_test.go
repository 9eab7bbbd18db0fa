package dialect_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// goldenPart is what diffusers' converters found in a part of a file:
// scripts/golden/dialects.py.
type goldenPart struct {
	Kind, Dialect, Prefix string
	Tensors               map[string]goldenTensor
}

type goldenTensor struct {
	shape []int
	sum   string
}

func (t *goldenTensor) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&t.shape, &t.sum})
}

var files = []string{"flux-dev", "sd3-medium", "ae", "openclip", "t5-llama", "flux-whole", "sd35-whole"}

func open(t *testing.T, name string) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.OpenFile(filepath.Join("testdata", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestAgainstDiffusers: every file holds the parts that it should, with the
// canonical tensors that diffusers makes of it, to the bit.
func TestAgainstDiffusers(t *testing.T) {
	for _, name := range files {
		f := open(t, name)
		var golden struct{ Parts []goldenPart }
		if err := json.Unmarshal([]byte(f.Metadata()["golden"]), &golden); err != nil {
			t.Fatal(err)
		}
		parts, err := dialect.Read(f)
		if err != nil || len(parts) != len(golden.Parts) || len(parts) == 0 {
			t.Errorf("%s: %d parts, want %d (%v)", name, len(parts), len(golden.Parts), err)
			continue
		}
		for _, want := range golden.Parts {
			i := slices.IndexFunc(parts, func(c dialect.Component) bool { return string(c.Kind) == want.Kind })
			if i < 0 || parts[i].Dialect != want.Dialect || parts[i].Prefix != want.Prefix {
				t.Errorf("%s has no %s of the dialect %s under %q: %v", name, want.Kind, want.Dialect, want.Prefix, parts)
				continue
			}
			want.compare(t, fmt.Sprintf("%s, %s", name, want.Kind), parts[i])
		}
	}
}

func (g goldenPart) compare(t *testing.T, what string, c dialect.Component) {
	if got, want := slices.Sorted(slices.Values(c.Names())), slices.Sorted(maps.Keys(g.Tensors)); !slices.Equal(got, want) {
		odd := slices.IndexFunc(want, func(n string) bool { return !slices.Contains(got, n) })
		t.Errorf("%s: %d tensors, want %d, of which the %dth is missing", what, len(got), len(want), odd)
		return
	}
	for name, want := range g.Tensors {
		raw, ok := c.Tensor(name)
		sum := sha256.Sum256(raw.Bytes)
		if !ok || !slices.Equal(raw.Shape, want.shape) || raw.Type != "BF16" || hex.EncodeToString(sum[:]) != want.sum {
			t.Errorf("%s: %s is %s %v, or other bytes; want %v", what, name, raw.Type, raw.Shape, want.shape)
		}
	}
}

// TestWindows: all but what is in another order are windows of the file.
func TestWindows(t *testing.T) {
	copied := map[string][]string{
		"norm_out.linear.weight": files, "norm_out.linear.bias": files, "text_projection.weight": {"openclip"},
		"transformer_blocks.1.norm1_context.linear.weight": {"sd3-medium"}, "transformer_blocks.1.norm1_context.linear.bias": {"sd3-medium"},
		"transformer_blocks.2.norm1_context.linear.weight": {"sd35-whole"}, "transformer_blocks.2.norm1_context.linear.bias": {"sd35-whole"},
	}
	for _, name := range files {
		f := open(t, name)
		windows := map[*byte]bool{}
		for _, n := range f.Names() {
			raw, _ := f.Tensor(n)
			for i := range raw.Bytes {
				windows[&raw.Bytes[i]] = true
			}
		}
		parts, err := dialect.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parts {
			for _, n := range c.Names() {
				raw, _ := c.Tensor(n)
				again, _ := c.Tensor(n)
				if unsafe.SliceData(raw.Bytes) != unsafe.SliceData(again.Bytes) {
					t.Errorf("%s: %s is another copy each time", name, n)
				}
				if inFile := windows[unsafe.SliceData(raw.Bytes)]; inFile == slices.Contains(copied[n], name) {
					t.Errorf("%s: %s is a window of the file: %v", name, n, inFile)
				}
			}
		}
	}
}

// edited is a file some of whose tensors have other names or shapes, or are
// gone or more.
type edited struct {
	checkpoint.Source
	names []string
	raws  map[string]checkpoint.Raw
}

func (e *edited) Names() []string { return e.names }
func (e *edited) Tensor(name string) (checkpoint.Raw, bool) {
	raw, ok := e.raws[name]
	return raw, ok
}

// edit renames tensors: rename gives their new names, or none to drop them.
func edit(s checkpoint.Source, rename func(string) string) *edited {
	e := &edited{Source: s, raws: map[string]checkpoint.Raw{}}
	for _, name := range s.Names() {
		if to := rename(name); to != "" {
			e.names = append(e.names, to)
			e.raws[to], _ = s.Tensor(name)
		}
	}
	return e
}

func (e *edited) add(name string, shape ...int) *edited {
	if _, there := e.raws[name]; !there {
		e.names = append(e.names, name)
	}
	raw := checkpoint.Raw{Shape: shape, Type: "BF16"}
	raw.Bytes = make([]byte, 2*raw.Elements())
	e.raws[name] = raw
	return e
}

func same(name string) string { return name }

// TestPrefixes: any of a kind's prefixes is as good as none, also beside other
// parts.
func TestPrefixes(t *testing.T) {
	for name, prefixes := range map[string][]string{
		"flux-dev": {"model.diffusion_model.", "diffusion_model.", "transformer.", "model."},
		"ae":       {"vae.", "first_stage_model."},
		"openclip": {"conditioner.embedders.1.model.", "cond_stage_model.model."},
	} {
		f := open(t, name)
		plain, err := dialect.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range prefixes {
			parts, err := dialect.Read(edit(f, func(n string) string { return p + n }))
			if err != nil || len(parts) != 1 || parts[0].Prefix != p || parts[0].Kind != plain[0].Kind || !slices.Equal(parts[0].Names(), plain[0].Names()) {
				t.Errorf("%s under %s: %v (%v)", name, p, parts, err)
			}
		}
	}
}

// TestOtherSpellings of the same dialect.
func TestOtherSpellings(t *testing.T) {
	flux := open(t, "flux-dev")
	parts, err := dialect.Read(edit(flux, func(n string) string { return strings.Replace(n, "_norm.scale", "_norm.weight", 1) }))
	if err != nil || !slices.Contains(parts[0].Names(), "single_transformer_blocks.1.attn.norm_k.weight") {
		t.Errorf("norms with weights: %v", err)
	}
	clip := open(t, "openclip")
	parts, err = dialect.Read(edit(clip, func(n string) string { return strings.Replace(n, "text_projection", "text_projection.weight", 1) }))
	if err != nil {
		t.Fatal(err)
	}
	was, _ := clip.Tensor("text_projection")
	if got, _ := parts[0].Tensor("text_projection.weight"); &got.Bytes[0] != &was.Bytes[0] {
		t.Error("a projection that is a layer was transposed")
	}
}

// TestShapesAlone: a file whose bytes are not there tells its parts all the
// same.
func TestShapesAlone(t *testing.T) {
	for _, name := range files {
		e := edit(open(t, name), same)
		for n, raw := range e.raws {
			raw.Bytes = nil
			e.raws[n] = raw
		}
		parts, err := dialect.Read(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, c := range parts {
			for _, n := range c.Names() {
				if raw, ok := c.Tensor(n); !ok || raw.Bytes != nil || len(raw.Shape) == 0 {
					t.Errorf("%s: %s is %v", name, n, raw)
				}
			}
		}
	}
}
