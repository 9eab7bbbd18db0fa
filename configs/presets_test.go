package configs_test

import (
	"io/fs"
	"strings"
	"testing"

	"taca/configs"
)

// TestEveryPresetReads, settings and parts, with known keys only.
func TestEveryPresetReads(t *testing.T) {
	for _, name := range configs.Names() {
		p, ok, err := configs.Find(name)
		if err != nil || !ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := configs.Defaults()
		if err := p.Apply(&s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.Width == 0 || s.Steps == 0 || s.MaxLength == 0 || s.Gamma != 1.2 {
			t.Errorf("%s leaves out what a picture needs: %+v", name, s)
		}
		files, err := p.FS()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := fs.ReadFile(files, "model_index.json"); err != nil && p.Repository != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok, _ := configs.Find("absent"); ok {
		t.Error("a preset that is not there was found")
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	s := configs.Defaults()
	err := s.Overlay([]byte("steps: 3\ncolour: red\n"), "x.yaml")
	if err == nil || !strings.Contains(err.Error(), "unknown key colour") {
		t.Errorf("error %v", err)
	}
	if err := s.Overlay([]byte("steps: 7\n"), "x.yaml"); err != nil || s.Steps != 7 || s.Gamma != 1.2 {
		t.Errorf("steps %d, gamma %g (%v)", s.Steps, s.Gamma, err)
	}
	if err := s.Overlay(nil, "empty.yaml"); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

// TestGammaActsOneWay: a threshold laid over steps replaces them.
func TestGammaActsOneWay(t *testing.T) {
	s := configs.Defaults()
	for _, layer := range []struct {
		text      string
		steps     int
		threshold float32
	}{{"gamma_steps: 3", 3, 970}, {"gamma: 2", 3, 970}, {"gamma_threshold: 900", -1, 900}, {"gamma_steps: 2", 2, 900}} {
		if err := s.Overlay([]byte(layer.text), "x.yaml"); err != nil || s.GammaN != layer.steps || s.GammaT != layer.threshold {
			t.Errorf("after %q: steps %d, threshold %g (%v)", layer.text, s.GammaN, s.GammaT, err)
		}
	}
	err := s.Overlay([]byte("gamma_steps: 1\ngamma_threshold: 970"), "x.yaml")
	if err == nil || !strings.Contains(err.Error(), "give one") {
		t.Errorf("both at once: error %v", err)
	}
}
