package pipeline_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"taca/internal/checkpoint"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// configs are the configuration files of a test model.
func configs(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	root := filepath.Join("testdata", name, "model")
	paths, err := filepath.Glob(filepath.Join(root, "*", "*.json"))
	for _, p := range append(paths, filepath.Join(root, "model_index.json")) {
		data, readErr := os.ReadFile(p)
		if err = errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(p, root+"/")] = &fstest.MapFile{Data: data}
	}
	return files
}

// planOf plans a picture of size × size pixels, without weights.
func planOf(m *pipeline.Model, size int) error {
	r := pipeline.Request{Width: size, Height: size, Steps: 1, Guidance: m.Defaults().Guidance, MaxLength: 16, TACA: pipeline.TACA{Gamma: 1}}
	_, err := m.Plan(context.Background(), r, tensor.F32)
	return err
}

// TestPartsOfDifferentModels are told apart before any verb is given shapes
// that do not fit.
func TestPartsOfDifferentModels(t *testing.T) {
	for _, c := range []struct{ model, part, key, want string }{
		{"flux", "text_encoder_2", "d_model", "joint_attention_dim"},
		{"flux", "text_encoder", "hidden_size", "pooled_projection_dim"},
		{"sd3", "text_encoder_3", "d_model", "joint_attention_dim"},
		{"sd3", "text_encoder_2", "projection_dim", "pooled_projection_dim"},
		{"sd3", "transformer", "joint_attention_dim", "joint_attention_dim"},
	} {
		sound := configs(t, c.model)
		if err := planOf(read(t, sound), 32); err != nil {
			t.Fatalf("%s: %v", c.model, err)
		}
		name := c.part + "/config.json"
		files := maps.Clone(sound)
		files[name] = &fstest.MapFile{Data: []byte(strings.Replace(string(sound[name].Data), `"`+c.key+`": `, `"`+c.key+`": 8, "was": `, 1))}
		var unfit *checkpoint.Error
		if err := planOf(read(t, files), 32); !errors.As(err, &unfit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s of %s 8: error %v, want a *checkpoint.Error that names %s", c.model, c.key, c.part, err, c.want)
		}
	}
}
