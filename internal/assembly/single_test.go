package assembly_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/assembly"
	"taca/internal/checkpoint"
	"taca/internal/convert"
	"taca/internal/dialect/dialecttest"
	"taca/internal/quantise"
	"taca/internal/tensor"
)

// single writes a folder as a single file.
func single(t *testing.T, dir string, to *tensor.DType) (string, error) {
	t.Helper()
	folder, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := assembly.Read(assembly.Files{})
	if err != nil {
		t.Fatal(err)
	}
	parts, closed, err := m.Parts(assembly.Lender{Folder: folder})
	if err != nil {
		return "", err
	}
	defer closed()
	path := filepath.Join(t.TempDir(), "whole.safetensors")
	_, err = convert.File(context.Background(), path, parts, to, func(int, int) {})
	return path, err
}

// sameTensors holds the tensors of two folders' components against each other.
func sameTensors(t *testing.T, what, got, want string) {
	t.Helper()
	for _, component := range []string{"transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"} {
		if _, err := os.Stat(filepath.Join(want, component)); err != nil {
			continue
		}
		a, b := stored(t, got, component), stored(t, want, component)
		if len(a.Names()) != len(b.Names()) {
			t.Errorf("%s: %s has %d tensors, want %d", what, component, len(a.Names()), len(b.Names()))
		}
		for _, name := range b.Names() {
			x, ok := a.Tensor(name)
			if !ok { // of transformers 5.6: the prefix comes back
				x, _ = a.Tensor("text_model." + name)
			}
			y, _ := b.Tensor(name)
			if !slices.Equal(x.Shape, y.Shape) || x.Type != y.Type || x.Scale != y.Scale || !bytes.Equal(x.Bytes, y.Bytes) {
				t.Errorf("%s: %s of %s is another: %s %v, want %s %v", what, name, component, x.Type, x.Shape, y.Type, y.Shape)
			}
		}
	}
}

// TestRoundTrip: a folder, written as a single file, paints to the bit the same,
// and, written as a folder again, has every tensor's bytes.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"flux", "schnell", "sd3", "sd3-no-t5"} {
		dir := folder(t, name)
		if strings.HasPrefix(name, "sd3") {
			if _, err := single(t, dir, nil); err == nil || !strings.Contains(err.Error(), "its projection is none of the identity") {
				t.Errorf("%s with a projection of CLIP-L: error %v", name, err)
			}
			unprojected(t, dir)
		}
		whole, err := checkpoint.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		latents, pixels := painted(t, whole)
		path, err := single(t, dir, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		file := assembled(t, assembly.Files{Model: path}, lean(t, dir))
		samePicture(t, name+" as a single file", file, latents, pixels)
		back := saved(t, file)
		sameTensors(t, name, back.String(), dir)
		again, err := single(t, back.String(), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a, b := content(t, path), content(t, again); !bytes.Equal(a, b) {
			t.Errorf("%s: the single file of the folder of a single file is another", name)
		}
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRoundTripScaled: scales of 8-bit weights follow their layers, also joined
// ones, and the file says in ComfyUI's way that it has some.
func TestRoundTripScaled(t *testing.T) {
	dir := folder(t, "flux")
	all := dialecttest.Tensors(stored(t, dir, "transformer"), "")
	scale := func(different bool) {
		var out []checkpoint.Tensor
		for i, x := range all {
			if quantise.Converts(x.Name, x.Shape, tensor.BF16, tensor.F8E4M3) {
				x.Raw = checkpoint.Raw{Shape: x.Shape, Type: "F8_E4M3", Scale: 0.25, Bytes: bytes.Repeat([]byte{byte(i)&63 | 16}, x.Elements())}
				if different && strings.HasSuffix(x.Name, ".attn.to_k.weight") {
					x.Scale = 0.5
				}
			}
			out = append(out, x)
		}
		if err := checkpoint.Write(filepath.Join(dir, "transformer/diffusion_pytorch_model.safetensors"), out, nil); err != nil {
			t.Fatal(err)
		}
	}
	scale(false)
	path, err := single(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.diffusion_model.scaled_fp8", "model.diffusion_model.double_blocks.0.img_attn.qkv.scale_weight"} {
		if !bytes.Contains(content(t, path)[:100_000], []byte(`"`+name+`"`)) {
			t.Errorf("the file has no %s", name)
		}
	}
	sameTensors(t, "scaled", saved(t, assembled(t, assembly.Files{Model: path}, lean(t, dir))).String(), dir)

	scale(true)
	var told *checkpoint.Error
	if _, err := single(t, dir, nil); !errors.As(err, &told) || !strings.Contains(err.Error(), "have other formats or scales") {
		t.Errorf("q and k of other scales: error %v", err)
	}
	bf16 := tensor.BF16
	if _, err := single(t, dir, &bf16); err != nil {
		t.Errorf("q and k of other scales, in bf16: %v", err)
	}
}

// openCLIP is a text encoder in OpenCLIP's names, in which q, k and v are one
// matrix and the projection is multiplied from the right.
func openCLIP(s checkpoint.Source, prefix string) []checkpoint.Tensor {
	rename := strings.NewReplacer("text_model.embeddings.token_embedding", "token_embedding", "text_model.embeddings.position_embedding.weight", "positional_embedding",
		"text_model.final_layer_norm", "ln_final", "text_model.encoder.layers", "transformer.resblocks", "layer_norm", "ln_",
		"self_attn.out_proj", "attn.out_proj", "self_attn.q_proj.", "attn.in_proj_", "mlp.fc1", "mlp.c_fc", "mlp.fc2", "mlp.c_proj")
	var out []checkpoint.Tensor
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		to := name
		switch {
		case strings.Contains(name, ".k_proj.") || strings.Contains(name, ".v_proj."):
			continue
		case strings.Contains(name, ".q_proj."):
			raw.Shape = append([]int{3 * raw.Shape[0]}, raw.Shape[1:]...)
			for _, part := range []string{".k_proj.", ".v_proj."} {
				more, _ := s.Tensor(strings.Replace(name, ".q_proj.", part, 1))
				raw.Bytes = slices.Concat(raw.Bytes, more.Bytes)
			}
		case name == "text_projection.weight":
			to = "text_projection"
			n, bytes := raw.Shape[0], make([]byte, len(raw.Bytes))
			for i := range n * n {
				copy(bytes[2*(i%n*n+i/n):], raw.Bytes[2*i:2*i+2])
			}
			raw.Bytes = bytes
		}
		out = append(out, checkpoint.Tensor{Name: prefix + rename.Replace(to), Raw: raw})
	}
	return out
}

// TestEncoderOfSDXL: CLIP-G out of a whole checkpoint of Stable Diffusion XL
// paints as that of the folder.
func TestEncoderOfSDXL(t *testing.T) {
	dir := folder(t, "sd3")
	whole, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	latents, pixels := painted(t, whole)
	sdxl := write(t, openCLIP(stored(t, dir, "text_encoder_2"), "conditioner.embedders.1.model."), []checkpoint.Tensor{
		checkpoint.FromFloats("model.diffusion_model.input_blocks.0.0.weight", []int{4}, make([]float32, 4)),
		checkpoint.FromFloats("first_stage_model.decoder.conv_in.weight", []int{8, 4, 3, 3}, make([]float32, 288))})
	samePicture(t, "CLIP-G of SDXL", assembled(t, assembly.Files{CLIPG: sdxl}, dir), latents, pixels)
	if _, err := assembly.Read(assembly.Files{Model: sdxl}); err == nil || !strings.Contains(err.Error(), "is a U-Net") {
		t.Errorf("as a model: error %v", err)
	}
}
