package clip

import (
	"strings"

	"taca/internal/checkpoint"
)

// prefix is what the canonical names of a text model begin with.
const prefix = "text_model."

// prefixed is a checkpoint under canonical names. Files that transformers 5.6
// and later write anew have no prefix.
type prefixed struct {
	checkpoint.Source
	held  map[string]string // name in the file, by canonical name
	names []string
}

// canonical presents s under canonical names; nil stays nil.
func canonical(s checkpoint.Source) checkpoint.Source {
	if s == nil {
		return nil
	}
	p := &prefixed{Source: s, held: map[string]string{}}
	for _, name := range s.Names() {
		full := name
		if bare(name) {
			full = prefix + name
			if _, both := s.Tensor(full); both {
				full = name // the bare one stays unused, and is reported
			}
		}
		p.held[full] = name
		p.names = append(p.names, full)
	}
	return p
}

func bare(name string) bool {
	for _, part := range []string{"embeddings.", "encoder.", "final_layer_norm."} {
		if strings.HasPrefix(name, part) {
			return true
		}
	}
	return false
}

// Tensor implements checkpoint.Source.
func (p *prefixed) Tensor(name string) (checkpoint.Raw, bool) {
	held, ok := p.held[name]
	if !ok {
		return checkpoint.Raw{}, false
	}
	return p.Source.Tensor(held)
}

// Names implements checkpoint.Source.
func (p *prefixed) Names() []string { return p.names }

// foreign reports whether a tensor belongs to a whole CLIP model, or to old
// files, and not to the text encoder.
func foreign(name string) bool {
	switch name {
	case prefix + "embeddings.position_ids", "logit_scale", "visual_projection.weight":
		return true
	}
	return strings.HasPrefix(name, "vision_model.")
}
