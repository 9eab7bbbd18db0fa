package opstest

import (
	"fmt"

	"taca/internal/tensor"
)

// conv is one case of Conv3x3.
type conv struct {
	grid    tensor.Grid
	in, out int
	f       formats3
	bias    bool
	scale   scale
	strided bool
}

func convCases() []testCase {
	var all []testCase
	add := func(what string, c conv) {
		all = append(all, testCase{
			name:   fmt.Sprintf("Conv3x3/%s %d×%d of %d→%d %v", what, c.grid.Height, c.grid.Width, c.in, c.out, c.f),
			result: c.f.dst, scale: c.scale, strided: c.strided,
			flops: 18 * float64(c.grid.Rows()) * float64(c.in) * float64(c.out),
			build: func(s *stage) (tensor.Tensor, func()) {
				x, w := s.input(c.grid.Rows(), c.in, c.f.x), s.weight(c.out, 9*c.in, c.f.w, 1)
				dst, bias := s.blank(c.grid.Rows(), c.out, c.f.dst), none
				if c.bias {
					bias = s.vector(c.out, c.f.w)
				}
				return dst, func() { s.b.Conv3x3(dst, x, w, bias, c.grid) }
			},
		})
	}
	for _, f := range every() {
		add("formats", conv{grid: tensor.Grid{Height: 3, Width: 4}, in: 5, out: 7, f: f, bias: true})
		add("formats, even", conv{grid: tensor.Grid{Height: 5, Width: 7}, in: 24, out: 20, f: f, bias: true})
		add("formats, two tiles", conv{grid: tensor.Grid{Height: 9, Width: 15}, in: 40, out: 70, f: f, bias: true})
	}
	for _, f := range usual {
		for _, g := range []tensor.Grid{{Height: 1, Width: 1}, {Height: 1, Width: 9}, {Height: 9, Width: 1}, {Height: 2, Width: 2}, {Height: 7, Width: 17}} {
			add("grid", conv{grid: g, in: 6, out: 5, f: f, bias: true})
		}
		for _, channels := range [][2]int{{1, 1}, {3, 16}, {16, 3}, {33, 40}, {64, 64}} {
			add("channels", conv{grid: tensor.Grid{Height: 5, Width: 6}, in: channels[0], out: channels[1], f: f, bias: true})
		}
		add("no bias", conv{grid: tensor.Grid{Height: 5, Width: 6}, in: 8, out: 8, f: f})
		add("strided", conv{grid: tensor.Grid{Height: 5, Width: 6}, in: 11, out: 13, f: f, bias: true, strided: true})
		add("large", conv{grid: tensor.Grid{Height: 24, Width: 40}, in: 64, out: 96, f: f, bias: true, scale: large})
		add("huge", conv{grid: tensor.Grid{Height: 128, Width: 128}, in: 128, out: 128, f: f, bias: true, scale: huge})
	}
	return all
}

// grouped is one case of GroupNorm.
type grouped struct {
	rows, cols, groups int
	f                  formats3
	act                tensor.Activation
	in                 func(s *stage, rows, cols int, d tensor.DType) tensor.Tensor
	inPlace            bool
	scale              scale
	strided            bool
}

func groupNormCases() []testCase {
	var all []testCase
	add := func(what string, n grouped) {
		if n.in == nil {
			n.in = (*stage).input
		}
		all = append(all, testCase{
			name:   fmt.Sprintf("GroupNorm/%s %d×%d in %d %v", what, n.rows, n.cols, n.groups, n.f),
			result: n.f.dst, scale: n.scale, strided: n.strided,
			build: func(s *stage) (tensor.Tensor, func()) {
				x := n.in(s, n.rows, n.cols, n.f.x)
				dst := x
				if !n.inPlace {
					dst = s.blank(n.rows, n.cols, n.f.dst)
				}
				gain, bias := s.vector(n.cols, n.f.w), s.vector(n.cols, n.f.w)
				return dst, func() { s.b.GroupNorm(dst, x, gain, bias, n.groups, 1e-6, n.act) }
			},
		})
	}
	for _, f := range every() {
		add("formats", grouped{rows: 12, cols: 24, groups: 4, f: f})
		add("formats, even", grouped{rows: 130, cols: 32, groups: 4, f: f, act: tensor.SiLU})
	}
	for _, f := range usual {
		for _, a := range activations {
			add(a.String(), grouped{rows: 12, cols: 32, groups: 8, f: f, act: a})
		}
		for _, size := range [][3]int{{1, 4, 2}, {35, 6, 1}, {35, 7, 7}, {70, 96, 32}, {1000, 32, 32}} {
			add("size", grouped{rows: size[0], cols: size[1], groups: size[2], f: f})
		}
		add("strided", grouped{rows: 35, cols: 30, groups: 5, f: f, act: tensor.SiLU, strided: true})
		add("in place", grouped{rows: 35, cols: 30, groups: 5, f: formats3{f.dst, f.w, f.dst}, act: tensor.SiLU, inPlace: true})
		add("large", grouped{rows: 2048, cols: 256, groups: 32, f: f, act: tensor.SiLU, scale: large})
	}
	add("far from zero", grouped{rows: 100, cols: 24, groups: 4, f: usual[0], in: around(1000, 1)})
	return all
}
