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
	_, err = convert.File(context.Background(), path, parts, to)
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
		if got, shown := painted(t, file); !slices.Equal(got, latents) || !bytes.Equal(shown, pixels) {
			t.Errorf("%s as a single file: another picture", name)
		}
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
