package sampler_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"testing"

	"taca/internal/fuzztest"
	"taca/internal/sampler"
)

// FuzzPoints: whatever a schedule says, on the command line or in a file, an
// error, or points whose timesteps fall, from which gamma is a number above 0 at
// any noise level. They are written and read again as they were.
func FuzzPoints(f *testing.F) {
	f.Add("1000=1.4,900=1.2,900=1")
	f.Add("# how gamma falls\n1000 1.4\r\n970;1.2 # here\n\n500,\t1\n")
	f.Add("1000=1e-45,1e-45=3.4e38")
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, 1<<14, 256, len(text), func() {
			for name, read := range map[string]func(string) ([]sampler.Point, error){"argument": sampler.ParsePoints, "file": sampler.ReadPoints} {
				points, err := read(text)
				if err != nil {
					continue
				}
				again, err := sampler.ParsePoints(sampler.FormatPoints(points))
				if err != nil || !slices.Equal(points, again) {
					t.Errorf("%s: %v became %v (%v)", name, points, again, err)
				}
				for _, sigma := range []float32{1, 0.97, 0.5, 1e-9, 0} {
					if g := float64(sampler.Piecewise(points)(0, sigma)); !(g > 0) || math.IsInf(g, 0) {
						t.Errorf("%s: %v is gamma %v at sigma %v", name, points, g, sigma)
					}
				}
			}
		})
	})
}

// FuzzConfig: whatever scheduler_config.json says, an error, or a configuration
// that is written and read again as it was, and whose noise levels are numbers.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"_class_name":"FlowMatchEulerDiscreteScheduler","shift":3.0,"num_train_timesteps":1000}`), 28, 4096)
	f.Add([]byte(`{"use_dynamic_shifting":true,"base_shift":0.5,"max_shift":1.15,"base_image_seq_len":256,"max_image_seq_len":4096,"shift_terminal":0.02,"time_shift_type":"linear"}`), 4, 256)
	f.Add([]byte(`{"use_dynamic_shifting":true,"base_shift":1e308,"max_shift":-1e308,"base_image_seq_len":-9223372036854775808}`), 1, 1)
	f.Fuzz(func(t *testing.T, data []byte, steps, tokens int) {
		var c sampler.Config
		var err error
		fuzztest.Bounded(t, 1<<14, 256, len(data), func() { err = json.Unmarshal(data, &c) })
		if err != nil {
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var again sampler.Config
		if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v became %+v (%v)", c, again, err)
		}
		if steps < 1 || steps > 100 || tokens < 1 || tokens > 1<<16 {
			return
		}
		for _, schedule := range []func(sampler.Config, int, int) (sampler.Schedule, error){sampler.FLUX, sampler.SD3} {
			sigmas, err := schedule(c, steps, tokens)
			if err == nil && (len(sigmas) != steps+1 || slices.ContainsFunc(sigmas, func(s float32) bool { return !(s >= 0 && s <= 1) })) {
				t.Errorf("%+v gives noise levels %v", c, sigmas)
			}
		}
	})
}
