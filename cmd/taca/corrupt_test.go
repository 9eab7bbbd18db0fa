package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
	"taca/internal/dialect/dialecttest"
	"taca/internal/gguf/gguftest"
	"taca/internal/tensor"
)

// victim is a small sound checkpoint, and the command that reads it.
type victim struct {
	files   map[string][]byte // by path below its folder
	args    []string          // that name the folder's files
	targets []string          // what is damaged of it
}

// mostTaken is what may be allocated before a file is refused, in bytes: by the
// count of all that Go's heap gave, also what it had back.
const mostTaken = 64 << 20

// TestCorrupted: 500 checkpoints, damaged by a seeded dice, are each refused with
// exit code 3 and one line, before much memory is taken. What they were damaged
// from is sound, and paints.
func TestCorrupted(t *testing.T) {
	dir := t.TempDir()
	victims := victimsOf(t)
	names := slices.Sorted(maps.Keys(victims))
	for _, name := range names {
		write(t, filepath.Join(dir, name), victims[name].files)
		if code, said, _ := paint(t, filepath.Join(dir, name), victims[name]); code != exitOK {
			t.Fatalf("%s is sound, and ends with %d: %s", name, code, said)
		}
	}
	most, kinds := uint64(0), map[string]int{}
	for i := range 500 {
		dice := rand.New(rand.NewPCG(7, uint64(i)))
		name := names[i%len(names)]
		v := victims[name]
		file, damage, damaged := corrupt(dice, v.files, v.targets)
		at := filepath.Join(dir, name)
		restore(t, at, file, damaged)
		code, said, taken := paint(t, at, v)
		if code != exitModel || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "taca: ") || legible(said, "\n") != said || taken > mostTaken {
			t.Errorf("%d: %s/%s, %s: exit code %d, %d bytes allocated, and it said %q", i, name, file, damage, code, taken, said)
		}
		if i < 40 || testing.Verbose() {
			t.Logf("%s/%s, %s: %s", name, file, damage, strings.TrimSpace(said))
		}
		most = max(most, taken)
		kinds[damage]++
		restore(t, at, file, v.files[file])
	}
	t.Logf("at most %.1f MiB allocated; %v", float64(most)/(1<<20), kinds)
}

// paint runs taca on a victim: its exit code, what it said, and what it
// allocated.
func paint(t *testing.T, dir string, v victim) (code int, said string, taken uint64) {
	t.Helper()
	args := []string{"generate", "-p", "x", "--steps", "1", "-W", "32", "-H", "32", "--gamma", "1.2", "--device", "cpu", "--threads", "1", "--max-sequence-length", "8", "-o", filepath.Join(t.TempDir(), "x.png")}
	for _, a := range v.args {
		args = append(args, strings.ReplaceAll(a, "DIR", dir))
	}
	var out, err bytes.Buffer
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v", p)
		}
	}()
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &err, openBackend: openBackend}
	root := newRootCommand(a)
	root.SetArgs(args)
	ctx := context.Background()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	failed := root.ExecuteContext(ctx)
	runtime.ReadMemStats(&after)
	if failed != nil {
		code = exitCode(ctx, failed)
		fmt.Fprintln(&err, "taca:", message(ctx, failed))
	}
	return code, err.String(), after.TotalAlloc - before.TotalAlloc
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		restore(t, dir, name, data)
	}
}

// restore writes a file anew; nil removes it.
func restore(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	at := filepath.Join(dir, filepath.FromSlash(name))
	_ = os.Remove(at) // it may not be there
	if data == nil {
		return
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

const (
	tinyModels     = "../../internal/pipeline/testdata"
	tinyTokenizers = "../../internal/tokenizer/testdata/folders"
	transformer    = "transformer/diffusion_pytorch_model"
)

// victimsOf are checkpoints of every kind that is read.
func victimsOf(t *testing.T) map[string]victim {
	t.Helper()
	flux, sd3 := tinyFolder(t, "flux", "t5-tiny", ""), tinyFolder(t, "sd3", "clip-json", "t5-tiny")
	folder := []string{"-m", "DIR"}
	// A folder without this file is a model without T5.
	needed := slices.DeleteFunc(slices.Sorted(maps.Keys(sd3)), func(name string) bool { return name == "text_encoder_3/config.json" })
	all := map[string]victim{"flux": {flux, folder, slices.Sorted(maps.Keys(flux))}, "sd3": {sd3, folder, needed}}
	shards := sharded(t, flux)
	all["sharded"] = victim{shards, folder, below("transformer/", shards)}
	blocks := inGGUF(t, flux)
	all["gguf"] = victim{blocks, folder, []string{transformer + ".gguf"}}
	whole := maps.Clone(flux) // the folder lends tokenizers and settings
	whole["model.safetensors"] = inOneFile(t, flux)
	all["flux-file"] = victim{whole, []string{"-m", "DIR/model.safetensors", "--base", "DIR"}, []string{"model.safetensors"}}
	adapted := maps.Clone(flux)
	adapted["lora.safetensors"] = readTiny(t, filepath.Join(tinyModels, "flux/lora.safetensors"))
	all["lora"] = victim{adapted, append([]string{"--lora", "DIR/lora.safetensors"}, folder...), []string{"lora.safetensors"}}
	return all
}

// below is the files of a folder.
func below(folder string, files map[string][]byte) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return !strings.HasPrefix(name, folder) })
}

// readTiny reads a file; one of safetensors as this program writes it, so that
// there is one order of words in headers.
func readTiny(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) != ".safetensors" {
		return data
	}
	f := opened(t, data)
	return written(t, dialecttest.Tensors(f, ""), f.Metadata())
}

func written(t *testing.T, tensors []checkpoint.Tensor, metadata map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.WriteTo(&b, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tinyFolder is a tiny model as a diffusers folder, the second and the third of
// its tokenizers as named.
func tinyFolder(t *testing.T, name, second, third string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for below, from := range map[string]string{".": filepath.Join(tinyModels, name, "model"), "tokenizer": filepath.Join(tinyTokenizers, "clip-json"),
		"tokenizer_2": filepath.Join(tinyTokenizers, second), "tokenizer_3": filepath.Join(tinyTokenizers, third)} {
		if below == "tokenizer_3" && third == "" {
			continue
		}
		err := fs.WalkDir(os.DirFS(from), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files[path.Join(below, name)] = readTiny(t, filepath.Join(from, name))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// sharded is a folder whose transformer is in two files and an index.
func sharded(t *testing.T, folder map[string][]byte) map[string][]byte {
	t.Helper()
	f := opened(t, folder[transformer+".safetensors"])
	var shards [2][]checkpoint.Tensor
	index := map[string]string{}
	names := []string{"1-of-2.safetensors", "2-of-2.safetensors"}
	for i, name := range f.Names() {
		raw, _ := f.Tensor(name)
		shards[i%2] = append(shards[i%2], checkpoint.Tensor{Name: name, Raw: raw})
		index[name] = names[i%2]
	}
	out := maps.Clone(folder)
	delete(out, transformer+".safetensors")
	for i, s := range shards {
		out["transformer/"+names[i]] = written(t, s, nil)
	}
	out[transformer+".safetensors.index.json"] = asJSONText(t, map[string]any{"weight_map": index})
	return out
}

// inOneFile is a folder's weights in their authors' names.
func inOneFile(t *testing.T, folder map[string][]byte) []byte {
	t.Helper()
	component := func(name string) *checkpoint.File { return opened(t, folder[name+".safetensors"]) }
	denoiser, vae := component(transformer), component("vae/diffusion_pytorch_model")
	return written(t, slices.Concat(
		dialecttest.Original(denoiser, dialect.FLUX(blocks(denoiser, "transformer_blocks."), blocks(denoiser, "single_transformer_blocks.")), "model.diffusion_model."),
		dialecttest.LDM(vae, blocks(vae, "decoder.up_blocks."), "vae."),
		dialecttest.Tensors(component("text_encoder/model"), "text_encoders.clip_l.transformer."),
		dialecttest.Tensors(component("text_encoder_2/model"), "text_encoders.t5xxl.transformer.")), nil)
}

// inGGUF is a folder whose transformer is a GGUF file.
func inGGUF(t *testing.T, folder map[string][]byte) map[string][]byte {
	t.Helper()
	tensors, err := gguftest.Convert(opened(t, folder[transformer+".safetensors"]), tensor.Q8_0)
	if err != nil {
		t.Fatal(err)
	}
	out := maps.Clone(folder)
	delete(out, transformer+".safetensors")
	out[transformer+".gguf"] = gguftest.File(tensors, nil)
	return out
}

func opened(t *testing.T, data []byte) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.OpenBytes("x", data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
