package pipeline

import (
	"errors"
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/model"
	"taca/internal/model/vae"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// Model is a model folder whose configuration has been read and found sound.
// It holds no weights: Open adds them, Plan does without.
type Model struct {
	Name      string // the folder, as messages call it
	Class     string // of model_index.json
	folder    *checkpoint.Folder
	family    family
	scheduler sampler.Config
	vae       vae.Config
	convert   *tensor.DType // see Convert
}

// Read reads the configuration of a diffusers folder. All that is missing or
// wrong is reported together.
func Read(f *checkpoint.Folder) (*Model, error) {
	fam, class, err := openFamily(f)
	if fam == nil {
		return nil, err
	}
	m := &Model{Name: f.String(), Class: class, folder: f, family: fam}
	err = errors.Join(err,
		f.ReadJSON("scheduler/scheduler_config.json", &m.scheduler),
		f.ReadJSON("vae/config.json", &m.vae))
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Convert makes the matrices of the transformer's blocks d when they are opened:
// BF16, F8E4M3, Q8 or Q4.
func (m *Model) Convert(d tensor.DType) { m.convert = &d }

// InProgram reports whether the weights are not mapped from files but read from
// the program itself.
func (m *Model) InProgram() bool {
	return !m.folder.OnDisk() && m.folder.Sub("transformer").HasWeights(stem("transformer"))
}

// Remarks is what people should know of this folder before they wait.
func (m *Model) Remarks() []string { return m.family.remarks() }

// Defaults are the settings the model's authors recommend.
func (m *Model) Defaults() Defaults { return m.family.defaults(m.vae.Downscale()) }

// Scales are the two kinds of guidance that r has on this model: what the
// transformer embeds, and classifier-free, which is 1 where there is none.
func (m *Model) Scales(r Request) (embedded, classifierFree float32) {
	var run sampler.Run
	if !m.family.guide(r, &run) {
		run.CFG = 1
	}
	return run.Embedded, run.CFG
}

// Geometry relates image sizes to latents and tokens.
func (m *Model) Geometry() (model.Geometry, error) {
	g := m.family.geometry()
	g.Downscale = m.vae.Downscale()
	if g.Channels != m.vae.LatentChannels {
		return g, fmt.Errorf("%s: the transformer has %d latent channels, the VAE %d", m.Name, g.Channels, m.vae.LatentChannels)
	}
	return g, nil
}

// agrees reports parts that belong to different models, as a
// *checkpoint.Error: the verbs would panic over their shapes.
func (m *Model) agrees() error {
	if err := m.family.agrees(); err != nil {
		return &checkpoint.Error{Path: m.Name, Problem: err.Error(), Hint: "its parts belong to different models"}
	}
	return nil
}

// EachPart visits the weights of every component, mapped while visit runs.
func (m *Model) EachPart(visit func(name string, s checkpoint.Source)) error {
	w := m.newWeights()
	var errs []error
	for _, name := range m.parts() {
		s, err := w.stored(name)
		if err == nil {
			visit(name, s)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, w.close())...)
}

// StoredAs reports whether most bytes of a component have the format d.
func (m *Model) StoredAs(component string, d tensor.DType) bool {
	w := m.newWeights()
	defer w.close()
	s, err := w.stored(component)
	if err != nil || len(s.Names()) == 0 {
		return false
	}
	bytes := 0
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		if raw.Type == d.String() {
			bytes += len(raw.Bytes)
		} else {
			bytes -= len(raw.Bytes)
		}
	}
	return bytes > 0
}

// parts are the components that hold weights, in the order they run.
func (m *Model) parts() []string {
	var names []string
	for _, e := range m.family.encoders() {
		names = append(names, e.component())
	}
	return append(names, "transformer", "vae")
}
