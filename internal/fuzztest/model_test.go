package fuzztest_test

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"testing"
	"testing/fstest"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/fuzztest"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// models are tiny ones of the pipeline's goldens, with tiny tokenizers.
func models(t testing.TB) []fstest.MapFS {
	t.Helper()
	var all []fstest.MapFS
	for _, name := range []string{"flux", "sd3"} {
		folder := fstest.MapFS{}
		from := map[string]fs.FS{".": os.DirFS(path.Join("../pipeline/testdata", name, "model"))}
		for _, tokenizer := range []string{"tokenizer", "tokenizer_2", "tokenizer_3"} {
			like := "clip-json"
			if tokenizer == "tokenizer_3" || tokenizer == "tokenizer_2" && name == "flux" {
				like = "t5-tiny"
			}
			from[tokenizer] = os.DirFS(path.Join("../tokenizer/testdata/folders", like))
		}
		for below, files := range from {
			err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				data, err := fs.ReadFile(files, name)
				folder[path.Join(below, name)] = &fstest.MapFile{Data: data}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, folder)
	}
	return all
}

// FuzzModel: whatever a configuration of a model folder says, an error before 64
// MiB are taken, or a model whose shapes are those of its weights, which would
// paint: all of it, run on the backend that only checks shapes.
func FuzzModel(f *testing.F) {
	folders := models(f)
	var configs [][]string // of each folder
	for i, folder := range folders {
		if err := paint(f, checkpoint.NewFolder(folder, "folder")); err != nil {
			f.Fatal(err)
		}
		var names []string
		for _, name := range slices.Sorted(maps.Keys(folder)) {
			if base := path.Base(name); base == "config.json" || base == "model_index.json" || base == "scheduler_config.json" {
				f.Add(uint8(i), uint8(len(names)), folder[name].Data)
				names = append(names, name)
			}
		}
		configs = append(configs, names)
	}
	f.Add(uint8(0), uint8(4), []byte(`{"_class_name":"FluxTransformer2DModel","num_layers":19,"num_single_layers":16000}`))
	f.Add(uint8(1), uint8(5), []byte(`{"_class_name":"SD3Transformer2DModel","num_layers":32768,"pos_embed_max_size":32768}`))
	f.Add(uint8(0), uint8(5), []byte(`{"block_out_channels":[32768,32768,32768,32768],"layers_per_block":32768,"norm_num_groups":1,"latent_channels":4,"up_block_types":["UpDecoderBlock2D","UpDecoderBlock2D","UpDecoderBlock2D","UpDecoderBlock2D"]}`))
	f.Add(uint8(0), uint8(5), []byte(`{"block_out_channels":[32768,32768],"layers_per_block":256,"norm_num_groups":1,"latent_channels":4,"up_block_types":["UpDecoderBlock2D","UpDecoderBlock2D"]}`))
	f.Fuzz(func(t *testing.T, which, file uint8, data []byte) {
		folder := maps.Clone(folders[int(which)%len(folders)])
		names := configs[int(which)%len(folders)]
		folder[names[int(file)%len(names)]] = &fstest.MapFile{Data: data}
		fuzztest.Bounded(t, 64<<20, 1<<10, len(data), func() { _ = paint(t, checkpoint.NewFolder(folder, "folder")) })
	})
}

// paint opens a model and plans a small picture of it, and is an error where it is
// refused.
func paint(t testing.TB, folder *checkpoint.Folder) error {
	t.Helper()
	m, err := pipeline.Read(folder)
	if err != nil {
		return err
	}
	geometry, err := m.Geometry()
	if err != nil {
		return err
	}
	p, err := pipeline.Open(context.Background(), m, dry.New(), pipeline.Config{DType: tensor.F32}, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	side := 2 * geometry.Unit()
	r := pipeline.Request{Prompt: "a fox", Width: side, Height: side, Steps: 2, Guidance: m.Defaults().Guidance, MaxLength: 8, TACA: pipeline.TACA{Gamma: 1.2, Steps: 1}}
	if err := m.Check(r); err != nil {
		return err
	}
	_, err = m.Plan(context.Background(), r, tensor.F32)
	return err
}
