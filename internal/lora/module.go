package lora

import (
	"encoding/binary"
	"fmt"
	"math"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// module is the tensors of one module of a file.
type module struct {
	name     string   // as the file spells it
	keys     []string // the one that is to blame comes first
	down, up *checkpoint.Raw
	alpha    *float32
	idle     int    // tensors that are all zero, whatever they are for
	why      string // it cannot be read, or empty
}

// put stores one tensor.
func (m *module) put(k key, name string, raw checkpoint.Raw) {
	why := ""
	switch k.role {
	case refused:
		why = k.why
	case full:
		if zero(raw) {
			m.idle++
		} else {
			why = k.why
		}
	case alpha:
		why = m.putAlpha(raw)
	default:
		why = m.putFactor(k.role, raw)
	}
	if m.why == "" && why != "" {
		m.why = why
		m.keys = append([]string{name}, m.keys...)
		return
	}
	m.keys = append(m.keys, name)
}

func (m *module) putAlpha(raw checkpoint.Raw) string {
	v, err := number(raw)
	switch {
	case err != nil:
		return fmt.Sprintf("alpha is %s %v, want one number", raw.Type, raw.Shape)
	case m.alpha != nil:
		return "two tensors of one file are the same module's alpha"
	}
	m.alpha = &v
	return ""
}

func (m *module) putFactor(r role, raw checkpoint.Raw) string {
	slot := &m.down
	if r == up {
		slot = &m.up
	}
	if *slot != nil {
		return twice
	}
	*slot = &raw
	return ""
}

const twice = "two tensors of one file update the same layer"

// nothing reports whether the module changes no weight, wherever it belongs.
func (m *module) nothing() bool {
	if m.down == nil && m.up == nil {
		return m.idle > 0
	}
	return m.down != nil && m.up != nil && (zero(*m.down) || zero(*m.up))
}

// misfit says why the module's matrices are none of an adapter, or empty.
func (m *module) misfit() string {
	if m.down == nil || m.up == nil {
		return "half of a pair of matrices is missing"
	}
	a, b := m.down.Shape, m.up.Shape
	if len(a) < 2 || len(b) < 2 || len(a) != len(b) || b[1] != a[0] || a[0] == 0 || m.up.Elements() != b[0]*b[1] {
		return fmt.Sprintf("matrices are %v and %v, which have no product", a, b)
	}
	for _, raw := range []*checkpoint.Raw{m.down, m.up} {
		if d, ok := tensor.ParseDType(raw.Type); !ok || d.Quantised() {
			return fmt.Sprintf("a matrix holds %s, which is no format of an adapter", raw.Type)
		}
	}
	return ""
}

// rank is r.
func (m *module) rank() int { return m.down.Shape[0] }

// zero reports whether all numbers are 0 or -0. What is no weight format is
// not.
func zero(raw checkpoint.Raw) bool {
	d, ok := tensor.ParseDType(raw.Type)
	if !ok || d.Quantised() || len(raw.Bytes) == 0 {
		return false
	}
	one := make([]float32, 1)
	for data := raw.Bytes; len(data) > 0; data = data[d.Size():] {
		if checkpoint.Decode(one, d, data); one[0] != 0 {
			return false
		}
	}
	return true
}

// number is a tensor of one, whatever its shape.
func number(raw checkpoint.Raw) (float32, error) {
	if raw.Type == "F64" && len(raw.Bytes) == 8 {
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(raw.Bytes))), nil
	}
	values, err := checkpoint.Floats(raw)
	if err == nil && len(values) != 1 {
		err = fmt.Errorf("%d numbers", len(values))
	}
	if err != nil {
		return 0, err
	}
	return values[0], nil
}
