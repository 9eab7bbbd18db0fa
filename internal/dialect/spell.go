package dialect

import (
	"fmt"
	"slices"
	"strings"

	"taca/internal/checkpoint"
)

// Joined is a tensor as another program has it: rows of canonical ones, one
// below the other.
type Joined struct {
	Name  string
	Shape []int
	Parts []Part
	File  string // that holds them
}

// Part is rows of a canonical tensor.
type Part struct {
	Name string // of the tensor
	checkpoint.Raw
}

// Layout is the names of components in one file, as their authors' programs and
// ComfyUI's read them: transformers in their authors' names, VAEs in ldm's,
// encoders in transformers', each under the prefix of whole pipelines, or none
// where a file holds nothing else.
func Layout(parts []Component) ([]Joined, error) {
	var all []Joined
	for _, c := range parts {
		spelt, err := c.spell(c.place(parts))
		if err != nil {
			return nil, err
		}
		all = append(all, spelt...)
	}
	return all, nil
}

// place is the prefix of a component's names in a file of several.
func (c Component) place(parts []Component) string {
	if len(parts) == 1 {
		return ""
	}
	switch c.Kind {
	case FLUXTransformer, SD3Transformer:
		return "model.diffusion_model."
	case VAE:
		for _, other := range parts {
			if other.Kind == SD3Transformer {
				return "first_stage_model."
			}
		}
		return "vae."
	case CLIPG:
		return clipGPrefix
	case T5:
		return t5Prefix
	}
	return clipLPrefix
}

// spelling is what a component's kind is called by others; without layers it is
// called as it is.
func (c Component) spelling() spelling {
	v := view{file: c, names: c.Names()}
	switch c.Kind {
	case FLUXTransformer:
		return spelling{layers: FLUX(v.count("transformer_blocks."), v.count("single_transformer_blocks."))}
	case SD3Transformer:
		return spelling{SD3(v.count("transformer_blocks.")), sd3Bare}
	case VAE:
		return spelling{layers: ldmVAE(v.count("decoder.up_blocks."), v.count("decoder.up_blocks.0.resnets."))}
	}
	return spelling{}
}

// spell is the component's tensors under other names, each where its first part
// is in the component. The scales of scaled weights follow their layers; the sign
// that a file has some is a tensor of its own.
func (c Component) spell(prefix string) ([]Joined, error) {
	modules := c.spelling().modules()
	var all []Joined
	scaled, done := "", map[string]bool{}
	for _, name := range c.Names() {
		raw, _ := c.Tensor(name)
		if raw.Scale != 0 {
			scaled = raw.Type
		}
		j := Joined{Name: name, Shape: raw.Shape, Parts: []Part{{name, raw}}, File: c.String()}
		if modules != nil {
			m, ending := modules.find(name)
			if m.Parts == nil {
				return nil, &checkpoint.Error{Path: c.String(), Problem: fmt.Sprintf("tensor %q has no name in its authors' files", name), Hint: "write a folder"}
			}
			var err error
			if j, err = c.join(m, ending); err != nil {
				return nil, err
			}
		}
		if !done[j.Name] {
			done[j.Name] = true
			j.Name = prefix + j.Name
			all = append(all, j)
		}
	}
	if scaled != "" { // of two numbers: inputs are not rounded
		marker := checkpoint.Raw{Shape: []int{2}, Type: scaled, Bytes: make([]byte, 2)}
		all = append(all, Joined{prefix + "scaled_fp8", marker.Shape, []Part{{"scaled_fp8", marker}}, c.String()})
	}
	return all, nil
}

// named is a module with its name.
type named struct {
	Module
	name string
	bare bool
}

// modulesOf finds the module that holds a canonical layer, or a whole tensor.
type modulesOf map[string]named

// modules turns a spelling round; nil where all names stay.
func (s spelling) modules() modulesOf {
	if s.layers == nil {
		return nil
	}
	out := modulesOf{}
	for name, m := range s.layers {
		for _, part := range m.Parts {
			out[part] = named{Module: m, name: name}
		}
	}
	for name, m := range s.bare {
		out[m.Parts[0]] = named{m, name, true}
	}
	return out
}

// find is the module of a canonical tensor, and the ending of its parts' names.
func (of modulesOf) find(name string) (m named, ending string) {
	if m, ok := of[name]; ok && m.bare {
		return m, ""
	}
	for _, ending := range []string{".weight", ".bias"} {
		if layer, is := strings.CutSuffix(name, ending); is {
			return of[layer], ending
		}
	}
	return named{}, ""
}

// join is the weight or the bias of a module.
func (c Component) join(m named, ending string) (Joined, error) {
	j := Joined{Name: m.name + ending, File: c.String()}
	if strings.HasSuffix(m.name, "_norm") && c.Kind == FLUXTransformer {
		j.Name = m.name + ".scale"
	}
	width := view{file: c}.columns(m.Parts[0] + ".weight")
	for i, part := range m.Parts {
		raw, ok := c.Tensor(part + ending)
		sound := i == len(m.Parts)-1 || len(raw.Shape) > 0 && raw.Shape[0] == width // as Cut has it
		if !ok || len(raw.Shape) == 0 || !sound || i > 0 && !slices.Equal(raw.Shape[1:], j.Shape[1:]) {
			return j, &checkpoint.Error{Path: c.String(), Problem: fmt.Sprintf("tensor %q, which is joined to others in a single file, is missing or of another shape", part+ending),
				Hint: "write a folder"}
		}
		if i == 0 {
			j.Shape = append([]int{0}, raw.Shape[1:]...)
		}
		j.Shape[0] += raw.Shape[0]
		j.Parts = append(j.Parts, Part{part + ending, raw})
	}
	if m.squeezed && len(j.Shape) == 2 {
		j.Shape = append(j.Shape, 1, 1)
	}
	if m.Swapped {
		p, n := j.Parts[0], j.Shape[0]
		if n%2 != 0 || n == 0 {
			return j, &checkpoint.Error{Path: c.String(), Problem: fmt.Sprintf("tensor %q has no two halves, shift and scale", p.Name)}
		}
		j.Parts = []Part{{p.Name, rows(p.Raw, n/2, n)}, {p.Name, rows(p.Raw, 0, n/2)}}
	}
	return j, nil
}
