package assembly

import (
	"fmt"
	"strings"

	"taca/internal/checkpoint"
)

// lending is a model together with what lends the rest of it.
type lending struct {
	*Model
	Lender
	family *family
}

// lending finds the family, which the lender must have as well.
func (m *Model) lending(from Lender) (*lending, error) {
	l := &lending{m, from, m.family}
	theirs, err := from.family()
	switch {
	case err != nil:
		return nil, err
	case l.family == nil && theirs == nil:
		return nil, &checkpoint.Error{Path: m.name(), Problem: "the model has no transformer", Hint: "give it with --model or --transformer"}
	case l.family == nil:
		l.family = theirs
	case theirs != nil && l.family != theirs:
		return nil, &checkpoint.Error{Path: m.parts[transformer].path, Problem: fmt.Sprintf("is a transformer of %s, but the rest is of %s", l.family.name, theirs.name),
			Hint: "give parts of one model"}
	}
	return l, nil
}

// family is that of the folder, or of the preset; nil where neither says.
func (from Lender) family() (*family, error) {
	if from.Folder == nil || !from.Folder.Has("model_index.json") {
		return familyOfPreset(from.Preset)
	}
	var index struct {
		Class string `json:"_class_name"`
	}
	if err := from.Folder.ReadJSON("model_index.json", &index); err != nil {
		return nil, err
	}
	if f := familyOf(index.Class); f != nil {
		return f, nil
	}
	return nil, &checkpoint.Error{Path: from.Folder.String(), Problem: fmt.Sprintf("pipeline class %q is not one taca paints with", index.Class)}
}

// lends reports whether the folder lends the weights of a role.
func (l *lending) lends(r role) bool {
	name := l.family.folders[r]
	return name != "" && l.Lender.Folder != nil && l.Lender.Folder.Sub(name).HasWeights(r.stem())
}

// components opens the weights of all roles, from their files or from the
// folder, and names those that the folder lends and those that nobody has.
func (l *lending) components() (parts checkpoint.Parts, lent, missing []string, err error) {
	parts = checkpoint.Parts{}
	for r := range roles {
		name := l.family.folders[r]
		p, given := l.parts[r]
		switch {
		case given && name == "":
			return nil, nil, nil, &checkpoint.Error{Path: p.path, Problem: fmt.Sprintf("%s does not read %s", l.family.name, names[r]), Hint: "leave it out"}
		case given:
			parts[name] = func() (checkpoint.Weights, error) { return l.open(p) }
		case l.lends(r):
			parts[name] = func() (checkpoint.Weights, error) { return l.Lender.Folder.Sub(name).Weights(r.stem()) }
			lent = append(lent, name)
		case name != "" && !l.optional(r):
			missing = append(missing, fmt.Sprintf("%s (%s FILE)", names[r], flags[r]))
		}
	}
	if len(missing) > 0 && !l.Planned {
		return nil, nil, nil, &checkpoint.Error{Path: l.name(), Problem: "the model is not whole: it lacks " + strings.Join(missing, ", "),
			Hint: "give them, or a diffusers folder that has them with --base DIR"}
	}
	return parts, lent, missing, nil
}

// optional reports whether the family paints without a role's component.
func (l *lending) optional(r role) bool { return r == t5 && l.family.projects() }

// open maps the file of a part. Stable Diffusion 3 takes what CLIP-L says as it
// is, although published files of CLIP-L hold a projection.
func (l *lending) open(p part) (checkpoint.Weights, error) {
	c, err := p.open()
	if err != nil {
		return nil, err
	}
	if p.role == clipL && l.family.projects() {
		return withIdentity(c), nil
	}
	return c, nil
}
