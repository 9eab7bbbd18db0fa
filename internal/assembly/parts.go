package assembly

import (
	"bytes"
	"errors"
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// Parts is the model's components that files hold or the lender's folder lends,
// open until closed is called: what a single file is written of. Without a
// transformer it is the files' components alone. Errors are *checkpoint.Error.
func (m *Model) Parts(from Lender) (parts []dialect.Component, closed func() error, err error) {
	var open opened
	if m.family == nil && from == (Lender{}) {
		err = open.given(m)
	} else {
		err = open.whole(m, from)
	}
	if err != nil {
		return nil, nil, errors.Join(err, open.close())
	}
	return open.parts, open.close, nil
}

// opened is components and the files behind them.
type opened struct {
	parts []dialect.Component
	files []checkpoint.Weights
}

func (o *opened) close() error {
	var errs []error
	for _, f := range o.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// given opens the files of m.
func (o *opened) given(m *Model) error {
	for r := range roles {
		p, ok := m.parts[r]
		if !ok {
			continue
		}
		c, err := p.open()
		if err != nil {
			return err
		}
		o.files = append(o.files, c)
		o.parts = append(o.parts, dialect.Component{Source: c, Kind: r.kind(nil)})
	}
	return nil
}

// whole opens the files of m and what from lends to its family.
func (o *opened) whole(m *Model, from Lender) error {
	l, err := m.lending(Lender{Folder: from.Folder, Preset: from.Preset, Planned: true})
	if err != nil {
		return err
	}
	openers, _, _, err := l.components()
	if err != nil {
		return err
	}
	for r := range roles {
		open := openers[l.family.folders[r]]
		if open == nil {
			continue
		}
		f, err := open()
		if err != nil {
			return err
		}
		o.files = append(o.files, f)
		c, err := l.part(r, f)
		if err != nil {
			return err
		}
		o.parts = append(o.parts, c)
	}
	return nil
}

// part is the component of a role under canonical names.
func (l *lending) part(r role, w checkpoint.Weights) (dialect.Component, error) {
	if _, given := l.parts[r]; given {
		return dialect.Component{Source: w, Kind: r.kind(l.family)}, nil
	}
	found, err := dialect.Read(w) // encoders in folders may lack a prefix
	if err != nil {
		return dialect.Component{}, err
	}
	if len(found) != 1 || !r.plays(found[0].Kind) {
		return dialect.Component{}, &checkpoint.Error{Path: w.String(), Problem: fmt.Sprintf("holds %s, not %s", found[0].Kind, names[r])}
	}
	if p, ok := found[0].Tensor(projection); ok && r == clipL && l.family.projects() && !bytes.Equal(p.Bytes, identity(p).Bytes) {
		return dialect.Component{}, &checkpoint.Error{Path: w.String(), Problem: "its projection is none of the identity, which all programs take it for in single files", Hint: "write a folder"}
	}
	return dialect.Component{Source: found[0], Kind: r.kind(l.family)}, nil
}
