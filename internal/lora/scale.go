package lora

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// metadataKey is where diffusers keeps an adapter's PEFT configuration.
const metadataKey = "lora_adapter_metadata"

// scales is what a file's metadata says of each component.
type scales map[string]peft

// peft is the part of a PEFT configuration that scales an adapter. Ranks are
// the matrices' own.
type peft struct {
	Alpha        *float64 `json:"lora_alpha"`
	AlphaPattern patterns `json:"alpha_pattern"`
	Stabilised   bool     `json:"use_rslora"` // arXiv 2312.03732
}

// readScales reads the metadata of a safetensors file. Keys are flat, with the
// component before a dot; files of one model alone have none.
func readScales(metadata map[string]string) (scales, error) {
	text, ok := metadata[metadataKey]
	if !ok {
		return nil, nil
	}
	var flat map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &flat); err != nil {
		return nil, fmt.Errorf("metadata %s is no JSON object: %w", metadataKey, err)
	}
	parts := map[string]map[string]json.RawMessage{}
	for k, v := range flat {
		part, field, found := strings.Cut(k, ".")
		if !found {
			part, field = strings.TrimSuffix(component, "."), k
		}
		if parts[part] == nil {
			parts[part] = map[string]json.RawMessage{}
		}
		parts[part][field] = v
	}
	out := scales{}
	for part, fields := range parts {
		text, err := json.Marshal(fields)
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

// of is alpha/rank for a module: its own alpha tensor first, then the
// metadata, else 1, since writers that leave alpha out train with alpha = rank.
func (s scales) of(module string, alpha *float32, rank int) float32 {
	if alpha != nil {
		return *alpha / float32(rank)
	}
	part, path, _ := strings.Cut(module, ".")
	p := s[part]
	if p.Alpha == nil {
		return 1
	}
	a, r := *p.Alpha, float64(rank)
	if v, ok := p.AlphaPattern.find(path); ok {
		a = v
	}
	if p.Stabilised {
		r = math.Sqrt(r)
	}
	return float32(a / r)
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
