package lora

import (
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// pair is the tensors of one module.
type pair struct {
	down, up *checkpoint.Raw
	alpha    *float32
	keys     []string
}

// put stores one tensor of a pair; the text says what is wrong with it.
func (p *pair) put(r role, raw checkpoint.Raw) string {
	if r == alpha {
		values, err := checkpoint.Floats(raw)
		if err != nil || len(values) != 1 {
			return fmt.Sprintf("alpha is %s %v, want one number", raw.Type, raw.Shape)
		}
		p.alpha = &values[0]
		return ""
	}
	slot := &p.down
	if r == up {
		slot = &p.up
	}
	if *slot != nil {
		return "two tensors of one file update the same layer"
	}
	*slot = &raw
	return ""
}

// misfit says why the pair cannot update l; empty where it can.
func (p *pair) misfit(l *nn.Linear) string {
	if p.down == nil || p.up == nil {
		return "half of a pair of matrices is missing"
	}
	a, b := p.down.Shape, p.up.Shape
	if len(a) != 2 || len(b) != 2 {
		return fmt.Sprintf("matrices are %v and %v; adapters of convolutions are not supported", a, b)
	}
	if a[0] == 0 || a[0] != b[1] || a[1] != l.W.Cols || b[0] != l.W.Rows {
		return fmt.Sprintf("matrices are %v and %v, the layer is [%d %d]; is this LoRA for another model?", a, b, l.W.Rows, l.W.Cols)
	}
	for _, raw := range []*checkpoint.Raw{p.down, p.up} {
		if _, ok := tensor.ParseDType(raw.Type); !ok {
			return fmt.Sprintf("a matrix holds %s, which is no weight format", raw.Type)
		}
	}
	return ""
}

// bind gives both matrices of a pair that fits to the backend.
func (p *pair) bind(g tensor.Group) (a nn.Adapter, err error) {
	if a.Down, err = bind(g, p.down); err == nil {
		a.Up, err = bind(g, p.up)
	}
	return a, err
}

func bind(g tensor.Group, raw *checkpoint.Raw) (tensor.Tensor, error) {
	d, _ := tensor.ParseDType(raw.Type)
	return g.Bind(raw.Bytes, raw.Shape[0], raw.Shape[1], d)
}
