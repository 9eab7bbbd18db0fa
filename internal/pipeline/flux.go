package pipeline

import (
	"errors"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model"
	"taca/internal/model/flux"
	"taca/internal/sampler"
)

// fluxFamily is FLUX.1 dev, schnell and models of their shape: T5 gives the
// text tokens, CLIP-L the pooled prompt.
type fluxFamily struct {
	config flux.Config
	clip   *clipEncoder
	t5     *t5Encoder
}

func openFlux(f *checkpoint.Folder) (family, error) {
	m := &fluxFamily{clip: &clipEncoder{folder: "text_encoder", name: "clip", pooled: finalPooled}, t5: &t5Encoder{folder: "text_encoder_2"}}
	err := readConfigs(f, map[string]any{
		"transformer": &m.config, m.clip.folder: &m.clip.config, m.t5.folder: &m.t5.config,
	})
	return m, err
}

func (m *fluxFamily) remarks() []string { return nil }

func (m *fluxFamily) encoders() []textEncoder { return []textEncoder{m.clip, m.t5} }

func (m *fluxFamily) assemble(parts []encoded, _ int) Text {
	return Text{tokens: parts[1].tokens, pooled: parts[0].pooled}
}

func (m *fluxFamily) textRow(encoder int) (int, bool) { return 0, encoder == 1 }

func (m *fluxFamily) agrees() error {
	return errors.Join(
		width(m.t5.folder, m.t5.config.Width, "joint_attention_dim", m.config.TextWidth),
		width(m.clip.folder, m.clip.config.Width, "pooled_projection_dim", m.config.PooledWidth))
}

func (m *fluxFamily) geometry() model.Geometry { return m.config.Geometry() }

func (m *fluxFamily) spelling() lora.Kind { return lora.FLUX }

func (m *fluxFamily) blocks() int { return m.config.DoubleBlocks + m.config.SingleBlocks }

func (m *fluxFamily) denoiser(e env) (denoiser, error) {
	source, err := e.weights("transformer")
	if err != nil {
		return nil, err
	}
	return flux.Open(m.config, source, e.backend, e.dtype)
}

func (m *fluxFamily) schedule(c sampler.Config, steps, tokens int) (sampler.Schedule, error) {
	return sampler.FLUX(c, steps, tokens)
}

// guide follows FluxPipeline: guidance is an input of the transformer, and a
// true CFG scale above 1 adds classifier-free guidance. (FluxPipeline wants a
// negative prompt as well; here an empty one counts, as it does for SD3.)
func (m *fluxFamily) guide(r Request, run *sampler.Run) bool {
	run.Embedded, run.CFG = r.Guidance, r.TrueCFG
	return r.TrueCFG > 1
}

func (m *fluxFamily) defaults(downscale int) Defaults {
	const sample = 128 // latent pixels, FluxPipeline.default_sample_size
	if m.config.GuidanceEmbeds {
		return Defaults{Size: sample * downscale, Steps: 28, Guidance: 3.5, MaxLength: 512}
	}
	return Defaults{Size: sample * downscale, Steps: 4, Guidance: 0, MaxLength: 256}
}
