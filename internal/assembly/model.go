package assembly

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"taca/configs"
	"taca/internal/checkpoint"
)

// Model is a model of single files, which have been found to hold what they
// should, and closed again.
type Model struct {
	files   Files
	family  *family // nil where no file holds a transformer
	parts   map[role]part
	derived map[role]derived
}

// Read looks into all files. All that is wrong with them is told together, as
// *checkpoint.Error.
func Read(f Files) (*Model, error) {
	parts, err := f.parts()
	if err != nil {
		return nil, err
	}
	m := &Model{files: f, parts: parts, derived: map[role]derived{}}
	var errs []error
	for r := range roles {
		if p, ok := parts[r]; ok {
			errs = append(errs, m.look(p))
		}
	}
	return m, errors.Join(errs...)
}

// look reads the shapes of one part.
func (m *Model) look(p part) error {
	c, err := p.open()
	if err != nil {
		return err
	}
	if p.role == transformer {
		m.family = familyWith(c.Kind)
	}
	m.derived[p.role] = derive(c.Component)
	return c.Close()
}

// name is what messages call the model.
func (m *Model) name() string {
	f := m.files
	return cmp.Or(f.Model, f.Transformer, f.VAE, f.CLIPL, f.CLIPG, f.T5)
}

// Paints reports whether a file holds a transformer.
func (m *Model) Paints() bool { return m.family != nil }

// Relatives are the presets of the model's family, first the one whose
// transformer has the most of its sizes; none where no file holds a
// transformer.
func (m *Model) Relatives() ([]*configs.Preset, error) {
	var all []*configs.Preset
	agreement := map[string]int{}
	for _, name := range configs.Names() {
		p, _, err := configs.Find(name)
		if err != nil {
			return nil, err
		}
		theirs, err := familyOfPreset(p)
		if err != nil {
			return nil, err
		}
		if theirs == nil || theirs != m.family {
			continue
		}
		config, err := presetSettings(p, "transformer/config.json")
		if err != nil {
			return nil, err
		}
		for key, value := range m.derived[transformer].told {
			if same(config[key], value) {
				agreement[name]++
			}
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b *configs.Preset) int { return cmp.Compare(agreement[b.Name], agreement[a.Name]) })
	return all, nil
}

// Lender is what a model takes that its files do not hold.
type Lender struct {
	Folder *checkpoint.Folder // components, tokenizers, settings; nil for none
	Preset *configs.Preset    // settings that neither shapes nor the folder tell; nil for none
	// Planned says that nothing will be painted: weights and tokenizers need not
	// be there.
	Planned bool
}

// String names the lender.
func (from Lender) String() string {
	switch {
	case from.Folder != nil:
		return from.Folder.String()
	case from.Preset != nil:
		return from.Preset.About
	}
	return "nobody"
}

// Folder is the model as a folder. The remarks say which components are lent and
// which are only planned. Errors are *checkpoint.Error.
func (m *Model) Folder(from Lender) (folder *checkpoint.Folder, remarks []string, err error) {
	l, err := m.lending(from)
	if err != nil {
		return nil, nil, err
	}
	parts, lent, missing, err := l.components()
	if err != nil {
		return nil, nil, err
	}
	// A plan with parts that nobody has is of the whole published model.
	absent := func(r role) bool { return l.optional(r) && parts[l.family.folders[r]] == nil && missing == nil }
	archive, err := l.files(absent)
	if err != nil {
		return nil, nil, err
	}
	files, err := archive.open()
	if err != nil {
		return nil, nil, err
	}
	name := cmp.Or(m.files.Model, m.files.Transformer)
	if name == "" { // then the transformer is lent
		name = from.String()
	}
	if len(lent) > 0 {
		remarks = append(remarks, fmt.Sprintf("%s: %s from %s", name, strings.Join(lent, ", "), from))
	}
	if len(missing) > 0 {
		remarks = append(remarks, fmt.Sprintf("%s: planned as published and in bf16, for want of a file: %s", name, strings.Join(missing, ", ")))
	}
	return checkpoint.Assemble(files, name, parts), remarks, nil
}
