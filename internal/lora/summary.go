package lora

import (
	"maps"
	"slices"
	"strings"
)

// Summary is what a file says of itself, whatever model it is for.
type Summary struct {
	Trainer string    `json:"trainer"` // whose spelling it has
	By      string    `json:"written_by,omitempty"`
	Modules int       `json:"modules"` // pairs of matrices
	Ranks   []int     `json:"ranks"`   // all that occur
	Alphas  []float64 `json:"alphas"`  // all that occur; none: nobody says
	From    string    `json:"alphas_from,omitempty"`
	Scales  []float32 `json:"scales"` // alpha over the rank, all that occur
	Refused []string  `json:"refused,omitempty"`
}

// Summary looks at all modules. Refused is why some cannot be used, whatever
// the model.
func (f *File) Summary() Summary {
	s := Summary{Trainer: f.trainer, By: f.writer, From: f.scales.from}
	ranks, alphas, scales, refused := map[int]bool{}, map[float64]bool{}, map[float32]bool{}, map[string]bool{}
	for _, m := range f.modules {
		why := m.why
		if why == "" && m.down == nil && m.up == nil && m.nothing() {
			continue
		}
		if why == "" {
			why = m.misfit()
		}
		if why != "" {
			refused[why] = true
			continue
		}
		s.Modules++
		ranks[m.rank()] = true
		part, _, _ := strings.Cut(bare(m.name), ".")
		if a, said := f.scales.alpha(part, m); said {
			alphas[a] = true
		}
		if scale, ok := f.scales.of(part, m); ok {
			scales[scale] = true
		}
		if m.alpha != nil {
			s.From = "tensors"
		}
	}
	s.Ranks, s.Alphas, s.Scales = slices.Sorted(maps.Keys(ranks)), slices.Sorted(maps.Keys(alphas)), slices.Sorted(maps.Keys(scales))
	s.Refused = slices.Sorted(maps.Keys(refused))
	return s
}
