package vae

import (
	"strings"

	"taca/internal/checkpoint"
)

// spelled is a checkpoint under canonical names. Old files call the parts of
// an attention otherwise, and may hold them as 1×1 convolutions.
type spelled struct {
	checkpoint.Source
	held  map[string]string // name in the file, by canonical name
	names []string
}

// spellings are the parts of an attention: today's name, by the old one.
var spellings = map[string]string{"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}

// canonical presents s under canonical names; nil stays nil.
func canonical(s checkpoint.Source) checkpoint.Source {
	if s == nil {
		return nil
	}
	c := &spelled{Source: s, held: map[string]string{}}
	for _, name := range s.Names() {
		today := respell(name)
		if today != name && has(s, today) {
			today = name // both are there: the old one stays unused, and is reported
		}
		c.held[today] = name
		c.names = append(c.names, today)
	}
	return c
}

func has(s checkpoint.Source, name string) bool {
	_, ok := s.Tensor(name)
	return ok
}

// respell is the canonical name of what the file calls name.
func respell(name string) string {
	module, part, ok := strings.Cut(name, ".attentions.0.")
	if !ok {
		return name
	}
	old, value, _ := strings.Cut(part, ".")
	today, ok := spellings[old]
	if !ok {
		return name
	}
	return module + ".attentions.0." + today + "." + value
}

// Tensor implements checkpoint.Source. A 1×1 convolution of an attention is
// the matrix it stands for.
func (c *spelled) Tensor(name string) (checkpoint.Raw, bool) {
	held, ok := c.held[name]
	if !ok {
		return checkpoint.Raw{}, false
	}
	raw, ok := c.Source.Tensor(held)
	if s := raw.Shape; ok && strings.Contains(name, ".attentions.") && len(s) == 4 && s[2] == 1 && s[3] == 1 {
		raw.Shape = s[:2]
	}
	return raw, ok
}

// Names implements checkpoint.Source.
func (c *spelled) Names() []string { return c.names }

// ofEncoder reports whether a tensor belongs to the encoder half.
func ofEncoder(name string) bool {
	return strings.HasPrefix(name, "encoder.") || strings.HasPrefix(name, "quant_conv.")
}

// ofDecoder reports whether a tensor belongs to the decoder half.
func ofDecoder(name string) bool {
	return strings.HasPrefix(name, "decoder.") || strings.HasPrefix(name, "post_quant_conv.")
}
