package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"taca/configs"
	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/hub"
	"taca/internal/pipeline"
)

// demoPreset is the preset of the embedded model.
const demoPreset = "demo"

// find is the model that the settings name. A model that is only planned needs
// neither weights nor tokenizers.
func (a *app) find(s configs.Settings, planned bool) (*checkpoint.Folder, error) {
	if s.Parts.Any() || isFile(s.Model) {
		return a.assemble(s, planned)
	}
	if planned {
		return planFolder(s.Model)
	}
	return locate(s.Model)
}

// locate finds the folder of a model: a preset whose weights are on this
// machine, or a diffusers folder.
func locate(name string) (*checkpoint.Folder, error) {
	if name == "" || name == demoPreset {
		return demo.Folder(), nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return openFolder(name)
	}
	preset, ok, err := configs.Find(name)
	if err != nil {
		return nil, err
	}
	cache, err := hub.CacheFolder()
	if err != nil {
		return nil, err
	}
	if !ok {
		return locateRepository(cache, name)
	}
	places := candidates(cache, preset)
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(place, "model_index.json")); err == nil {
			return openFolder(place)
		}
	}
	return nil, modelError{fmt.Errorf("model %s: its weights are not on this machine; looked in %s; get them with 'taca pull %s', or give --model DIR",
		name, strings.Join(places, " and "), name)}
}

// locateRepository finds what taca pull, or huggingface_hub, has fetched of a
// repository.
func locateRepository(cache, name string) (*checkpoint.Folder, error) {
	reference, err := hub.ParseReference(name)
	if err != nil || reference.File != "" {
		return nil, modelError{fmt.Errorf("model %s: no such folder or file, and no preset of that name; presets are %s",
			name, strings.Join(configs.Names(), ", "))}
	}
	place, ok := hub.Find(cache, reference)
	if !ok {
		return nil, modelError{fmt.Errorf("model %s: no such folder or file, and no such repository in %s; get it with 'taca pull %s'", name, cache, name)}
	}
	if _, err := os.Stat(filepath.Join(place, "model_index.json")); err != nil {
		return nil, modelError{fmt.Errorf("model %s: %s holds no model_index.json; get all of it with 'taca pull %s'", name, place, name)}
	}
	return openFolder(place)
}

// readModel reads the configuration of a folder that was looked for, as
// find, planFolder and openFolder do.
func readModel(folder *checkpoint.Folder, err error) (*pipeline.Model, error) {
	if err != nil {
		return nil, err
	}
	m, err := pipeline.Read(folder)
	if err != nil {
		return nil, modelError{err}
	}
	return m, nil
}

func openFolder(path string) (*checkpoint.Folder, error) {
	f, err := checkpoint.OpenFolder(path)
	if err != nil {
		return nil, modelError{err}
	}
	return f, nil
}

// candidates are the folders a preset's weights may lie in: $TACA_MODELS/NAME,
// and the cache of the hub.
func candidates(cache string, p *configs.Preset) []string {
	var places []string
	if models := os.Getenv("TACA_MODELS"); models != "" {
		places = append(places, filepath.Join(models, p.Name))
	}
	reference, err := hub.ParseReference(p.Repository)
	if err != nil {
		return places // a preset without weights
	}
	place, _ := hub.Find(cache, reference)
	return append(places, place)
}

// cause is err without the operation and path that os repeats.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
