package pipeline

import (
	"errors"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model"
	"taca/internal/model/sd3"
	"taca/internal/sampler"
)

// sd3Family is Stable Diffusion 3 and 3.5: both CLIPs side by side, then T5
// below them, give the text tokens; both CLIPs' projections the pooled prompt.
type sd3Family struct {
	config       sd3.Config
	clipL, clipG *clipEncoder
	t5           *t5Encoder // nil where the folder has none
	sample       int        // latent pixels along each side it was trained for
}

func openSD3(f *checkpoint.Folder) (family, error) {
	m := &sd3Family{
		clipL: &clipEncoder{folder: "text_encoder", name: "clip", pooled: projectedPooled},
		clipG: &clipEncoder{folder: "text_encoder_2", name: "clip_g", pooled: projectedPooled},
	}
	configs := map[string]any{
		"transformer": &m.config, m.clipL.folder: &m.clipL.config, m.clipG.folder: &m.clipG.config,
	}
	named, err := hasT5(f)
	if err != nil {
		return nil, err
	}
	if named && f.Has("text_encoder_3/config.json") {
		m.t5 = &t5Encoder{folder: "text_encoder_3"}
		configs[m.t5.folder] = &m.t5.config
	}
	trained := struct {
		Sample int `json:"sample_size"`
	}{Sample: 128}
	err = readConfigs(f, configs)
	if err == nil {
		err = f.ReadJSON("transformer/config.json", &trained)
	}
	m.sample = trained.Sample
	return m, err
}

func (m *sd3Family) encoders() []textEncoder {
	if m.t5 == nil {
		return []textEncoder{m.clipL, m.clipG}
	}
	return []textEncoder{m.clipL, m.clipG, m.t5}
}

// assemble follows StableDiffusion3Pipeline.encode_prompt: CLIP rows padded
// with zeros to T5's width, then T5's rows, which are zero where there is no
// T5.
func (m *sd3Family) assemble(parts []encoded, maxLength int) Text {
	l, g := parts[0], parts[1]
	tokens := zeros(l.tokens.n+maxLength, m.config.TextWidth)
	tokens.paste(l.tokens, 0, 0)
	tokens.paste(g.tokens, 0, l.tokens.cols)
	if m.t5 != nil {
		tokens.paste(parts[2].tokens, l.tokens.n, 0)
	}
	return Text{tokens: tokens, pooled: append(append([]float32{}, l.pooled...), g.pooled...)}
}

// textRow is of CLIP-L and T5; CLIP-G reads the same tokens beside CLIP-L.
func (m *sd3Family) textRow(encoder int) (int, bool) {
	switch encoder {
	case 0:
		return 0, true
	case 2:
		return clipLength, true
	}
	return 0, false
}

func (m *sd3Family) agrees() error {
	l, g := m.clipL.config, m.clipG.config
	errs := []error{width(m.clipL.folder+" and "+m.clipG.folder+", projected", l.ProjectionWidth+g.ProjectionWidth,
		"pooled_projection_dim", m.config.PooledWidth)}
	if both := l.Width + g.Width; both > m.config.TextWidth { // less is padded
		errs = append(errs, width(m.clipL.folder+" and "+m.clipG.folder, both, "joint_attention_dim", m.config.TextWidth))
	}
	if m.t5 != nil {
		errs = append(errs, width(m.t5.folder, m.t5.config.Width, "joint_attention_dim", m.config.TextWidth))
	}
	return errors.Join(errs...)
}

func (m *sd3Family) geometry() model.Geometry { return m.config.Geometry() }

func (m *sd3Family) spelling() lora.Kind { return lora.SD3 }

func (m *sd3Family) blocks() int { return m.config.Blocks }

func (m *sd3Family) denoiser(e env) (denoiser, error) {
	source, err := e.weights("transformer")
	if err != nil {
		return nil, err
	}
	return sd3.Open(m.config, source, e.backend, e.dtype)
}

func (m *sd3Family) schedule(c sampler.Config, steps, tokens int) (sampler.Schedule, error) {
	return sampler.SD3(c, steps, tokens)
}

// guide follows StableDiffusion3Pipeline: classifier-free guidance above 1,
// with an empty negative prompt where none is given.
func (m *sd3Family) guide(r Request, run *sampler.Run) bool {
	run.CFG = r.Guidance
	return r.Guidance > 1
}

func (m *sd3Family) defaults(downscale int) Defaults {
	return Defaults{Size: m.sample * downscale, Steps: 28, Guidance: 7, MaxLength: 256}
}

// hasT5 reports whether model_index.json wants a third encoder: diffusers
// writes [null, null] for a pipeline that was saved without its T5.
func hasT5(f *checkpoint.Folder) (bool, error) {
	var index struct {
		T5 []*string `json:"text_encoder_3"`
	}
	err := f.ReadJSON("model_index.json", &index)
	return index.T5 == nil || len(index.T5) == 2 && index.T5[1] != nil, err
}

// remarks tells of a T5 that is named but not there, which makes a picture
// that follows its prompt less.
func (m *sd3Family) remarks() []string {
	if m.t5 == nil {
		return []string{"the model has no text_encoder_3: it paints without T5"}
	}
	return nil
}
