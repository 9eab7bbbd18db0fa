package pipeline

import (
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"time"

	"taca/internal/checkpoint"
	"taca/internal/conditioning"
	"taca/internal/sampler"
)

// encodersVersion counts the changes to this program that give any encoder's
// result other bits, on any backend: of the models and the verbs they use, or
// of what entries hold. TestEncodersVersion tells when it must be raised.
const encodersVersion = 2

// conditioned is all that the encoders' result depends on, for one prompt.
//
// The number of T5 tokens is that of the ids; --weights changes the transformer
// alone. What the transformer makes of the result is not in it, so
// assemble comes after the cache.
type conditioned struct {
	Version    int
	Class      string // FLUX takes another vector of CLIP-L than SD3.5 does
	DType      string
	Arithmetic string // of the backend
	Encoders   []conditionedBy
}

type conditionedBy struct {
	Component string
	Config    []byte
	Weights   []byte // their fingerprint
	IDs       []int32
	Adapters  [][]byte `json:",omitempty"` // digests of what LoRAs add to it, in their order
}

// key is the name of a prompt's result on disk; false where there is no cache,
// or where nobody can tell whether the weights are those of another time.
func (p *Pipeline) key(ids [][]int32) (conditioning.Key, bool) {
	if p.config.Conditioning == nil {
		return conditioning.Key{}, false
	}
	all := conditioned{Version: encodersVersion, Class: p.Class, DType: p.config.DType.String(), Arithmetic: p.backend.Arithmetic()}
	for i, e := range p.family.encoders() {
		config, err := fs.ReadFile(p.folder.FS(), e.component()+"/config.json")
		weights, ok := p.weights.fingerprint(e.component())
		if err != nil || !ok {
			return conditioning.Key{}, false
		}
		all.Encoders = append(all.Encoders, conditionedBy{e.component(), config, weights, ids[i], p.adapters.digests(e.component())})
	}
	text, err := json.Marshal(all)
	return sha256.Sum256(text), err == nil
}

// fingerprint changes when a component's weights do; false where they are not
// used as their files hold them, or where the files cannot be trusted to tell.
func (w *weights) fingerprint(component string) ([]byte, bool) {
	s, err := w.component(component)
	stored, ok := s.(checkpoint.Weights)
	if err != nil || !ok {
		return nil, false
	}
	sum, ok := stored.Fingerprint(time.Now())
	return sum[:], ok
}

// recall is what the encoders said of a prompt once.
func (p *Pipeline) recall(k conditioning.Key) ([]encoded, bool) {
	tensors, ok := p.config.Conditioning.Find(k)
	if !ok {
		return nil, false
	}
	parts := make([]encoded, len(p.family.encoders()))
	for i, e := range p.family.encoders() {
		for _, t := range tensors {
			values, err := checkpoint.Floats(t.Raw)
			switch {
			case err != nil:
				return nil, false
			case t.Name == e.component()+tokensSuffix && len(t.Shape) == 2:
				parts[i].tokens = rows{t.Shape[0], t.Shape[1], values}
			case t.Name == e.component()+pooledSuffix:
				parts[i].pooled = values
			}
		}
		if parts[i].tokens.n == 0 {
			return nil, false
		}
	}
	return parts, true
}

// What an encoder says is called after its folder.
const tokensSuffix, pooledSuffix = ".tokens", ".pooled"

// remember keeps what the encoders said of a prompt, unless the weights were
// changed meanwhile or the numbers are none.
func (p *Pipeline) remember(k conditioning.Key, ids [][]int32, parts []encoded) error {
	if now, ok := p.key(ids); !ok || now != k {
		return nil
	}
	var tensors []checkpoint.Tensor
	for i, e := range p.family.encoders() {
		said := parts[i]
		if !sampler.Finite(said.tokens.data) || !sampler.Finite(said.pooled) {
			return nil
		}
		tensors = append(tensors, checkpoint.FromFloats(e.component()+tokensSuffix, []int{said.tokens.n, said.tokens.cols}, said.tokens.data))
		if said.pooled != nil {
			tensors = append(tensors, checkpoint.FromFloats(e.component()+pooledSuffix, []int{len(said.pooled)}, said.pooled))
		}
	}
	return p.config.Conditioning.Keep(k, tensors)
}
