package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"taca/configs"
	"taca/internal/picture"
	"taca/internal/pipeline"
	"taca/internal/sampler"
)

// recordKey is the PNG text that holds a record.
const recordKey = "taca"

// record is all that made a picture; taca generate --from reads it back.
type record struct {
	Program string        `json:"program"` // "taca VERSION"
	Model   string        `json:"model"`   // as --model takes it; empty for the embedded model
	Parts   configs.Parts `json:"parts,omitzero"`
	Class   string        `json:"class"`
	pipeline.Request
	LoRAs   []pipeline.LoRA `json:"loras,omitempty"`
	Lenient bool            `json:"lora_lenient,omitempty"`
	Start   string          `json:"latents_in,omitempty"` // the file that replaced the noise
	Image   *source         `json:"image,omitempty"`      // the picture it starts from
	Mask    *source         `json:"mask,omitempty"`
	DType   string          `json:"dtype"`
	Weights string          `json:"weights,omitempty"` // what the transformer's became when it was opened
	Backend string          `json:"backend"`
	Reuse   *sampler.Reuse  `json:"reuse,omitempty"` // what --cache did
}

// apply lays the record over settings.
func (r *record) apply(s *configs.Settings) {
	s.Model, s.Parts, s.Prompt, s.Negative = r.Model, r.Parts, r.Prompt, r.Negative
	s.Width, s.Height, s.Steps, s.MaxLength = r.Width, r.Height, r.Steps, r.MaxLength
	s.Guidance, s.TrueCFG, s.Seed, s.DType = r.Guidance, r.TrueCFG, r.Seed, r.DType
	s.Cache = r.Cache
	s.Image, s.Mask = "", ""
	if r.Image != nil {
		s.Image, s.Strength = r.Image.Path, r.Strength
	}
	if r.Mask != nil {
		s.Mask = r.Mask.Path
	}
	s.Gamma, s.GammaN, s.GammaT = r.TACA.Gamma, -1, r.TACA.Threshold
	if r.TACA.Steps > 0 {
		s.GammaN = r.TACA.Steps
	}
	s.GammaShape, s.GammaBlocks = r.TACA.Shape, r.TACA.Blocks
	s.Weights = r.Weights
	s.LoRA, s.TACALoRA, s.Lenient = nil, nil, r.Lenient
	for _, l := range r.LoRAs {
		if l.TACA {
			s.TACALoRA = append(s.TACALoRA, describe(l))
		} else {
			s.LoRA = append(s.LoRA, describe(l))
		}
	}
}

// remarks are the record as PNG texts: one for taca, one for other tools,
// which tell guidance that the model embeds from classifier-free guidance.
func (r *record) remarks(embedded, classifierFree float32) ([]picture.Text, error) {
	own, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the picture's metadata: %w", err)
	}
	number := func(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
	settings := []picture.Text{
		{Key: "Steps", Value: strconv.Itoa(r.Steps)},
		{Key: "Sampler", Value: "Euler"},
		{Key: "CFG scale", Value: number(classifierFree)},
		{Key: "Seed", Value: strconv.FormatInt(r.Seed, 10)},
		{Key: "Size", Value: fmt.Sprintf("%dx%d", r.Width, r.Height)},
		{Key: "Model", Value: r.modelName()},
		{Key: "TACA gamma", Value: number(r.TACA.Gamma)},
	}
	if embedded > 0 {
		settings = slices.Insert(settings, 3, picture.Text{Key: "Distilled CFG Scale", Value: number(embedded)})
	}
	switch {
	case r.TACA.Steps > 0:
		settings = append(settings, picture.Text{Key: "TACA steps", Value: strconv.Itoa(r.TACA.Steps)})
	case !r.TACA.Pointed():
		settings = append(settings, picture.Text{Key: "TACA threshold", Value: number(r.TACA.Threshold)})
	}
	if r.TACA.Shape != "" {
		settings = append(settings, picture.Text{Key: "TACA schedule", Value: r.TACA.Shape})
	}
	if r.TACA.Blocks != "" {
		settings = append(settings, picture.Text{Key: "TACA blocks", Value: r.TACA.Blocks})
	}
	if r.Image != nil {
		settings = append(settings, picture.Text{Key: "Denoising strength", Value: strconv.FormatFloat(r.Strength, 'g', -1, 64)})
	}
	if r.Reuse != nil {
		settings = append(settings, picture.Text{Key: "Cache threshold", Value: number(r.Cache)},
			picture.Text{Key: "Cached steps", Value: strconv.Itoa(r.Reuse.Steps)})
	}
	settings = append(settings, picture.Text{Key: "Version", Value: r.Program})
	return []picture.Text{
		{Key: "parameters", Value: picture.Parameters(r.Prompt, r.Negative, settings...)},
		{Key: recordKey, Value: string(own)},
	}, nil
}

// modelName is the model with the files of its parts, as flags give them.
func (r *record) modelName() string {
	if r.Model == "" && !r.Parts.Any() {
		return demoPreset
	}
	return strings.TrimSpace(r.Model + partsText(r.Parts))
}

// readRecord reads how a picture was made.
func readRecord(path string) (*record, error) {
	remarks, err := picture.Remarks(path)
	if err != nil {
		return nil, usageError{err}
	}
	own, ok := remarks[recordKey]
	if !ok {
		return nil, usagef("read %s: it has no taca metadata: only pictures made by taca can be repeated", path)
	}
	var r record
	if err := json.Unmarshal([]byte(own), &r); err != nil {
		return nil, usagef("read %s: its taca metadata is damaged: %w", path, err)
	}
	return &r, nil
}
