package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Settings is what a preset or a --config file may say; the names are the
// flags' with underscores. A key that is absent leaves its field alone, so
// that several files can be laid over each other.
type Settings struct {
	Model     string   `yaml:"model"`
	Parts     Parts    `yaml:",inline"`
	Prompt    string   `yaml:"prompt"`
	Negative  string   `yaml:"negative_prompt"`
	Width     int      `yaml:"width"`
	Height    int      `yaml:"height"`
	Steps     int      `yaml:"steps"`
	Guidance  float32  `yaml:"guidance"`
	TrueCFG   float32  `yaml:"true_cfg"`
	Seed      int64    `yaml:"seed"`
	Count     int      `yaml:"count"`
	MaxLength int      `yaml:"max_sequence_length"`
	Gamma     float32  `yaml:"gamma"`
	GammaN    int      `yaml:"gamma_steps"` // below 0: by threshold
	GammaT    float32  `yaml:"gamma_threshold"`
	LoRA      []string `yaml:"lora"`      // FILE[:SCALE], always active
	TACALoRA  []string `yaml:"taca_lora"` // FILE[:SCALE], active where gamma is not 1
	Lenient   bool     `yaml:"lora_lenient"`
	Cache     float32  `yaml:"cache"`
	Image     string   `yaml:"image"`    // to start from; none: noise alone
	Strength  float64  `yaml:"strength"` // of the noise over it
	Mask      string   `yaml:"mask"`     // of what is painted anew; none: all
	Device    string   `yaml:"device"`
	DType     string   `yaml:"dtype"`
	Weights   string   `yaml:"weights"` // of the transformer's blocks; none: as stored
	Threads   int      `yaml:"threads"`
	Offload   string   `yaml:"offload"`
	VRAMLimit string   `yaml:"vram_limit"` // "12GiB"; none: what is free
	RAMLimit  string   `yaml:"ram_limit"`  // the same of the processor's memory
	Output    string   `yaml:"output"`

	GammaShape  string `yaml:"gamma_schedule"` // constant, linear, cosine, points or a file of them; none: constant
	GammaBlocks string `yaml:"gamma_blocks"`   // none: all

	ConditioningCache string `yaml:"conditioning_cache"` // a folder, or off; none: the user's
}

// Parts are the files of a model's components, and the diffusers folder or
// preset that lends what they do not hold.
type Parts struct {
	Transformer string `yaml:"transformer" json:"transformer,omitempty"`
	VAE         string `yaml:"vae" json:"vae,omitempty"`
	CLIPL       string `yaml:"clip_l" json:"clip_l,omitempty"`
	CLIPG       string `yaml:"clip_g" json:"clip_g,omitempty"`
	T5          string `yaml:"t5" json:"t5,omitempty"`
	Base        string `yaml:"base" json:"base,omitempty"`
}

// Any reports whether any is given.
func (p Parts) Any() bool { return p != Parts{} }

// Defaults are the settings before any preset, file or flag. Zero sizes, steps
// and lengths mean the model's own.
func Defaults() Settings {
	return Settings{Seed: 0, Count: 1, Gamma: 1.2, GammaN: -1, GammaT: 970, Strength: 0.6, Guidance: -1, Device: "auto", DType: "auto", Offload: "auto"}
}

// Overlay reads YAML over s. Unknown keys are refused; name is for the error.
//
// Of gamma_steps and gamma_threshold, the one a file gives replaces what lies
// below.
func (s *Settings) Overlay(data []byte, name string) error {
	const absent = -1
	before := *s
	s.GammaN, s.GammaT = absent, absent
	err := decode(data, s, name)
	switch {
	case s.GammaN != absent && s.GammaT != absent:
		return fmt.Errorf("read %s: gamma_steps and gamma_threshold are two ways to say when gamma acts: give one", name)
	case s.GammaN != absent:
		s.GammaT = before.GammaT
	case s.GammaT == absent:
		s.GammaN, s.GammaT = before.GammaN, before.GammaT
	}
	return err
}

// decode reads one strict YAML document.
func decode(data []byte, into any, name string) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	err := d.Decode(into)
	if err == nil && !errors.Is(d.Decode(new(yaml.Node)), io.EOF) {
		return fmt.Errorf("read %s: it holds more than one document", name)
	}
	var unfit *yaml.TypeError
	switch {
	case err == nil || errors.Is(err, io.EOF): // an empty document says nothing
		return nil
	case errors.As(err, &unfit):
		return fmt.Errorf("read %s: %s", name, unknownKey.ReplaceAllString(strings.Join(unfit.Errors, "; "), "unknown key $1"))
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// unknownKey is how the library words a key that no field has.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)
