package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"taca/configs"
	"taca/internal/lora"
	"taca/internal/pipeline"
)

// adapterContents is what taca inspect finds in a LoRA.
type adapterContents struct {
	lora.Summary
	Fits    []adapterFit `json:"fits,omitempty"` // models that have a place for all of it
	Misfits []adapterFit `json:"misfits,omitempty"`
}

// adapterFit is what a LoRA finds in models that are alike.
type adapterFit struct {
	Models []string       `json:"models"`
	Layers map[string]int `json:"layers,omitempty"` // that are adapted, by part
	Why    string         `json:"why,omitempty"`    // it does not fit
}

// inspectLoRA holds a LoRA against a model, or against all presets.
func inspectLoRA(path, model string) (*adapterContents, error) {
	file, mapped, err := lora.Open(path)
	if err != nil {
		return nil, err
	}
	defer mapped.Close()
	found := &adapterContents{Summary: file.Summary()}
	models := configs.Names()
	if model != "" {
		models = []string{model}
	}
	for _, name := range models {
		m, err := readModel(planFolder(name))
		if err != nil {
			return nil, err
		}
		fit, err := fitOf(m, file)
		if err != nil {
			return nil, err
		}
		fit.Models = []string{name}
		if fit.Why == "" {
			found.Fits = merge(found.Fits, fit)
		} else {
			found.Misfits = merge(found.Misfits, fit)
		}
	}
	return found, nil
}

// fitOf is what of a file has a place in a model.
func fitOf(m *pipeline.Model, file *lora.File) (fit adapterFit, err error) {
	fitted, err := m.Fit(file, lora.Options{Scale: 1})
	var refused *lora.Error
	if errors.As(err, &refused) {
		fit.Why = refused.Problem
		fitted, err = m.Fit(file, lora.Options{Scale: 1, Lenient: true})
	}
	switch {
	case err == nil:
		fit.Layers = fitted.Layers()
	case errors.As(err, &refused): // nothing is left
		err = nil
	}
	return fit, err
}

// merge adds a model to those that are like it.
func merge(all []adapterFit, one adapterFit) []adapterFit {
	i := slices.IndexFunc(all, func(f adapterFit) bool { return f.told() == one.told() })
	if i < 0 {
		return append(all, one)
	}
	all[i].Models = append(all[i].Models, one.Models...)
	return all
}

// told is all of it but the models.
func (f adapterFit) told() string { return fmt.Sprint(f.Layers, f.Why) }

func (c *adapterContents) print(to io.Writer) {
	fmt.Fprintf(to, "adapter of %d modules, rank %s, alpha %s, scale %s\n", c.Modules, some(c.Ranks), c.alpha(), some(c.Scales))
	if c.By != "" {
		fmt.Fprintf(to, "written by %s\n", c.By)
	}
	for _, why := range c.Refused {
		fmt.Fprintf(to, "not usable: %s\n", why)
	}
	for _, f := range c.Fits {
		fmt.Fprintf(to, "fits %s: all of it, %s\n", strings.Join(f.Models, ", "), layersText(f.Layers))
	}
	for _, f := range c.Misfits {
		part := ""
		if len(f.Layers) > 0 {
			part = ", but " + layersText(f.Layers)
		}
		fmt.Fprintf(to, "does not fit %s%s: %s\n", strings.Join(f.Models, ", "), part, f.Why)
	}
}

// alpha tells the numbers and who says them.
func (c *adapterContents) alpha() string {
	if len(c.Alphas) == 0 {
		return "as the rank, since nothing is said of it"
	}
	return fmt.Sprintf("%s (%s)", some(c.Alphas), c.From)
}

// some is values as people list them, the first few of many.
func some[T any](values []T) string {
	const most = 6
	var all []string
	for _, v := range values[:min(most, len(values))] {
		all = append(all, fmt.Sprint(v))
	}
	if len(values) > most {
		all = append(all, fmt.Sprintf("... to %v", values[len(values)-1]))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// layersText tells how many layers of which parts are adapted.
func layersText(layers map[string]int) string {
	var all []string
	for _, part := range []string{"transformer", "text_encoder", "text_encoder_2", "text_encoder_3"} {
		if n := layers[part]; n > 0 {
			all = append(all, fmt.Sprintf("%s %d", part, n))
		}
	}
	if len(all) == 0 {
		return "no layer, since it changes nothing"
	}
	return "layers of " + strings.Join(all, ", of ")
}
