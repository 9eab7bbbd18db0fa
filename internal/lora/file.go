package lora

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/demo"
)

// File is an adapter file, taken apart. It belongs to no model yet.
type File struct {
	source  checkpoint.Source
	trainer string
	writer  string    // the program that says it wrote it, or empty
	modules []*module // by name
	foreign []string  // tensors that are no adapter's
	scales  scales
}

// open has the embedded adapter, or maps a file.
func open(path string) (*checkpoint.File, error) {
	if path == Embedded {
		return demo.LoRA()
	}
	return checkpoint.OpenFile(path)
}

// configName is what PEFT calls the configuration of an adapter, in the folder
// where it writes the adapter's tensors.
const configName = "adapter_config.json"

// Embedded is the path of the embedded model's own adapter, which follows gamma.
// A file of that name is ./demo.
const Embedded = "demo"

// Open maps an adapter file, or has the embedded one. The second result is what
// holds its matrices, to be closed when they are in use no more.
func Open(path string) (*File, *checkpoint.File, error) {
	source, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	config, err := configBeside(source, path)
	if err != nil {
		return nil, nil, errors.Join(err, source.Close())
	}
	f, err := New(source, source.Metadata(), config)
	if err != nil {
		return nil, nil, errors.Join(err, source.Close())
	}
	return f, source, nil
}

// configBeside is the adapter_config.json beside a file that PEFT wrote, or nil.
// Errors are *checkpoint.Error.
func configBeside(source checkpoint.Source, path string) ([]byte, error) {
	if !slices.ContainsFunc(source.Names(), prefix(wrapper)) {
		return nil, nil
	}
	return readConfig(filepath.Join(filepath.Dir(path), configName))
}

// readConfig reads a file that need not be there.
func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &checkpoint.Error{Path: path, Problem: err.Error()}
	}
	defer f.Close()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, &checkpoint.Error{Path: path, Problem: err.Error()}
	}
	return text, nil
}

// New takes a file's tensors apart. metadata is the header's; config is the
// adapter_config.json beside a file that PEFT wrote, or nil. Errors are *Error.
func New(source checkpoint.Source, metadata map[string]string, config []byte) (*File, error) {
	f := &File{source: source, writer: writer(metadata)}
	var ok bool
	if f.trainer, ok = Trainer(source.Names()); !ok {
		return nil, f.refuse("it holds no LoRA", source.Names()...)
	}
	if f.trainer == control {
		return nil, f.refuse("a control LoRA wants a picture beside the latents and replaces norms, which taca does not do")
	}
	var err error
	if f.scales, err = readScales(metadata, config); err != nil {
		return nil, f.refuse(err.Error())
	}
	found := map[string]*module{}
	for _, name := range source.Names() {
		k, ok := parse(name)
		if !ok {
			f.foreign = append(f.foreign, name)
			continue
		}
		if found[k.module] == nil {
			found[k.module] = &module{name: k.module}
		}
		raw, _ := source.Tensor(name)
		found[k.module].put(k, name, raw)
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		f.modules = append(f.modules, found[name])
	}
	return f, nil
}

// writer is what ai-toolkit, which spells as diffusers does, says of itself.
func writer(metadata map[string]string) string {
	var software struct{ Name, Version string }
	if json.Unmarshal([]byte(metadata["software"]), &software) != nil {
		return ""
	}
	return strings.TrimSpace(software.Name + " " + software.Version)
}

func (f *File) refuse(problem string, keys ...string) *Error {
	return &Error{File: f.source.String(), Omission: Omission{problem, keys}}
}

// wrapper is what PEFT puts before the names of a model's modules.
const wrapper = "base_model.model."

// bare is a module's name without what wrappers put into it: PEFT's model, and
// the attention processors of diffusers before PEFT.
func bare(module string) string {
	module = strings.ReplaceAll(module, wrapper, "")
	return strings.ReplaceAll(module, ".attn.processor.", ".attn.")
}
