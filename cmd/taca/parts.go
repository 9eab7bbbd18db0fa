package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/assembly"
	"taca/internal/checkpoint"
	"taca/internal/hub"
)

// partFlags are the flags that give the files of a model's components, each
// with its help.
var partFlags = []struct {
	name, usage string
	field       func(*configs.Parts) *string
}{
	{"transformer", "`file` of the transformer, in place of the model's", func(p *configs.Parts) *string { return &p.Transformer }},
	{"vae", "`file` of the VAE, such as ae.safetensors", func(p *configs.Parts) *string { return &p.VAE }},
	{"clip-l", "`file` of CLIP-L, such as clip_l.safetensors", func(p *configs.Parts) *string { return &p.CLIPL }},
	{"clip-g", "`file` of CLIP-G, such as clip_g.safetensors", func(p *configs.Parts) *string { return &p.CLIPG }},
	{"t5", "`file` of T5, such as t5xxl_fp16.safetensors", func(p *configs.Parts) *string { return &p.T5 }},
	{"base", "diffusers `folder` or preset that lends what single files lack, such as tokenizers (default: a preset of their kind, where it is on this machine)",
		func(p *configs.Parts) *string { return &p.Base }},
}

// parts registers the flags that give the files of a model's components.
func (f *settingFlags) parts(c *cobra.Command) {
	for _, p := range partFlags {
		flag(f, p.name, func(s *configs.Settings) *string { return p.field(&s.Parts) }, func(to *string) {
			c.Flags().StringVar(to, p.name, "", p.usage)
		})
	}
}

// partsText is the parts as flags.
func partsText(parts configs.Parts) string {
	var text strings.Builder
	for _, p := range partFlags {
		if path := *p.field(&parts); path != "" {
			text.WriteString(" --" + p.name + " " + path)
		}
	}
	return text.String()
}

// lastingParts is parts whose paths mean the same from any folder.
func lastingParts(parts configs.Parts) configs.Parts {
	for _, p := range partFlags {
		if field := p.field(&parts); *field != "" {
			*field = lasting(*field)
		}
	}
	return parts
}

// isFile reports whether there is a file, and no folder, of that name.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// sourcesOf is the files that the settings name, and the folder or preset that
// lends the rest.
func sourcesOf(s configs.Settings) (files assembly.Files, base string, err error) {
	files = assembly.Files{Transformer: s.Parts.Transformer, VAE: s.Parts.VAE, CLIPL: s.Parts.CLIPL, CLIPG: s.Parts.CLIPG, T5: s.Parts.T5}
	base = s.Parts.Base
	switch {
	case s.Model == "":
	case isFile(s.Model):
		files.Model = s.Model
	case base != "":
		if _, err := os.Stat(s.Model); err != nil && filepath.Ext(s.Model) != "" { // a file was meant
			return files, "", modelError{fmt.Errorf("model %s: %w", s.Model, cause(err))}
		}
		return files, "", usagef("--base %s lends to single files, but --model %s is none: leave out one of them", base, s.Model)
	default:
		return files, s.Model, nil
	}
	if files == (assembly.Files{}) && base != "" {
		return files, "", usagef("--base %s lends to single files, and there are none: give them, or --model %s", base, base)
	}
	return files, base, nil
}

// assemble makes a folder of single files and of what lends the rest of them.
func (a *app) assemble(s configs.Settings, planned bool) (*checkpoint.Folder, error) {
	files, base, err := sourcesOf(s)
	if err != nil {
		return nil, err
	}
	m, err := assembly.Read(files)
	if err != nil {
		return nil, modelError{err}
	}
	from, err := lender(m, base, planned)
	if err != nil {
		return nil, err
	}
	folder, remarks, err := m.Folder(from)
	if err != nil {
		return nil, modelError{err}
	}
	for _, r := range remarks {
		a.say("taca: %s", r)
	}
	return folder, nil
}

// lender is what lends to single files: the folder or preset called base, or,
// where none is named or it is not on this machine, that of a preset of their
// kind which is.
func lender(m *assembly.Model, base string, planned bool) (assembly.Lender, error) {
	presets, err := m.Relatives()
	if err != nil {
		return assembly.Lender{}, err
	}
	from := assembly.Lender{Planned: planned}
	if len(presets) > 0 {
		from.Preset = presets[0]
	}
	if base != "" {
		named, known, broken := configs.Find(base)
		if broken != nil {
			return from, broken
		}
		folder, err := locate(base)
		if known {
			from.Preset = named
		}
		if from.Folder = folder; folder != nil || !known {
			return from, err
		}
	}
	cache, err := hub.CacheFolder()
	if err != nil {
		return from, err
	}
	for _, p := range presets {
		for _, place := range candidates(cache, p) {
			if _, err := os.Stat(filepath.Join(place, "tokenizer")); err == nil {
				from.Folder, err = openFolder(place)
				return from, err
			}
		}
	}
	return from, nil
}
