package dialect_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// TestCut: parts are rows of the module one after the other, windows of its
// bytes; exchanged halves are a copy.
func TestCut(t *testing.T) {
	flux, sd3 := dialect.FLUX(2, 2), dialect.SD3(3)
	for _, c := range []struct {
		name   string
		module dialect.Module
		shape  []int
		row    int // bytes of one
		width  int
		want   [][2]int // rows of each part
	}{
		{"qkv", flux["double_blocks.1.txt_attn.qkv"], []int{12, 4}, 8, 4, [][2]int{{0, 4}, {4, 8}, {8, 12}}},
		{"qkv, bias", flux["double_blocks.0.img_attn.qkv"], []int{12}, 2, 4, [][2]int{{0, 4}, {4, 8}, {8, 12}}},
		{"qkv, packed in blocks", sd3["joint_blocks.2.context_block.attn.qkv"], []int{12, 32}, 18, 4, [][2]int{{0, 4}, {4, 8}, {8, 12}}},
		{"linear1", flux["single_blocks.1.linear1"], []int{28, 4}, 8, 4, [][2]int{{0, 4}, {4, 8}, {8, 12}, {12, 28}}},
		{"whole", flux["double_blocks.1.img_mlp.0"], []int{16, 4}, 8, 4, [][2]int{{0, 16}}},
	} {
		raw := checkpoint.Raw{Shape: c.shape, Type: "X", Bytes: make([]byte, c.shape[0]*c.row)}
		parts, err := c.module.Cut(raw, c.width)
		if err != nil || len(parts) != len(c.want) || len(parts) != len(c.module.Parts) {
			t.Errorf("%s: %d parts of %v, want %d (%v)", c.name, len(parts), c.module.Parts, len(c.want), err)
			continue
		}
		for i, p := range parts {
			lo, hi := c.want[i][0], c.want[i][1]
			shape := append([]int{hi - lo}, c.shape[1:]...)
			if !slices.Equal(p.Shape, shape) || p.Type != "X" || len(p.Bytes) != (hi-lo)*c.row || &p.Bytes[0] != &raw.Bytes[lo*c.row] {
				t.Errorf("%s: %s is %v with %d bytes, want a window of rows %d to %d", c.name, c.module.Parts[i], p.Shape, len(p.Bytes), lo, hi)
			}
		}
		shapesAlone, err := c.module.Cut(checkpoint.Raw{Shape: c.shape}, c.width)
		if err != nil || shapesAlone[0].Bytes != nil || !slices.Equal(shapesAlone[0].Shape, parts[0].Shape) {
			t.Errorf("%s: without bytes %v (%v)", c.name, shapesAlone, err)
		}
	}
}

func TestSwap(t *testing.T) {
	for name, m := range map[string]dialect.Module{
		"FLUX":           dialect.FLUX(1, 1)["final_layer.adaLN_modulation.1"],
		"SD3":            dialect.SD3(2)["final_layer.adaLN_modulation.1"],
		"SD3's last":     dialect.SD3(2)["joint_blocks.1.context_block.adaLN_modulation.1"],
		"SD3, last of 1": dialect.SD3(1)["joint_blocks.0.context_block.adaLN_modulation.1"],
	} {
		raw := checkpoint.Raw{Shape: []int{4, 1}, Type: "BF16", Bytes: []byte{0, 1, 2, 3, 4, 5, 6, 7}}
		parts, err := m.Cut(raw, 1)
		if err != nil || !slices.Equal(parts[0].Bytes, []byte{4, 5, 6, 7, 0, 1, 2, 3}) || raw.Bytes[0] != 0 {
			t.Errorf("%s: %v (%v), was %v", name, parts, err, raw.Bytes)
		}
		if _, err := m.Cut(checkpoint.Raw{Shape: []int{3}, Bytes: []byte{1, 2, 3}}, 1); err == nil {
			t.Errorf("%s: three rows have halves", name)
		}
	}
	swapped := map[string]int{}
	for name, table := range map[string]dialect.Table{"FLUX": dialect.FLUX(19, 38), "SD3": dialect.SD3(24)} {
		for _, m := range table {
			if m.Swapped {
				swapped[name]++
			}
		}
	}
	if swapped["FLUX"] != 1 || swapped["SD3"] != 2 {
		t.Errorf("modules whose halves are exchanged: %v, want 1 of FLUX and 2 of SD3", swapped)
	}
}

func TestCutRefuses(t *testing.T) {
	qkv := dialect.FLUX(1, 1)["double_blocks.0.img_attn.qkv"]
	for _, shape := range [][]int{nil, {8, 4}, {0, 4}} {
		if _, err := qkv.Cut(checkpoint.Raw{Shape: shape}, 4); err == nil || !strings.Contains(err.Error(), "attn.to_k") {
			t.Errorf("%v: error %v", shape, err)
		}
	}
	if _, err := qkv.Cut(checkpoint.Raw{Shape: []int{0}}, math.MaxInt); err == nil {
		t.Error("no rows were cut in parts of very many")
	}
	if parts, err := qkv.Cut(checkpoint.Raw{Shape: []int{9}}, 4); err != nil || parts[2].Shape[0] != 1 {
		t.Errorf("a last part of one row: %v (%v)", parts, err)
	}
	if _, err := qkv.Cut(checkpoint.Raw{Shape: []int{12, 4}}, 0); err == nil {
		t.Error("rows of no width were cut")
	}
}

// TestUnderscored: no two names of a published model are the same with "_" for
// ".". The numbers of modules are those of the published files.
func TestUnderscored(t *testing.T) {
	for name, c := range map[string]struct {
		table dialect.Table
		want  int
	}{"FLUX.1 dev": {dialect.FLUX(19, 38), 10 + 19*14 + 38*5}, "SD3.5 large": {dialect.SD3(38), 8 + 38*18}} {
		if len(c.table) != c.want || len(c.table.Underscored()) != c.want {
			t.Errorf("%s: %d modules, %d with underscores, want %d", name, len(c.table), len(c.table.Underscored()), c.want)
		}
	}
	m, ok := dialect.FLUX(19, 38).Underscored()["double_blocks_7_img_attn_qkv"]
	if !ok || m.Parts[1] != "transformer_blocks.7.attn.to_k" {
		t.Errorf("double_blocks_7_img_attn_qkv is %v", m)
	}
}
