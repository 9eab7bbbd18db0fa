package assembly

import (
	"errors"
	"fmt"
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// Files are the files of a model; an empty path is none. A part's own file
// counts where Model holds the part, too.
type Files struct {
	Model       string // one part or several
	Transformer string
	VAE         string
	CLIPL       string
	CLIPG       string
	T5          string
}

// role is what a component is in a model, whatever the family.
type role uint8

const (
	transformer role = iota
	autoencoder
	clipL
	clipG
	t5
	roles
)

// names are how people call the components.
var names = [roles]string{"a transformer", "a VAE", "CLIP-L", "CLIP-G", "T5"}

// flags are the options that give a component's file.
var flags = [roles]string{"--transformer", "--vae", "--clip-l", "--clip-g", "--t5"}

// plays reports whether a component of that kind can have the role. A CLIP of
// an unpublished size is what it is given as.
func (r role) plays(k dialect.Kind) bool {
	switch r {
	case transformer:
		return k == dialect.FLUXTransformer || k == dialect.SD3Transformer
	case autoencoder:
		return k == dialect.VAE
	case clipL:
		return k == dialect.CLIPL || k == dialect.CLIP
	case clipG:
		return k == dialect.CLIPG || k == dialect.CLIP
	}
	return k == dialect.T5
}

// kind is what the role's component is, whatever its size. The family says of
// which kind its transformer is.
func (r role) kind(f *family) dialect.Kind {
	if r == transformer {
		return f.kind
	}
	return [roles]dialect.Kind{autoencoder: dialect.VAE, clipL: dialect.CLIPL, clipG: dialect.CLIPG, t5: dialect.T5}[r]
}

// reads reports whether the role's component reads the prompt.
func (r role) reads() bool { return r != transformer && r != autoencoder }

// stem is the name of a component's file in a diffusers folder.
func (r role) stem() string {
	if r.reads() {
		return "model"
	}
	return "diffusion_pytorch_model"
}

// part is the file that holds the component of a role.
type part struct {
	path string
	role role
}

// component is a part that is open.
type component struct {
	dialect.Component
	checkpoint.Weights // its file
}

// open maps the part's file and finds the component in it.
func (p part) open() (*component, error) {
	file, err := checkpoint.Open(p.path)
	if err != nil {
		return nil, err
	}
	read := dialect.Read
	if p.role.reads() {
		read = dialect.Encoders
	}
	found, err := read(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	var others []string
	for _, c := range found {
		if p.role.plays(c.Kind) {
			return &component{c, file}, nil
		}
		others = append(others, string(c.Kind))
	}
	return nil, errors.Join(&checkpoint.Error{Path: p.path, Problem: fmt.Sprintf("holds %s, not %s", strings.Join(others, ", "), names[p.role]),
		Hint: fmt.Sprintf("%s wants another file", flags[p.role])}, file.Close())
}

// Names implements checkpoint.Source.
func (c *component) Names() []string { return c.Component.Names() }

// Tensor implements checkpoint.Source.
func (c *component) Tensor(name string) (checkpoint.Raw, bool) { return c.Component.Tensor(name) }

// String is the file.
func (c *component) String() string { return c.Weights.String() }

// parts finds the file of each role.
func (f Files) parts() (map[role]part, error) {
	found := map[role]part{}
	if f.Model != "" {
		if err := f.split(found); err != nil {
			return nil, err
		}
	}
	for r, path := range [roles]string{f.Transformer, f.VAE, f.CLIPL, f.CLIPG, f.T5} {
		if path != "" {
			found[role(r)] = part{path, role(r)}
		}
	}
	return found, nil
}

// split finds the roles of what the model's file holds, among which must be a
// transformer.
func (f Files) split(found map[role]part) error {
	file, err := checkpoint.Open(f.Model)
	if err != nil {
		return err
	}
	components, err := dialect.Read(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	for _, c := range components {
		if c.Kind == dialect.CLIP {
			return &checkpoint.Error{Path: f.Model, Problem: "holds a CLIP of neither CLIP-L's nor CLIP-G's size", Hint: "give it with --clip-l or --clip-g"}
		}
		for r := range roles {
			if r.plays(c.Kind) {
				found[r] = part{f.Model, r}
			}
		}
	}
	if _, paints := found[transformer]; paints || f.Transformer != "" {
		return nil
	}
	for r := range roles {
		if r.plays(components[0].Kind) {
			return &checkpoint.Error{Path: f.Model, Problem: fmt.Sprintf("holds %s and no transformer", names[r]),
				Hint: fmt.Sprintf("give it with %s; --model wants the transformer's file, or a whole model", flags[r])}
		}
	}
	return nil
}
