package sampler

import (
	"encoding/json"
	"fmt"
)

// Config is scheduler_config.json of a FlowMatchEulerDiscreteScheduler. Keys
// it lacks have the values of diffusers' class defaults.
type Config struct {
	TrainSteps  int     `json:"num_train_timesteps"`
	Shift       float64 `json:"shift"`                // static shift: sigma' = s·sigma / (1 + (s−1)·sigma)
	Dynamic     bool    `json:"use_dynamic_shifting"` // shift by the number of visual tokens instead
	BaseShift   float64 `json:"base_shift"`           // mu at BaseTokens ...
	MaxShift    float64 `json:"max_shift"`            // ... and at MaxTokens, linear between and beyond
	BaseTokens  int     `json:"base_image_seq_len"`
	MaxTokens   int     `json:"max_image_seq_len"`
	Terminal    float64 `json:"shift_terminal"`  // where above 0, the last sigma is stretched to it
	DynamicType string  `json:"time_shift_type"` // exponential or linear in mu
	Karras      bool    `json:"use_karras_sigmas"`
	Exponential bool    `json:"use_exponential_sigmas"`
	Beta        bool    `json:"use_beta_sigmas"`
	Inverted    bool    `json:"invert_sigmas"`
	Stochastic  bool    `json:"stochastic_sampling"`
}

const (
	className  = "FlowMatchEulerDiscreteScheduler"
	trainSteps = 1000
)

// UnmarshalJSON reads a scheduler_config.json and refuses what would change
// the picture and is not done here.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	file := struct {
		plain
		Class string `json:"_class_name"`
	}{
		plain: plain{TrainSteps: trainSteps, Shift: 1, BaseShift: 0.5, MaxShift: 1.15, BaseTokens: 256, MaxTokens: 4096, DynamicType: "exponential"},
		Class: className,
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("scheduler config: %w", err)
	}
	*c = Config(file.plain)
	if file.Class != className {
		return fmt.Errorf("scheduler config: _class_name is %q: taca samples with %s", file.Class, className)
	}
	for _, refused := range []struct {
		set bool
		key string
	}{
		{c.Karras, "use_karras_sigmas"}, {c.Exponential, "use_exponential_sigmas"}, {c.Beta, "use_beta_sigmas"},
		{c.Inverted, "invert_sigmas"}, {c.Stochastic, "stochastic_sampling"},
	} {
		if refused.set {
			return fmt.Errorf("scheduler config: %s is not supported: FLUX and SD3.5 are published without it", refused.key)
		}
	}
	switch {
	case c.TrainSteps != trainSteps:
		return fmt.Errorf("scheduler config: num_train_timesteps is %d, want %d: the models read sigma in thousandths", c.TrainSteps, trainSteps)
	case !(c.Shift > 0):
		return fmt.Errorf("scheduler config: shift is %g, want more than 0", c.Shift)
	case c.DynamicType != "exponential" && c.DynamicType != "linear":
		return fmt.Errorf("scheduler config: time_shift_type is %q, want exponential or linear", c.DynamicType)
	case c.Dynamic && c.MaxTokens == c.BaseTokens:
		return fmt.Errorf("scheduler config: base_image_seq_len and max_image_seq_len are both %d", c.MaxTokens)
	case !(c.Terminal >= 0 && c.Terminal < 1):
		return fmt.Errorf("scheduler config: shift_terminal is %g, want 0..1", c.Terminal)
	}
	return nil
}
