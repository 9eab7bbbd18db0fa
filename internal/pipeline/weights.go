package pipeline

import (
	"errors"
	"strings"

	"taca/internal/checkpoint"
)

// weights keeps the components' files mapped from the first use to close.
type weights struct {
	folder *checkpoint.Folder
	open   map[string]*checkpoint.Set
}

func newWeights(f *checkpoint.Folder) *weights {
	return &weights{folder: f, open: map[string]*checkpoint.Set{}}
}

// component maps one component's safetensors; a second call gives the same
// mapping.
func (w *weights) component(name string) (checkpoint.Source, error) {
	if s, ok := w.open[name]; ok {
		return s, nil
	}
	s, err := w.folder.Sub(name).Weights(stem(name))
	if err != nil {
		return nil, err
	}
	w.open[name] = s
	return s, nil
}

// orShapes is component, or nil where the folder does not hold its weights.
func (w *weights) orShapes(name string) (checkpoint.Source, error) {
	if !w.folder.Sub(name).HasWeights(stem(name)) {
		return nil, nil
	}
	return w.component(name)
}

func (w *weights) close() error {
	var errs []error
	for _, s := range w.open {
		errs = append(errs, s.Close())
	}
	clear(w.open)
	return errors.Join(errs...)
}

// stem is the name of a component's safetensors files, before any shard's
// number.
func stem(component string) string {
	if strings.HasPrefix(component, "text_encoder") {
		return "model"
	}
	return "diffusion_pytorch_model"
}
