package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/conditioning"
	"taca/internal/cpu"
	"taca/internal/demo"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// binder is a backend that counts the weights it is given.
type binder struct {
	tensor.Backend
	bound int
}

func (b *binder) NewGroup() tensor.Group { return bound{b.Backend.NewGroup(), b} }

type bound struct {
	tensor.Group
	in *binder
}

func (g bound) Bind(raw []byte, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	g.in.bound++
	return g.Group.Bind(raw, rows, cols, d)
}

func (g bound) Need(next tensor.Group) {
	if n, ok := next.(bound); ok {
		next = n.Group
	}
	g.Group.Need(next)
}

// setting is where and how a prompt is encoded.
type setting struct {
	folder  *checkpoint.Folder
	cache   string // a folder
	isa     string // none: the best
	threads int
	convert tensor.DType
	config  pipeline.Config
}

// use opens a model and hands it out; the number of weights its encoders were
// given is what is bound meanwhile.
func (s setting) use(t *testing.T, do func(p *pipeline.Pipeline, b *binder)) {
	t.Helper()
	device, err := cpu.OpenISA(s.isa, max(1, s.threads))
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	m, err := pipeline.Read(s.folder)
	if err != nil {
		t.Fatal(err)
	}
	if s.convert != 0 {
		m.Convert(s.convert)
	}
	if s.cache != "" {
		s.config.Conditioning = conditioning.New(s.cache, conditioning.Room)
	}
	b := &binder{Backend: device}
	p, err := pipeline.Open(context.Background(), m, b, s.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	do(p, b)
}

// read encodes what r says.
func (s setting) read(t *testing.T, r pipeline.Request) (texts pipeline.Texts, bound int) {
	t.Helper()
	s.use(t, func(p *pipeline.Pipeline, b *binder) {
		before := b.bound
		var err error
		if texts, err = p.Read(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
		bound = b.bound - before
	})
	return texts, bound
}

// folders are the models whose conditioning is kept in these tests.
func folders(t *testing.T) map[string]*checkpoint.Folder {
	t.Helper()
	all := map[string]*checkpoint.Folder{"embedded": demo.Folder()}
	for _, name := range []string{"flux", "sd3", "sd3-no-t5"} {
		f, err := checkpoint.OpenFolder(withTokenizers(t, filepath.Join("testdata", name, "model")))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = f
	}
	return all
}

func recalled() pipeline.Request {
	return pipeline.Request{Prompt: "a red cube", Negative: "a cone", Width: 32, Height: 32, Steps: 2, MaxLength: 16, Guidance: 2, TrueCFG: 2,
		TACA: pipeline.TACA{Gamma: 1.2, Steps: 1}}
}

// TestRecalledPictures: without a cache, when it is filled and when it is used,
// pictures are the same to the bit; when it is used, no encoder is given any
// weights.
func TestRecalledPictures(t *testing.T) {
	for name, folder := range folders(t) {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			cache := t.TempDir()
			paint := func(cache string, wantBound, wantCached bool) *pipeline.Picture {
				var picture *pipeline.Picture
				setting{folder: folder, cache: cache, threads: 2, config: pipeline.Config{DType: d}}.use(t, func(p *pipeline.Pipeline, b *binder) {
					before := b.bound
					texts, err := p.Read(t.Context(), recalled(), nil)
					if err == nil {
						if bound := b.bound > before; bound != wantBound || texts.Cached != wantCached || texts.Unkept != nil {
							t.Errorf("%s in %v: encoders were given weights: %v, want %v; cached: %v, want %v; not kept: %v",
								name, d, bound, wantBound, texts.Cached, wantCached, texts.Unkept)
						}
						picture, err = p.Paint(t.Context(), recalled(), texts, nil)
					}
					if err != nil {
						t.Fatal(err)
					}
				})
				return picture
			}
			plain, miss, hit := paint("", true, false), paint(cache, true, false), paint(cache, false, true)
			for _, p := range []*pipeline.Picture{miss, hit} {
				if !slices.Equal(p.Latents, plain.Latents) || !bytes.Equal(p.Image.Pix, plain.Image.Pix) {
					t.Errorf("%s in %v: the cache changes the picture", name, d)
				}
			}
		}
	}
}

// kept is the cache's entries.
func kept(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if all[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestArithmetic: what the key leaves out changes no bit of what is kept.
func TestArithmetic(t *testing.T) {
	all := folders(t)
	for _, name := range []string{"embedded", "sd3"} { // which have every kind of encoder
		folder := all[name]
		for _, isa := range cpu.Available() {
			for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
				var want map[string][]byte
				for _, s := range []setting{{threads: 1}, {threads: 2}, {threads: 5, convert: tensor.Q8}} {
					s.folder, s.cache, s.isa, s.config.DType = folder, t.TempDir(), isa, d
					s.read(t, recalled())
					got := kept(t, s.cache)
					if want == nil {
						want = got
					}
					if len(got) != 2 || !maps.EqualFunc(got, want, bytes.Equal) {
						t.Errorf("%s, %s, %v, %d threads: %d entries, which are others than with one thread", name, isa, d, s.threads, len(got))
					}
				}
			}
		}
	}
}

// altered is a copy of the SD3 test model one of whose files, unless name is
// empty, is another.
func altered(t *testing.T, name string, change func(data []byte) []byte) *checkpoint.Folder {
	t.Helper()
	dir := withTokenizers(t, filepath.Join("testdata", "sd3", "model"))
	if name != "" {
		path := filepath.Join(dir, name)
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		is := change(bytes.Clone(was))
		if bytes.Equal(is, was) {
			t.Fatalf("%s has not changed", name)
		}
		if err := os.WriteFile(path, is, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestRecalledApart: what changes a bit of the result, or may, is in the key.
func TestRecalledApart(t *testing.T) {
	cache := t.TempDir()
	plain := altered(t, "", nil)
	flip := func(name string) *checkpoint.Folder {
		return altered(t, name, func(data []byte) []byte {
			data[len(data)-4] ^= 1
			return data
		})
	}
	steadier := altered(t, "text_encoder_3/config.json", func(data []byte) []byte {
		return bytes.Replace(data, []byte(`"layer_norm_epsilon": 1e-06`), []byte(`"layer_norm_epsilon": 1e-05`), 1)
	})
	bare := recalled()
	bare.Guidance = 1 // no negative prompt
	other, longer, sized := bare, bare, bare
	other.Prompt, longer.MaxLength = "a blue cube", 17
	sized.Seed, sized.Width, sized.Steps = 3, 64, 1
	isas := cpu.Available()
	f32 := pipeline.Config{DType: tensor.F32}
	for _, c := range []struct {
		what string
		s    setting
		r    pipeline.Request
		want bool
	}{
		{"the first", setting{folder: plain, config: f32}, bare, false},
		{"the same", setting{folder: plain, config: f32}, bare, true},
		{"other seed, size, steps, threads and transformer", setting{folder: plain, threads: 3, convert: tensor.Q4, config: f32}, sized, true},
		{"a copy of the folder", setting{folder: altered(t, "", nil), config: f32}, bare, true},
		{"other latents' weights", setting{folder: flip("transformer/diffusion_pytorch_model.safetensors"), config: f32}, bare, true},
		{"another prompt", setting{folder: plain, config: f32}, other, false},
		{"more tokens", setting{folder: plain, config: f32}, longer, false},
		{"a negative prompt that is new", setting{folder: plain, config: f32}, recalled(), false},
		{"both known", setting{folder: plain, config: f32}, recalled(), true},
		{"bf16", setting{folder: plain, config: pipeline.Config{DType: tensor.BF16}}, bare, false},
		{"another instruction set", setting{folder: plain, isa: isas[len(isas)-1], config: f32}, bare, len(isas) == 1},
		{"another CLIP-L", setting{folder: flip("text_encoder/model.safetensors"), config: f32}, bare, false},
		{"another CLIP-G", setting{folder: flip("text_encoder_2/model.safetensors"), config: f32}, bare, false},
		{"another T5", setting{folder: flip("text_encoder_3/model.safetensors"), config: f32}, bare, false},
		{"another config", setting{folder: steadier, config: f32}, bare, false},
	} {
		c.s.cache = cache
		texts, bound := c.s.read(t, c.r)
		if texts.Cached != c.want || (bound == 0) != c.want {
			t.Errorf("%s: found %v with %d weights bound, want %v", c.what, texts.Cached, bound, c.want)
		}
	}
}

// TestRecallOneOfTwo: of a sweep over prompts with one negative prompt, each is
// encoded once.
func TestRecallOneOfTwo(t *testing.T) {
	s := setting{folder: demo.Folder(), cache: t.TempDir(), config: pipeline.Config{DType: tensor.F32}}
	for i := range 3 {
		r := recalled()
		r.Prompt = fmt.Sprintf("a cube and %d cones", i)
		s.read(t, r)
		if n := len(kept(t, s.cache)); n != 2+i {
			t.Errorf("after %d prompts %d are kept, want %d", i+1, n, 2+i)
		}
	}
	for name, data := range kept(t, s.cache) {
		if bytes.Contains(data, []byte("cube")) || strings.Contains(name, "cube") {
			t.Errorf("%s tells the prompt", name)
		}
	}
}

// TestUnkept: what cannot be kept is said, and nothing else is lost; what is
// damaged is encoded again and replaced.
func TestUnkept(t *testing.T) {
	s := setting{folder: demo.Folder(), cache: "/proc/self/none", config: pipeline.Config{DType: tensor.F32}}
	if texts, bound := s.read(t, recalled()); texts.Unkept == nil || texts.Cached || bound == 0 {
		t.Errorf("unkept: %v, cached: %v, %d weights bound", texts.Unkept, texts.Cached, bound)
	}
	s.cache = t.TempDir()
	s.read(t, recalled())
	sound := kept(t, s.cache)
	for name, data := range sound {
		data = bytes.Clone(data)
		data[len(data)-9] ^= 4
		if err := os.WriteFile(filepath.Join(s.cache, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if texts, _ := s.read(t, recalled()); texts.Unkept != nil || texts.Cached {
		t.Errorf("damaged entries: unkept: %v, cached: %v", texts.Unkept, texts.Cached)
	}
	if !maps.EqualFunc(sound, kept(t, s.cache), bytes.Equal) {
		t.Error("damaged entries were not replaced by sound ones")
	}
}

// TestNotANumber: what is broken is not kept, so that it breaks again only while
// its reason is there.
func TestNotANumber(t *testing.T) {
	dir := withTokenizers(t, filepath.Join("testdata", "flux", "model"))
	path := filepath.Join(dir, "text_encoder_2", "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenBytes(path, data)
	if err != nil {
		t.Fatal(err)
	}
	raw, found := f.Tensor("encoder.final_layer_norm.weight")
	if !found {
		t.Fatalf("no norm among %v", f.Names())
	}
	for i := range raw.Bytes { // a window of data
		raw.Bytes[i] = 0xff
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := setting{folder: folder, cache: t.TempDir(), config: pipeline.Config{DType: tensor.F32}}
	if texts, _ := s.read(t, recalled()); texts.Unkept != nil || len(kept(t, s.cache)) != 0 {
		t.Errorf("%d entries are kept (%v), want none", len(kept(t, s.cache)), texts.Unkept)
	}
}
