package lora

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// metadataKey is where diffusers and PEFT keep an adapter's configuration.
const metadataKey = "lora_adapter_metadata"

// scales is what a file's metadata says of alpha and rank.
type scales map[string]peft

// peft is the part of a PEFT configuration that scales an adapter.
type peft struct {
	Alpha        *float64           `json:"lora_alpha"`
	Rank         float64            `json:"r"`
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
	RankPattern  map[string]float64 `json:"rank_pattern"`
	Stabilised   bool               `json:"use_rslora"`
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
// metadata, else 1: writers that leave alpha out train
// with alpha = rank.
func (s scales) of(module string, alpha *float32, rank int) float32 {
	if alpha != nil {
		return *alpha / float32(rank)
	}
	part, path, _ := strings.Cut(module, ".")
	p, ok := s[part]
	if !ok || p.Alpha == nil {
		return 1
	}
	a, r := *p.Alpha, float64(rank)
	if v, ok := pattern(p.AlphaPattern, path); ok {
		a = v
	}
	if p.Stabilised {
		r = math.Sqrt(r)
	}
	return float32(a / r)
}

// pattern finds a module in PEFT's patterns (get_pattern_key): keys are regular
// expressions that match whole names or their ends after a dot. JSON objects
// have no order, so where several match, the longest expression counts.
func pattern(patterns map[string]float64, path string) (value float64, ok bool) {
	longest := -1
	for p, v := range patterns {
		re, err := regexp.Compile(`^(.*\.)?(` + p + `)$`)
		if err == nil && len(p) > longest && re.MatchString(path) {
			value, ok, longest = v, true, len(p)
		}
	}
	return value, ok
}
