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
	if !ok {
		return nil, modelError{fmt.Errorf("model %s: no such folder or file, and no preset of that name; presets are %s",
			name, strings.Join(configs.Names(), ", "))}
	}
	places := candidates(preset)
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(place, "model_index.json")); err == nil {
			return openFolder(place)
		}
	}
	return nil, modelError{fmt.Errorf("model %s: its weights are not on this machine; looked in %s; get them with 'hf download %s', or give --model DIR",
		name, strings.Join(places, " and "), preset.Repository)}
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
// and the snapshots of the cache that Python's tools share.
func candidates(p *configs.Preset) []string {
	var places []string
	if models := os.Getenv("TACA_MODELS"); models != "" {
		places = append(places, filepath.Join(models, p.Name))
	}
	repository := filepath.Join(hubCache(), "models--"+strings.ReplaceAll(p.Repository, "/", "--"))
	if head, err := os.ReadFile(filepath.Join(repository, "refs", "main")); err == nil {
		return append(places, filepath.Join(repository, "snapshots", strings.TrimSpace(string(head))))
	}
	return append(places, repository)
}

// hubCache follows huggingface_hub: HF_HUB_CACHE, else HF_HOME/hub, else
// XDG_CACHE_HOME/huggingface/hub.
func hubCache() string {
	if cache := os.Getenv("HF_HUB_CACHE"); cache != "" {
		return cache
	}
	if home := os.Getenv("HF_HOME"); home != "" {
		return filepath.Join(home, "hub")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = ".cache"
	}
	return filepath.Join(cache, "huggingface", "hub")
}

// cause is err without the operation and path that os repeats.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
