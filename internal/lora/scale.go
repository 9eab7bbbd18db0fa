package lora

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// metadataKey is where diffusers keeps an adapter's PEFT configuration.
const metadataKey = "lora_adapter_metadata"

// scales is what a file's metadata say of its adapters.
type scales struct {
	from  string          // where it says so; empty: nowhere
	parts map[string]peft // by the name of a part's folder; "" is whatever part the file is for
}

// peft is the part of a PEFT configuration that scales an adapter. Ranks are
// the matrices' own.
type peft struct {
	Type         string   `json:"peft_type"`
	Alpha        *float64 `json:"lora_alpha"`
	AlphaPattern patterns `json:"alpha_pattern"`
	Stabilised   bool     `json:"use_rslora"` // arXiv 2312.03732
}

// readScales reads the metadata of a safetensors file, or else PEFT's own
// configuration. Keys of metadata are flat, with the part before a dot; files
// of one model alone have none.
func readScales(metadata map[string]string, config []byte) (scales, error) {
	if text, ok := metadata[metadataKey]; ok {
		parts, err := readFlat(text)
		return scales{"metadata", parts}, err
	}
	if config == nil {
		return scales{}, nil
	}
	var p peft
	if err := json.Unmarshal(config, &p); err != nil {
		return scales{}, fmt.Errorf("%s beside it is not understood: %w", configName, err)
	}
	if p.Type != "" && p.Type != "LORA" {
		return scales{}, fmt.Errorf("%s beside it says that it is %s, which is no LoRA", configName, p.Type)
	}
	return scales{configName, map[string]peft{"": p}}, nil
}

func readFlat(text string) (map[string]peft, error) {
	var flat map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &flat); err != nil {
		return nil, fmt.Errorf("metadata %s is no JSON object: %w", metadataKey, err)
	}
	parts := map[string]map[string]json.RawMessage{}
	for k, v := range flat {
		part, field, found := strings.Cut(k, ".")
		if !found {
			part, field = "", k
		}
		if parts[part] == nil {
			parts[part] = map[string]json.RawMessage{}
		}
		parts[part][field] = v
	}
	out := map[string]peft{}
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		text, err := json.Marshal(parts[part])
		if err != nil {
			return nil, err
		}
		var p peft
		if err := json.Unmarshal(text, &p); err != nil {
			return nil, fmt.Errorf("metadata %s of %s: %w", metadataKey, part, err)
		}
		out[part] = p
	}
	return out, nil
}

// peft is what is said of a part; its alpha is nil where nothing is.
func (s scales) peft(part string) peft {
	if p, ok := s.parts[part]; ok {
		return p
	}
	return s.parts[""]
}

// alpha is the numerator of a module's scale: its own tensor first, then the
// metadata; false where nobody says, since writers that leave alpha out train
// with alpha = rank.
func (s scales) alpha(part string, m *module) (float64, bool) {
	if m.alpha != nil {
		return float64(*m.alpha), true
	}
	p := s.peft(part)
	if p.Alpha == nil {
		return 0, false
	}
	if a, ok := p.AlphaPattern.find(strings.TrimPrefix(bare(m.name), part+".")); ok {
		return a, true
	}
	return *p.Alpha, true
}

// of is alpha/rank for a module of a part; false where that is no number.
func (s scales) of(part string, m *module) (float32, bool) {
	a, said := s.alpha(part, m)
	if !said {
		return 1, true
	}
	r := float64(m.rank())
	if m.alpha == nil && s.peft(part).Stabilised {
		r = math.Sqrt(r)
	}
	scale := float32(a / r)
	return scale, !math.IsNaN(float64(scale)) && !math.IsInf(float64(scale), 0)
}

// patterns gives some modules a value of their own. The first that matches
// counts, as in PEFT's get_pattern_key, so the order of the JSON matters.
type patterns []pattern

type pattern struct {
	path  *regexp.Regexp
	value float64
}

// UnmarshalJSON reads an object whose keys are regular expressions. They match
// a whole path, or its end after a dot.
func (p *patterns) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t == nil {
		return err
	} else if t != json.Delim('{') {
		return fmt.Errorf("a pattern is %s, want an object", text)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		path, err := regexp.Compile(fmt.Sprintf(`^(?:.*\.)?(?:%s)$`, key))
		if err != nil {
			return fmt.Errorf("pattern %q is not understood: %w", key, err)
		}
		found := pattern{path: path}
		if err := d.Decode(&found.value); err != nil {
			return err
		}
		*p = append(*p, found)
	}
	return nil
}

func (p patterns) find(path string) (float64, bool) {
	for _, one := range p {
		if one.path.MatchString(path) {
			return one.value, true
		}
	}
	return 0, false
}
