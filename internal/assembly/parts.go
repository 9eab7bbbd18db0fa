package assembly

import (
	"bytes"
	"errors"
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// Parts is the model's components that files hold or the lender's folder lends,
// open until closed is called: what a single file is written of. Errors are
// *checkpoint.Error.
func (m *Model) Parts(from Lender) (parts []dialect.Component, closed func() error, err error) {
	l, err := m.lending(Lender{Folder: from.Folder, Preset: from.Preset, Planned: true})
	if err != nil {
		return nil, nil, err
	}
	openers, _, _, err := l.components()
	if err != nil {
		return nil, nil, err
	}
	var files []checkpoint.Weights
	closed = func() error {
		var errs []error
		for _, f := range files {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	for r := range roles {
		open := openers[l.family.folders[r]]
		if open == nil {
			continue
		}
		f, err := open()
		if err != nil {
			return nil, nil, errors.Join(err, closed())
		}
		files = append(files, f)
		c, err := l.part(r, f)
		if err != nil {
			return nil, nil, errors.Join(err, closed())
		}
		parts = append(parts, c)
	}
	return parts, closed, nil
}

// part is the component of a role under canonical names.
func (l *lending) part(r role, w checkpoint.Weights) (dialect.Component, error) {
	if _, given := l.parts[r]; given {
		return dialect.Component{Source: w, Kind: l.kind(r)}, nil
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
	return dialect.Component{Source: found[0], Kind: l.kind(r)}, nil
}

// kind is what a role's component is, whatever its size.
func (l *lending) kind(r role) dialect.Kind {
	return [roles]dialect.Kind{l.family.kind, dialect.VAE, dialect.CLIPL, dialect.CLIPG, dialect.T5}[r]
}
