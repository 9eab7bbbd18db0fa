package sampler_test

import (
	"encoding/json"
	"strings"
	"testing"

	"taca/internal/sampler"
)

// TestConfigDefaults are those of diffusers' class, for keys that are absent
// or null, whatever other keys a file has.
func TestConfigDefaults(t *testing.T) {
	want := sampler.Config{TrainSteps: 1000, Shift: 1, BaseShift: 0.5, MaxShift: 1.15, BaseTokens: 256, MaxTokens: 4096, DynamicType: "exponential"}
	for _, text := range []string{
		`{}`,
		`{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift_terminal": null, "use_karras_sigmas": false, "_diffusers_version": "0.42.1"}`,
	} {
		var got sampler.Config
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v (%v), want %+v", text, got, err, want)
		}
	}
}

// TestUnsupportedConfigs are refused, each by its key.
func TestUnsupportedConfigs(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"_class_name": "DDIMScheduler"}`, `_class_name is "DDIMScheduler"`},
		{`{"use_karras_sigmas": true}`, "use_karras_sigmas is not supported"},
		{`{"use_exponential_sigmas": true}`, "use_exponential_sigmas is not supported"},
		{`{"use_beta_sigmas": true}`, "use_beta_sigmas is not supported"},
		{`{"invert_sigmas": true}`, "invert_sigmas is not supported"},
		{`{"stochastic_sampling": true}`, "stochastic_sampling is not supported"},
		{`{"num_train_timesteps": 500}`, "num_train_timesteps is 500, want 1000"},
		{`{"shift": 0}`, "shift is 0"},
		{`{"shift_terminal": 1}`, "shift_terminal is 1"},
		{`{"time_shift_type": "cubic"}`, `time_shift_type is "cubic"`},
		{`{"use_dynamic_shifting": true, "base_image_seq_len": 4096}`, "are both 4096"},
		{`{"shift": "3"}`, "shift"},
	} {
		var got sampler.Config
		if err := json.Unmarshal([]byte(c.text), &got); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.text, err, c.want)
		}
	}
}

// TestImpossibleSchedules: stretching one sigma of 1 divides by zero, and
// diffusers goes on with NaN.
func TestImpossibleSchedules(t *testing.T) {
	var c sampler.Config
	if err := json.Unmarshal([]byte(`{"shift_terminal": 0.02}`), &c); err != nil {
		t.Fatal(err)
	}
	if s, err := sampler.FLUX(c, 1, 1024); err == nil || !strings.Contains(err.Error(), "try more steps") {
		t.Errorf("sigmas are %v (%v), want an error", s, err)
	}
}
