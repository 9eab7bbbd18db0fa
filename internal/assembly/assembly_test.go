package assembly_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/assembly"
	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/demo"
	"taca/internal/dialect"
	"taca/internal/dialect/dialecttest"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// The tiny models of the pipeline's goldens, as diffusers folders; their
// tokenizers are the embedded model's.
func folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	err := os.CopyFS(dir, os.DirFS(filepath.Join("../pipeline/testdata", name, "model")))
	second := "tokenizer_2"
	if strings.HasPrefix(name, "sd3") {
		second = "tokenizer" // its second encoder is a CLIP too
	}
	for to, from := range map[string]string{"tokenizer": "tokenizer", "tokenizer_2": second, "tokenizer_3": "tokenizer_2"} {
		sub, bad := fs.Sub(demo.Folder().FS(), from)
		err = errors.Join(err, bad, os.CopyFS(filepath.Join(dir, to), sub))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// stored is the weights of a component of a diffusers folder.
func stored(t *testing.T, dir, component string) checkpoint.Source {
	t.Helper()
	stem := "diffusion_pytorch_model"
	if strings.HasPrefix(component, "text_encoder") {
		stem = "model"
	}
	f, err := checkpoint.OpenFile(filepath.Join(dir, component, stem+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// write makes a single file.
func write(t *testing.T, all ...[]checkpoint.Tensor) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "single.safetensors")
	if err := checkpoint.Write(path, slices.Concat(all...), nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// unprojected makes the projection of CLIP-L in a folder of Stable Diffusion 3
// the identity, as it is in the published ones.
func unprojected(t *testing.T, dir string) {
	t.Helper()
	all := dialecttest.Tensors(stored(t, dir, "text_encoder"), "")
	for i, x := range all {
		if x.Name == "text_projection.weight" {
			all[i].Bytes = make([]byte, len(x.Bytes))
			for j := range x.Shape[0] {
				copy(all[i].Bytes[2*j*(x.Shape[0]+1):], []byte{0x80, 0x3f}) // 1 in BF16
			}
		}
	}
	if err := checkpoint.Write(filepath.Join(dir, "text_encoder/model.safetensors"), all, nil); err != nil {
		t.Fatal(err)
	}
}

// painted is the latents and the pixels that a model makes of a prompt.
func painted(t *testing.T, f *checkpoint.Folder) (latents []float32, pixels []byte) {
	t.Helper()
	m, err := pipeline.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.Open(2)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := pipeline.Open(context.Background(), m, b, pipeline.Config{DType: tensor.F32}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := pipeline.Request{Prompt: "a red cube", Negative: "fog", Width: 64, Height: 32, Steps: 2, Guidance: 3, MaxLength: 16, TACA: pipeline.TACA{Gamma: 1.2, Steps: 1}}
	texts, err := p.Read(context.Background(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := p.Paint(context.Background(), r, texts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return picture.Latents, picture.Image.Pix
}

func assembled(t *testing.T, files assembly.Files, base string) *checkpoint.Folder {
	t.Helper()
	m, err := assembly.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	lent, err := checkpoint.OpenFolder(base)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := m.Folder(assembly.Lender{Folder: lent})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestPictures: a picture from every dialect is the diffusers folder's to the
// bit, from whole pipelines in one file and from parts.
func TestPictures(t *testing.T) {
	const inside, text = "model.diffusion_model.", "text_encoders."
	for name, table := range map[string]dialect.Table{"flux": dialect.FLUX(1, 2), "schnell": dialect.FLUX(1, 1), "sd3": dialect.SD3(3), "sd3-no-t5": dialect.SD3(3)} {
		dir, published := folder(t, name), folder(t, name)
		encoders := map[string]string{"text_encoder": "clip_l", "text_encoder_2": "t5xxl"}
		if strings.HasPrefix(name, "sd3") {
			encoders = map[string]string{"text_encoder": "clip_l", "text_encoder_2": "clip_g", "text_encoder_3": "t5xxl"}
			unprojected(t, dir)
		}
		whole, err := checkpoint.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		latents, pixels := painted(t, whole)

		transformer, vae := stored(t, dir, "transformer"), stored(t, dir, "vae")
		all := slices.Concat(dialecttest.Original(transformer, table, inside), dialecttest.LDM(vae, 4, "first_stage_model."))
		files := assembly.Files{Transformer: write(t, dialecttest.Original(transformer, table, "")), VAE: write(t, dialecttest.LDM(vae, 4, ""))}
		canonical := assembly.Files{Transformer: write(t, dialecttest.Tensors(transformer, "")), VAE: write(t, dialecttest.Tensors(vae, ""))}
		for component, as := range encoders {
			if !whole.Has(component) {
				continue
			}
			// That of CLIP-L has its projection, as the published file has.
			all = append(all, dialecttest.Tensors(stored(t, published, component), text+as+".transformer.")...)
			path := write(t, dialecttest.Tensors(stored(t, published, component), ""))
			for _, f := range []*assembly.Files{&files, &canonical} {
				*map[string]*string{"clip_l": &f.CLIPL, "clip_g": &f.CLIPG, "t5xxl": &f.T5}[as] = path
			}
		}
		base := lean(t, dir)
		one := assembly.Files{Model: write(t, all)}
		replaced := one
		replaced.VAE = files.VAE
		for how, f := range map[string]assembly.Files{"one file": one, "parts": files, "canonical parts": canonical, "one file and a part": replaced} {
			samePicture(t, name+", "+how, assembled(t, f, base), latents, pixels)
		}
		samePicture(t, name+", one file written as a folder", saved(t, assembled(t, one, base)), latents, pixels)
		samePicture(t, name+", a transformer over its folder", assembled(t, assembly.Files{Transformer: files.Transformer}, dir), latents, pixels)
	}
}

// samePicture fails unless a folder paints to the bit what another has painted.
func samePicture(t *testing.T, what string, f *checkpoint.Folder, latents []float32, pixels []byte) {
	t.Helper()
	got, shown := painted(t, f)
	if !slices.Equal(got, latents) || !bytes.Equal(shown, pixels) {
		t.Errorf("%s: another picture", what)
	}
}

// saved is a model as taca convert writes it.
func saved(t *testing.T, f *checkpoint.Folder) *checkpoint.Folder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "saved")
	m, err := pipeline.Read(f)
	if err == nil {
		_, _, err = m.Save(context.Background(), dir, nil, func(int, int) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWithoutT5: Stable Diffusion 3 paints without T5, and says so, but a plan
// of a transformer alone counts it.
func TestWithoutT5(t *testing.T) {
	dir := folder(t, "sd3")
	only := assembly.Files{Transformer: write(t, dialecttest.Original(stored(t, dir, "transformer"), dialect.SD3(3), ""))}
	with := only
	with.VAE = write(t, dialecttest.Tensors(stored(t, dir, "vae"), ""))
	with.CLIPL, with.CLIPG = write(t, dialecttest.Tensors(stored(t, dir, "text_encoder"), "")), write(t, dialecttest.Tensors(stored(t, dir, "text_encoder_2"), ""))
	base, err := checkpoint.OpenFolder(lean(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		files   assembly.Files
		planned bool
		want    int // remarks that it paints without T5
		lent    string
	}{
		{"without T5", with, false, 1, ""},
		{"without T5, planned", with, true, 1, ""},
		{"a transformer, planned", only, true, 0, "planned as published and in bf16, for want of a file: a VAE (--vae FILE), CLIP-L (--clip-l FILE), CLIP-G (--clip-g FILE)"},
	} {
		m, err := assembly.Read(c.files)
		if err != nil {
			t.Fatal(err)
		}
		f, remarks, err := m.Folder(assembly.Lender{Folder: base, Planned: c.planned})
		if err != nil || !strings.Contains(strings.Join(remarks, "\n"), c.lent) || (len(remarks) > 0) != (c.lent != "") {
			t.Errorf("%s: %q (%v), want %q", c.name, remarks, err, c.lent)
			continue
		}
		model, err := pipeline.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := model.Remarks(); len(got) != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestRefusals: what a file is not is told, with the flag for what it is.
func TestRefusals(t *testing.T) {
	flux, sd3 := folder(t, "flux"), folder(t, "sd3")
	part := func(dir, component, prefix string) []checkpoint.Tensor {
		return dialecttest.Tensors(stored(t, dir, component), prefix)
	}
	transformer, vae := write(t, part(flux, "transformer", "")), write(t, part(flux, "vae", ""))
	clip, t5 := write(t, part(flux, "text_encoder", "")), write(t, part(flux, "text_encoder_2", ""))
	lend := func(dir string) *checkpoint.Folder {
		f, err := checkpoint.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, c := range []struct {
		name  string
		files assembly.Files
		base  *checkpoint.Folder
		want  string
	}{
		{"a T5 for a model", assembly.Files{Model: t5}, nil, "holds T5 and no transformer: give it with --t5; --model wants"},
		{"any CLIP in a model", assembly.Files{Model: write(t, part(flux, "transformer", "transformer."), part(flux, "text_encoder", "conditioner.embedders.0.transformer."))}, nil, "holds a CLIP of neither CLIP-L's nor CLIP-G's size: give it with --clip-l or --clip-g"},
		{"a VAE for CLIP-L", assembly.Files{Transformer: transformer, CLIPL: vae}, nil, "holds VAE, not CLIP-L: --clip-l wants another file"},
		{"two that are wrong", assembly.Files{Transformer: vae, T5: clip}, nil, "holds CLIP, not T5: --t5 wants another file"},
		{"none that paints", assembly.Files{VAE: vae}, nil, "the model has no transformer: give it with --model or --transformer"},
		{"not whole", assembly.Files{Model: transformer, VAE: vae}, nil, "it lacks CLIP-L (--clip-l FILE), T5 (--t5 FILE): give them"},
		{"no tokenizers", assembly.Files{Model: transformer, VAE: vae, CLIPL: clip, T5: t5}, lend(t.TempDir()), "single files hold no tokenizers, and tokenizer, tokenizer_2 are not in "},
		{"CLIP-G for FLUX.1", assembly.Files{Model: transformer, CLIPG: clip}, lend(flux), "FLUX.1 does not read CLIP-G: leave it out"},
		{"two families", assembly.Files{Model: transformer}, lend(sd3), "is a transformer of FLUX.1, but the rest is of Stable Diffusion 3: give parts of one model"},
	} {
		m, err := assembly.Read(c.files)
		if err == nil {
			_, _, err = m.Folder(assembly.Lender{Folder: c.base})
		}
		var e *checkpoint.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

// lean is a folder without weights, and with nothing in its settings that
// shapes tell.
func lean(t *testing.T, dir string) string {
	t.Helper()
	out := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".safetensors") || strings.HasSuffix(path, "model_index.json") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Base(path) == "config.json" {
			data, err = without(data)
		}
		to := filepath.Join(out, strings.TrimPrefix(path, dir))
		return errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o777), os.WriteFile(to, data, 0o666))
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// without leaves out of a config.json what shapes tell. (A CLIP's width stays:
// its heads are in no shape.)
func without(data []byte) ([]byte, error) {
	config := map[string]any{}
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, err
	}
	for _, key := range []string{"in_channels", "out_channels", "num_layers", "num_single_layers", "attention_head_dim", "axes_dims_rope", "joint_attention_dim",
		"pooled_projection_dim", "guidance_embeds", "patch_size", "caption_projection_dim", "pos_embed_max_size", "dual_attention_layers", "qk_norm",
		"block_out_channels", "down_block_types", "up_block_types", "layers_per_block", "latent_channels", "mid_block_add_attention", "use_quant_conv", "use_post_quant_conv",
		"intermediate_size", "num_hidden_layers", "max_position_embeddings", "vocab_size", "projection_dim",
		"d_model", "num_heads", "d_kv", "d_ff", "relative_attention_num_buckets"} {
		delete(config, key)
	}
	return json.Marshal(config)
}
