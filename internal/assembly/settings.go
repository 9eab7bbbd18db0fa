package assembly

import (
	"fmt"
	"maps"
	"strings"

	"taca/configs"
	"taca/internal/checkpoint"
)

// settings are the keys of a JSON file.
type settings map[string]any

// presetSettings is a file of a preset's folder; empty where it has none.
func presetSettings(p *configs.Preset, file string) (settings, error) {
	out := settings{}
	if p == nil {
		return out, nil
	}
	node, ok := p.Parts[file]
	if !ok {
		return out, nil
	}
	if err := node.Decode(&out); err != nil {
		return nil, fmt.Errorf("read preset %s: %s: %w", p.Name, file, err)
	}
	return out, nil
}

// same compares numbers, lists and texts that come from YAML, JSON or shapes.
func same(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// read is a file of the folder that lends, or of the preset.
func (from Lender) read(file string) (settings, error) {
	if from.Folder == nil || !from.Folder.Has(file) {
		return presetSettings(from.Preset, file)
	}
	out := settings{}
	return out, from.Folder.ReadJSON(file, &out)
}

// config is the config.json of a role: what the lender says, under what the
// shapes say.
func (l *lending) config(r role) (settings, error) {
	out, err := l.read(l.family.folders[r] + "/config.json")
	if d, ok := l.derived[r]; ok && err == nil {
		if d.assumed != nil && !same(out[d.key], d.told[d.key]) {
			maps.Copy(out, d.assumed)
		}
		maps.Copy(out, d.told)
	}
	return out, err
}

// index is the model_index.json, in which an absent T5 is said to be absent.
func (l *lending) index(absent func(role) bool) settings {
	out := settings{"_class_name": l.family.class}
	maps.Copy(out, l.family.classes)
	for r, name := range l.family.folders {
		if name != "" && absent(role(r)) {
			out[name], out[tokenizerOf(name)] = [2]any{}, [2]any{}
		}
	}
	return out
}

// tokenizerOf is the folder of what an encoder reads.
func tokenizerOf(encoder string) string {
	return "tokenizer" + strings.TrimPrefix(encoder, "text_encoder")
}

// files is the folder without weights.
func (l *lending) files(absent func(role) bool) (*archive, error) {
	a := newArchive()
	a.json("model_index.json", l.index(absent), nil)
	scheduler, err := l.read("scheduler/scheduler_config.json")
	a.json("scheduler/scheduler_config.json", scheduler, err)
	var without []string
	for i, name := range l.family.folders {
		r := role(i)
		if name == "" || absent(r) {
			continue
		}
		config, err := l.config(r)
		a.json(name+"/config.json", config, err)
		if r.reads() {
			tokenizer := tokenizerOf(name)
			if l.Lender.Folder != nil && l.Lender.Folder.Has(tokenizer) {
				a.folder(tokenizer, l.Lender.Folder.Sub(tokenizer).FS())
			} else {
				without = append(without, tokenizer)
			}
		}
	}
	if len(without) > 0 && !l.Planned {
		return nil, l.lacks(without)
	}
	return a, nil
}

// lacks says that tokenizers are missing.
func (l *lending) lacks(tokenizers []string) error {
	problem := "single files hold no tokenizers, and " + strings.Join(tokenizers, ", ")
	if l.Lender.Folder != nil {
		problem += fmt.Sprintf(" are not in %s", l.Lender.Folder)
	} else {
		problem += " were not found on this machine"
	}
	hint := "give a diffusers folder that has them with --base DIR"
	if l.Preset != nil && l.Preset.Repository != "" {
		hint = fmt.Sprintf("get them, a few MB, with 'taca pull %s --tokenizers', or %s", l.Preset.Name, hint)
	}
	return &checkpoint.Error{Path: l.name(), Problem: problem, Hint: hint}
}
