package pipeline

import (
	"errors"
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/quantise"
	"taca/internal/tensor"
)

// weights keeps the components' files mapped from the first use to close.
type weights struct {
	folder  *checkpoint.Folder
	convert *tensor.DType // what the transformer's become, or nil
	open    map[string]checkpoint.Weights
}

func (m *Model) newWeights() *weights {
	return &weights{folder: m.folder, convert: m.convert, open: map[string]checkpoint.Weights{}}
}

// component maps one component's safetensors; a second call gives the same
// mapping.
func (w *weights) component(name string) (checkpoint.Source, error) { return w.converted(name, false) }

// shapes is component for a dry run: what is converted on the way has no bytes.
func (w *weights) shapes(name string) (checkpoint.Source, error) { return w.converted(name, true) }

func (w *weights) converted(name string, shapesAlone bool) (checkpoint.Source, error) {
	s, err := w.stored(name)
	if err != nil || w.convert == nil || name != "transformer" {
		return s, err
	}
	return quantise.New(s, *w.convert, shapesAlone)
}

// stored is a component as its files hold it.
func (w *weights) stored(name string) (checkpoint.Source, error) {
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

// orShapes is shapes, or nil where the folder does not hold its weights.
func (w *weights) orShapes(name string) (checkpoint.Source, error) {
	if !w.folder.Sub(name).HasWeights(stem(name)) {
		return nil, nil
	}
	return w.shapes(name)
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
