package configs

import (
	"archive/zip"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// Preset is a published model: what it is called, where it comes from, how its
// authors use it.
type Preset struct {
	Name       string               `yaml:"-"`
	About      string               `yaml:"about"`
	Repository string               `yaml:"repository"` // of the model hub; empty for the embedded model
	Settings   yaml.Node            `yaml:"settings"`
	Parts      map[string]yaml.Node `yaml:"parts"` // the configuration files of its folder, by path
}

// Names lists the presets.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the embedded folder is always there
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Find reads the preset called name; false where there is none.
func Find(name string) (*Preset, bool, error) {
	data, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, false, nil
	}
	p := &Preset{Name: name}
	if err := decode(data, p, "preset "+name); err != nil {
		return nil, true, err
	}
	return p, true, nil
}

// Apply lays the preset's settings over s.
func (p *Preset) Apply(s *Settings) error {
	text, err := yaml.Marshal(&p.Settings)
	if err != nil {
		return fmt.Errorf("read preset %s: %w", p.Name, err)
	}
	return s.Overlay(text, "preset "+p.Name)
}

// FS is the preset's configuration as a model folder without weights.
func (p *Preset) FS() (fs.FS, error) {
	var folder bytes.Buffer // an archive in memory is a file system of the standard library's
	z := zip.NewWriter(&folder)
	for name, node := range p.Parts {
		if err := add(z, name, node); err != nil {
			return nil, fmt.Errorf("read preset %s: %s: %w", p.Name, name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("read preset %s: %w", p.Name, err)
	}
	return zip.NewReader(bytes.NewReader(folder.Bytes()), int64(folder.Len()))
}

// add writes a YAML value as a JSON file.
func add(z *zip.Writer, name string, node yaml.Node) error {
	var value any
	if err := node.Decode(&value); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
