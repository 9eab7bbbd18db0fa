package dialect

import (
	"fmt"
	"strings"
	"sync"

	"taca/internal/checkpoint"
)

// renamed is a view under canonical names. It is a Source.
type renamed struct {
	view
	names   []string
	origins map[string]func() checkpoint.Raw
}

// rename presents v as canonical. What the spelling does not know, and what
// does not hold what it says, comes back beside it.
func rename(v view, s spelling) (r *renamed, strangers, unfit []string) {
	r = &renamed{view: v, origins: map[string]func() checkpoint.Raw{}}
	for _, name := range v.names {
		m, ending, width, known := s.find(v, name)
		if !known {
			strangers = append(strangers, v.prefix+name)
			continue
		}
		raw, _ := v.Tensor(name)
		if err := m.fits(raw, width); err != nil {
			unfit = append(unfit, fmt.Sprintf("%s%s: %v", v.prefix, name, err))
			continue
		}
		parts := sync.OnceValue(func() []checkpoint.Raw { // only what is copied costs anything
			cut, _ := m.Cut(raw, width) // it has been tried above
			if m.Swapped || m.transposed {
				raw.Leave() // it is a copy
			}
			return cut
		})
		for i, part := range m.Parts {
			if _, twice := r.origins[part+ending]; twice {
				strangers = append(strangers, v.prefix+name)
				break
			}
			r.names = append(r.names, part+ending)
			r.origins[part+ending] = func() checkpoint.Raw { return parts()[i] }
		}
	}
	return r, strangers, unfit
}

// find is the module that a tensor is of, the ending of its parts' names, and
// the number of columns of the module's weight.
func (s spelling) find(v view, name string) (m Module, ending string, width int, ok bool) {
	if m, ok := s.bare[name]; ok {
		return m, "", 0, true
	}
	for _, end := range endings {
		layer, is := strings.CutSuffix(name, end.theirs)
		if m, known := s.layers[layer]; is && known {
			return m, end.canonical, v.columns(layer + strings.Replace(end.theirs, "bias", "weight", 1)), true
		}
	}
	return Module{}, "", 0, false
}

// endings are what follows the name of a layer: norms of FLUX.1's heads have
// scales, OpenCLIP's attention joins with an underscore.
var endings = []struct{ theirs, canonical string }{
	{".weight", ".weight"}, {".bias", ".bias"}, {".scale", ".weight"}, {"_weight", ".weight"}, {"_bias", ".bias"},
}

// Tensor implements checkpoint.Source.
func (r *renamed) Tensor(name string) (checkpoint.Raw, bool) {
	origin, ok := r.origins[name]
	if !ok {
		return checkpoint.Raw{}, false
	}
	return origin(), true
}

// Names implements checkpoint.Source.
func (r *renamed) Names() []string { return r.names }
