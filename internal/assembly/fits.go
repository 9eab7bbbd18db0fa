package assembly

import (
	"taca/configs"
	"taca/internal/dialect"
)

// Fits names the presets whose component of that kind has just these sizes, and
// the flag that gives a component's file.
func Fits(c dialect.Component) (presets []string, flag string, err error) {
	d := derive(c)
	for r := range roles {
		if !r.plays(c.Kind) || flag != "" { // a CLIP of neither size may be either
			continue
		}
		flag = flags[r]
		for _, name := range configs.Names() {
			fits, err := fitsPreset(c.Kind, r, d, name)
			if err != nil {
				return nil, "", err
			}
			if fits {
				presets = append(presets, name)
			}
		}
	}
	return presets, flag, nil
}

func fitsPreset(kind dialect.Kind, r role, d derived, name string) (bool, error) {
	p, _, err := configs.Find(name)
	if err != nil {
		return false, err
	}
	f, err := familyOfPreset(p)
	if err != nil || f == nil || f.folders[r] == "" || r == transformer && f.kind != kind {
		return false, err
	}
	config, err := presetSettings(p, f.folders[r]+"/config.json")
	if err != nil || len(config) == 0 {
		return false, err
	}
	for key, value := range d.told {
		if theirs, says := config[key]; says && !same(theirs, value) {
			return false, nil
		}
	}
	return true, nil
}
