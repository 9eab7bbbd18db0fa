package dialect

import (
	"fmt"
	"slices"
	"strings"

	"taca/internal/checkpoint"
)

// Component is one part of a model, as a file holds it: a Source under
// canonical names.
type Component struct {
	checkpoint.Source
	Kind    Kind
	Dialect string            // of the names in the file
	Prefix  string            // of the names in the file
	Stored  checkpoint.Source // the tensors as the file has them, names without the prefix
}

// Read finds the components in a file by the names and shapes of its tensors,
// none of whose bytes are read. Every tensor is a component's or one of those
// that nobody paints with; the error, a *checkpoint.Error, names what is not,
// and what else the file may be.
func Read(file checkpoint.Source) ([]Component, error) {
	found := recognise(file)
	if problem := lookalike(file); problem != nil {
		return nil, problem
	}
	var strangers, unfit []string
	var parts []Component
	shared := share(file, found)
	for i, f := range found {
		c := Component{shared[i], f.kind, f.dialect, f.prefix, shared[i]}
		if f.spell != nil {
			r, odd, bad := rename(shared[i], f.spell(shared[i]))
			c.Source, strangers, unfit = r, append(strangers, odd...), append(unfit, bad...)
		}
		c.Kind = which(c)
		if problem := variant(c); problem != nil {
			problem.Path = file.String()
			return nil, problem
		}
		twice := func(other Component) bool { return other.Kind == c.Kind }
		if i := slices.IndexFunc(parts, twice); i >= 0 {
			return nil, &checkpoint.Error{Path: file.String(), Problem: fmt.Sprintf("holds a %s twice, under %q and under %q", c.Kind, parts[i].Prefix, c.Prefix),
				Hint: "keep one of them"}
		}
		parts = append(parts, c)
	}
	strangers = append(strangers, shared[len(found)].names...)
	switch {
	case len(found) == 0:
		return nil, &checkpoint.Error{Path: file.String(), Problem: "holds no model that taca knows", Hint: "its tensors are " + few(file.Names())}
	case len(strangers) > 0:
		return nil, &checkpoint.Error{Path: file.String(), Problem: fmt.Sprintf("holds a %s, and %d tensors that belong to none", kinds(parts), len(strangers)),
			Hint: few(strangers)}
	case len(unfit) > 0:
		return nil, &checkpoint.Error{Path: file.String(), Problem: fmt.Sprintf("%d tensors are not what their names say", len(unfit)), Hint: few(unfit)}
	}
	return parts, nil
}

// Encoders is Read of the text encoders in a whole pipeline of another family,
// such as Stable Diffusion XL, the rest of which nobody paints with; of any other
// file it is Read.
func Encoders(file checkpoint.Source) ([]Component, error) {
	v := view{file: file}
	for _, name := range file.Names() {
		if strings.HasPrefix(name, "conditioner.embedders.") || strings.HasPrefix(name, "cond_stage_model.") {
			v.names = append(v.names, name)
		}
	}
	if len(v.names) == 0 {
		return Read(file)
	}
	return Read(v)
}

// match is a form that a file has, and under which prefix.
type match struct {
	form
	prefix string
}

// recognise finds the forms of a file by their signs; a kind has one form under
// a prefix.
func recognise(file checkpoint.Source) []match {
	var found []match
	for _, f := range forms {
		for _, p := range f.prefixes {
			same := func(m match) bool { return m.prefix == p && m.kind == f.kind }
			if f.signed(file, p) && !slices.ContainsFunc(found, same) {
				found = append(found, match{f, p})
			}
		}
	}
	return found
}

// share gives each tensor to the component with the longest prefix that its
// name has. What nobody paints with is left out; the last view is what belongs
// to none.
func share(file checkpoint.Source, found []match) []view {
	shared := make([]view, len(found)+1)
	for i, m := range found {
		shared[i] = view{file: file, prefix: m.prefix}
	}
	none := &shared[len(found)]
	none.file = file
	for _, name := range file.Names() {
		owner := none
		for i := range found {
			if v := &shared[i]; strings.HasPrefix(name, v.prefix) && (owner == none || len(v.prefix) > len(owner.prefix)) {
				owner = v
			}
		}
		if !unneeded(name, name[len(owner.prefix):]) {
			owner.names = append(owner.names, name[len(owner.prefix):])
		}
	}
	return shared
}

// unneeded reports whether nobody paints with a tensor, by its full name and
// that within its component.
func unneeded(full, name string) bool {
	for _, end := range []string{"logit_scale", "position_ids", "scaled_fp8", ".scale_input", ".input_scale", ".num_batches_tracked"} {
		if strings.HasSuffix(full, end) {
			return true
		}
	}
	for _, start := range []string{"vision_model.", "visual.", "visual_projection.", "attn_mask", "lm_head.", "decoder.block.", "decoder.final_layer_norm.", "decoder.embed_tokens.", "loss."} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return strings.HasPrefix(full, "model_ema.")
}

// kinds lists what was found.
func kinds(parts []Component) string {
	var names []string
	for _, c := range parts {
		names = append(names, string(c.Kind))
	}
	return strings.Join(names, ", ")
}

// few is the first names of a list.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
