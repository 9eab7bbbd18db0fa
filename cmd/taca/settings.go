package main

import (
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/pipeline"
)

// settingFlags are the flags that presets and --config files may also set,
// each with how it is carried over from the command line.
type settingFlags struct {
	given configs.Settings
	carry map[string]func(to, from *configs.Settings)
	sized image.Point // width and height that were asked for, 0 where only a preset says; set by resolve
}

func newSettingFlags() *settingFlags {
	return &settingFlags{given: configs.Defaults(), carry: map[string]func(to, from *configs.Settings){}}
}

// flag registers one flag: define binds it to the field that field points at.
func flag[T any](f *settingFlags, name string, field func(*configs.Settings) *T, define func(*T)) {
	define(field(&f.given))
	f.carry[name] = func(to, from *configs.Settings) { *field(to) = *field(from) }
}

// model registers the flags that say what is opened and where it runs.
func (f *settingFlags) model(c *cobra.Command) {
	f.folder(c)
	f.device(c)
	f.dtype(c)
	f.weights(c)
}

// folder registers the flag that says what is opened.
func (f *settingFlags) folder(c *cobra.Command) {
	fl := c.Flags()
	flag(f, "model", func(s *configs.Settings) *string { return &s.Model }, func(p *string) {
		fl.StringVarP(p, "model", "m", "", "diffusers `folder`, single file of any dialect, preset ("+strings.Join(configs.Names(), ", ")+"), or ORG/NAME that was pulled (default: the embedded model)")
	})
	f.parts(c)
}

// device registers the flags that say where a model runs.
func (f *settingFlags) device(c *cobra.Command) {
	fl := c.Flags()
	flag(f, "device", func(s *configs.Settings) *string { return &s.Device }, func(p *string) {
		fl.StringVar(p, "device", "auto", "`name`: auto, cpu or cuda[:i]")
	})
	flag(f, "threads", func(s *configs.Settings) *int { return &s.Threads }, func(p *int) {
		fl.IntVarP(p, "threads", "t", 0, "processors to use, `N` of them (0: all)")
	})
	flag(f, "offload", func(s *configs.Settings) *string { return &s.Offload }, func(p *string) {
		fl.StringVar(p, "offload", "auto", "`mode` on a card: none keeps all weights there, stream brings each block in every step, auto streams what does not fit")
	})
	flag(f, "vram-limit", func(s *configs.Settings) *string { return &s.VRAMLimit }, func(p *string) {
		fl.StringVar(p, "vram-limit", "", "`size` of a card's memory to use at most, such as 12GiB (default: what is free)")
	})
	flag(f, "ram-limit", func(s *configs.Settings) *string { return &s.RAMLimit }, func(p *string) {
		fl.StringVar(p, "ram-limit", "", "`size` of memory to use at most on the processor, where weights that do not fit are read again in every step (default: what is free, control groups and ulimit considered)")
	})
}

// dtype registers the format of activations.
func (f *settingFlags) dtype(c *cobra.Command) {
	flag(f, "dtype", func(s *configs.Settings) *string { return &s.DType }, func(p *string) {
		c.Flags().StringVar(p, "dtype", "auto", "`format` of activations: f32, bf16, or auto (bf16 where weights and processor have it)")
	})
}

// weights registers the format of the transformer's weights.
func (f *settingFlags) weights(c *cobra.Command) {
	flag(f, "weights", func(s *configs.Settings) *string { return &s.Weights }, func(p *string) {
		c.Flags().StringVar(p, "weights", "", "`format` that the matrices of the transformer's blocks are converted to when it is opened: bf16, f8, q8 or q4; what is as narrow already stays (default: as stored)")
	})
}

// picture registers the flags that say how large and how long.
func (f *settingFlags) picture(c *cobra.Command) {
	f.size(c)
	fl := c.Flags()
	flag(f, "steps", func(s *configs.Settings) *int { return &s.Steps }, func(p *int) {
		fl.IntVar(p, "steps", 0, "`N` denoising steps (0: the model's own)")
	})
	flag(f, "guidance", func(s *configs.Settings) *float32 { return &s.Guidance }, func(p *float32) {
		fl.Float32Var(p, "guidance", -1, "`strength` of guidance: embedded (FLUX dev) or classifier-free (SD3.5); -1: the model's own")
	})
	f.reading(c)
}

// size registers the flags that say how large.
func (f *settingFlags) size(c *cobra.Command) {
	fl := c.Flags()
	flag(f, "width", func(s *configs.Settings) *int { return &s.Width }, func(p *int) {
		fl.IntVarP(p, "width", "W", 0, "`pixels`, a multiple of 16 (0: the model's own)")
	})
	flag(f, "height", func(s *configs.Settings) *int { return &s.Height }, func(p *int) {
		fl.IntVarP(p, "height", "H", 0, "`pixels`, a multiple of 16 (0: the model's own)")
	})
}

// reading registers the flags that say how the prompt is read.
func (f *settingFlags) reading(c *cobra.Command) {
	fl := c.Flags()
	flag(f, "true-cfg", func(s *configs.Settings) *float32 { return &s.TrueCFG }, func(p *float32) {
		fl.Float32Var(p, "true-cfg", 0, "`strength` of classifier-free guidance on FLUX, above 1 to act; doubles the work")
	})
	flag(f, "max-sequence-length", func(s *configs.Settings) *int { return &s.MaxLength }, func(p *int) {
		fl.IntVar(p, "max-sequence-length", 0, "`N` T5 tokens, at most 512 (0: the model's own)")
	})
}

// cache registers the cache of steps.
func (f *settingFlags) cache(c *cobra.Command) {
	flag(f, "cache", func(s *configs.Settings) *float32 { return &s.Cache }, func(p *float32) {
		c.Flags().Float32Var(p, "cache", 0, "`change` of the first block up to which a step takes the others' work from an earlier step, such as 0.08; 0: never")
	})
}

// conditioning registers the cache of encoded prompts.
func (f *settingFlags) conditioning(c *cobra.Command) {
	flag(f, "conditioning-cache", func(s *configs.Settings) *string { return &s.ConditioningCache }, func(p *string) {
		c.Flags().StringVar(p, "conditioning-cache", "", "`folder` that keeps encoded prompts for later runs, 1 GiB of them, or off (default: $"+conditioningVariable+", or taca/conditioning in the user's cache folder)")
	})
}

// text registers the prompt, the seed and the adapters.
func (f *settingFlags) text(c *cobra.Command) {
	fl := c.Flags()
	f.prompt(c)
	f.negative(c)
	f.seed(c)
	flag(f, "count", func(s *configs.Settings) *int { return &s.Count }, func(p *int) {
		fl.IntVarP(p, "count", "n", 1, "`N` pictures, with consecutive seeds")
	})
	f.lora(c)
	f.tacaLoRA(c)
	flag(f, "output", func(s *configs.Settings) *string { return &s.Output }, func(p *string) {
		fl.StringVarP(p, "output", "o", "", "PNG `file`; {seed} and {index} are filled in; - writes the PNG to standard output (default taca-{seed}.png)")
	})
}

// prompt registers what to paint.
func (f *settingFlags) prompt(c *cobra.Command) {
	flag(f, "prompt", func(s *configs.Settings) *string { return &s.Prompt }, func(p *string) {
		c.Flags().StringVarP(p, "prompt", "p", "", "`text`: what to paint; - reads standard input")
	})
}

// seed registers which noise a picture begins with.
func (f *settingFlags) seed(c *cobra.Command) {
	flag(f, "seed", func(s *configs.Settings) *int64 { return &s.Seed }, func(p *int64) {
		c.Flags().Int64VarP(p, "seed", "s", 0, "`number` of the noise, as torch's CPU generator (default 0); negative: a random one")
	})
}

// negative registers the negative prompt.
func (f *settingFlags) negative(c *cobra.Command) {
	flag(f, "negative-prompt", func(s *configs.Settings) *string { return &s.Negative }, func(p *string) {
		c.Flags().StringVar(p, "negative-prompt", "", "`text`: what to keep away from, under classifier-free guidance")
	})
}

// lora registers the adapters that are always active.
func (f *settingFlags) lora(c *cobra.Command) {
	flag(f, "lora", func(s *configs.Settings) *[]string { return &s.LoRA }, func(p *[]string) {
		c.Flags().StringArrayVar(p, "lora", nil, "`FILE[:SCALE]`, an adapter that is always active, of the transformer, the text encoders or both; repeatable, each with its scale")
	})
	flag(f, "lora-lenient", func(s *configs.Settings) *bool { return &s.Lenient }, func(p *bool) {
		c.Flags().BoolVar(p, "lora-lenient", false, "go on without those parts of an adapter that this model or taca has no place for, and name them")
	})
}

// tacaLoRA registers the adapters that follow gamma.
func (f *settingFlags) tacaLoRA(c *cobra.Command) {
	flag(f, "taca-lora", func(s *configs.Settings) *[]string { return &s.TACALoRA }, func(p *[]string) {
		c.Flags().StringArrayVar(p, "taca-lora", nil, "`FILE[:SCALE]`, an adapter of the transformer, active exactly in the steps where gamma is not 1; demo is the embedded model's own; repeatable")
	})
}

// sources are the layers of settings under the flags.
type sources struct {
	config string  // a YAML file
	record *record // of a picture to repeat
}

// resolve lays the sources over each other: defaults, the preset, a picture's
// record, the --config file, and what the command line says.
func (f *settingFlags) resolve(c *cobra.Command, from sources) (configs.Settings, error) {
	var file []byte
	if from.config != "" {
		var err error
		if file, err = os.ReadFile(from.config); err != nil {
			return configs.Settings{}, usagef("read --config %s: %w", from.config, cause(err))
		}
	}
	over := func(s *configs.Settings) error {
		if from.record != nil {
			from.record.apply(s)
		}
		if file != nil {
			if err := s.Overlay(file, from.config); err != nil {
				return usageError{err}
			}
		}
		for name, carry := range f.carry {
			if c.Flags().Changed(name) {
				carry(s, &f.given)
			}
		}
		if c.Flags().Changed("gamma-threshold") {
			s.GammaN = -1
		}
		return nil
	}
	if _, one := f.carry["gamma-steps"]; one && c.Flags().Changed("gamma-steps") && c.Flags().Changed("gamma-threshold") {
		return configs.Settings{}, usagef("--gamma-steps and --gamma-threshold are two ways to say when gamma acts: give one")
	}
	s := configs.Defaults()
	if err := over(&s); err != nil {
		return s, err
	}
	f.sized = image.Pt(s.Width, s.Height)
	name := s.Model
	if name == "" && !s.Parts.Any() {
		name = demoPreset
	}
	preset, ok, err := configs.Find(name)
	if err != nil {
		return s, err
	}
	if ok {
		s = configs.Defaults()
		if err := errors.Join(preset.Apply(&s), over(&s)); err != nil {
			return s, err
		}
	}
	return s, settle(c, &s)
}

// request is the settings as the pipeline wants them, with the model's own
// where none are given.
func request(s configs.Settings, d pipeline.Defaults) pipeline.Request {
	r := pipeline.Request{
		Prompt: s.Prompt, Negative: s.Negative, Width: s.Width, Height: s.Height, Steps: s.Steps,
		Guidance: s.Guidance, TrueCFG: s.TrueCFG, Seed: s.Seed, MaxLength: s.MaxLength,
		TACA: tacaOf(s), Cache: s.Cache,
	}
	fill(&r.Width, d.Size)
	fill(&r.Height, d.Size)
	fill(&r.Steps, d.Steps)
	fill(&r.MaxLength, d.MaxLength)
	if r.Guidance == -1 {
		r.Guidance = d.Guidance
	}
	return r
}

func fill(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

// adapters reads the FILE[:SCALE] arguments.
func adapters(s configs.Settings) ([]pipeline.LoRA, error) {
	var out []pipeline.LoRA
	for _, list := range []struct {
		flag string
		args []string
		taca bool
	}{{"--lora", s.LoRA, false}, {"--taca-lora", s.TACALoRA, true}} {
		for _, arg := range list.args {
			l, err := adapter(arg)
			if err != nil {
				return nil, usagef("%s %s: %w", list.flag, arg, err)
			}
			l.TACA = list.taca
			out = append(out, l)
		}
	}
	return out, nil
}

// adapter reads one FILE[:SCALE]; a file whose name holds the colon wins.
func adapter(arg string) (pipeline.LoRA, error) {
	l := pipeline.LoRA{Path: arg, Scale: 1}
	i := strings.LastIndexByte(arg, ':')
	if _, err := os.Stat(arg); err == nil || i <= 0 {
		return l, nil
	}
	scale, err := strconv.ParseFloat(arg[i+1:], 32)
	switch {
	case err != nil:
		return l, fmt.Errorf("%q is no number: write FILE or FILE:SCALE", arg[i+1:])
	case math.IsNaN(scale) || math.Abs(scale) > 1e3:
		return l, fmt.Errorf("scale %g: must be between -1000 and 1000", scale)
	}
	l.Path, l.Scale = arg[:i], float32(scale)
	return l, nil
}

// describe is an adapter as its flag wants it.
func describe(l pipeline.LoRA) string { return fmt.Sprintf("%s:%g", l.Path, l.Scale) }
