package dry

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/mapping"
	"taca/internal/tensor"
)

func weight(t *testing.T, b *Backend, rows, cols int, d tensor.DType) tensor.Tensor {
	t.Helper()
	w, err := b.NewGroup().Bind(nil, rows, cols, d)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestCounts(t *testing.T) {
	b := New()
	w, bias := weight(t, b, 30, 20, tensor.BF16), weight(t, b, 1, 30, tensor.F32)
	down, up := weight(t, b, 4, 20, tensor.F16), weight(t, b, 30, 4, tensor.F8E4M3)
	if want := 30*20*2 + 30*4 + 4*20*2 + 30*4; b.WeightBytes() != want {
		t.Errorf("%d bytes of weights, want %d", b.WeightBytes(), want)
	}
	x, err := b.New(7, 20, tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	mark := b.Mark()
	y := b.Scratch(7, 30, tensor.BF16) // 420 bytes in 7 lines of 64
	b.Linear(y, x, w, bias, tensor.SiLU)
	b.Linear(y, x, w, tensor.Tensor{}, tensor.SiLU)
	b.AddLowRank(y, x, down, up, 1)
	z := b.Scratch(7, 30, tensor.F32) // 840 bytes in 14 lines
	b.Attention(z, y, y, y, tensor.AttentionSpec{Heads: 3, Scale: 1, Gamma: 1})
	b.Release(mark)
	b.Free(x)
	if _, err := b.New(1, 1, tensor.F32); err != nil {
		t.Fatal(err)
	}
	want := map[string]Count{
		"Linear":     {2, 2 * 2 * 7 * 20 * 30},
		"AddLowRank": {1, 2 * 7 * 4 * (20 + 30)},
		"Attention":  {1, 4 * 7 * 7 * 30},
	}
	total := 0.0
	for verb, c := range want {
		total += c.FLOPs
		if b.Verbs()[verb] != c {
			t.Errorf("%s: %+v, want %+v", verb, b.Verbs()[verb], c)
		}
	}
	if len(b.Verbs()) != len(want) || b.FLOPs() != total {
		t.Errorf("%v add up to %v, want %v", b.Verbs(), b.FLOPs(), total)
	}
	if b.PeakScratch() != 21*64 || b.PeakState() != 7*20*4 {
		t.Errorf("scratch %d, state %d; want %d, %d", b.PeakScratch(), b.PeakState(), 21*64, 7*20*4)
	}
}

// TestCopied tells windows of mapped files from what is made or read.
func TestCopied(t *testing.T) {
	disk, err := os.Create(filepath.Join(t.TempDir(), "weights"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Write(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	file, err := mapping.Map(disk, 64)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := New()
	for _, raws := range [][][]byte{{file.Bytes()[8:24], nil}, {make([]byte, 16), file.Bytes()[:16], nil}, {file.Bytes()[48:]}} {
		g := b.NewGroup()
		for _, raw := range raws {
			if _, err := g.Bind(raw, 2, 2, tensor.F32); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, want := b.Copied(false), []int{16, 32, 0}; !slices.Equal(got, want) {
		t.Errorf("%v bytes are copied, want %v", got, want)
	}
}

// TestHostAndOperands are what a plan adds to scratch and state.
func TestHostAndOperands(t *testing.T) {
	b := New()
	x, y := b.Scratch(7, 20, tensor.F32), b.Scratch(7, 30, tensor.F32)
	b.Linear(y, x, weight(t, b, 30, 20, tensor.BF16), tensor.Tensor{}, tensor.SiLU)
	b.Linear(y.RowRange(0, 1), x.RowRange(0, 1), weight(t, b, 30, 20, tensor.BF16), tensor.Tensor{}, tensor.SiLU)
	b.Upload(x, make([]float32, 140))
	b.Download(make([]float32, 210), y)
	if got := b.Operands(); len(got) != 1 || got[30] != 140 {
		t.Errorf("operands %v, want 140 elements for 30 columns", got)
	}
	if got := b.HostBytes(); got != 350*4 {
		t.Errorf("%d bytes of arrays", got)
	}
}

func TestConvCounts(t *testing.T) {
	b := New()
	x, y := b.Scratch(6, 8, tensor.F32), b.Scratch(6, 5, tensor.F32)
	b.Conv3x3(y, x, weight(t, b, 5, 72, tensor.F32), tensor.Tensor{}, tensor.Grid{Height: 2, Width: 3})
	if got := b.Verbs()["Conv3x3"]; got != (Count{1, 2 * 6 * 9 * 8 * 5}) {
		t.Error(got)
	}
}

// TestPanics holds the mistakes that models make.
func TestPanics(t *testing.T) {
	for name, mistake := range map[string]func(b *Backend, x, y tensor.Tensor){
		"shapes do not fit": func(b *Backend, x, y tensor.Tensor) { b.Mul(x, x, y.RowRange(0, 3)) },
		"overlaps the operand": func(b *Backend, x, y tensor.Tensor) {
			b.Copy(x.RowRange(0, 2), x.RowRange(1, 3))
		},
		"in part": func(b *Backend, x, y tensor.Tensor) {
			b.Activate(x.ColRange(0, 4), x.ColRange(1, 5), tensor.SiLU)
		},
		"was released": func(b *Backend, x, y tensor.Tensor) {
			m := b.Mark()
			z := b.Scratch(x.Rows, x.Cols, tensor.F32)
			b.Release(m)
			b.Mul(y, x, z)
		},
		"was dropped": func(b *Backend, x, y tensor.Tensor) {
			g := b.NewGroup()
			w, _ := g.Bind(nil, 1, x.Cols, tensor.F32)
			g.Drop()
			b.GatedAdd(x, y, w)
		},
		"was freed": func(b *Backend, x, y tensor.Tensor) {
			z, _ := b.New(x.Rows, x.Cols, tensor.F32)
			b.Free(z)
			b.Copy(x, z)
		},
		"another backend's": func(b *Backend, x, y tensor.Tensor) { y.Mem = foreign{}; b.Copy(x, y) },
		"reaches past":      func(b *Backend, x, y tensor.Tensor) { y.Offset++; b.Copy(x, y) },
		"want F32 or BF16": func(b *Backend, x, y tensor.Tensor) {
			b.Copy(b.Scratch(x.Rows, x.Cols, tensor.F16), y)
		},
		"a mark that is gone": func(b *Backend, x, y tensor.Tensor) {
			b.Release(b.Mark() + 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if said, ok := recover().(string); !ok || !strings.Contains(said, name) {
					t.Errorf("panic %q, want one that says %q", said, name)
				}
			}()
			b := New()
			mistake(b, b.Scratch(4, 6, tensor.F32), b.Scratch(4, 6, tensor.F32))
		})
	}
}

type foreign struct{}

func (foreign) Bytes() int { return 0 }

// TestNoPanic holds views that share memory and no element.
func TestNoPanic(t *testing.T) {
	b := New()
	x := b.Scratch(4, 6, tensor.F32)
	b.Copy(x.RowRange(0, 2), x.RowRange(2, 4))
	b.Copy(x.ColRange(0, 3), x.ColRange(3, 6))
	b.Mul(x, x, x)
	b.Activate(x, x, tensor.SiLU)
	b.Copy(x.RowRange(1, 1), x.RowRange(0, 0))
}

func TestDownloadIsZeros(t *testing.T) {
	b := New()
	out := []float32{1, 2}
	b.Download(out, b.Scratch(1, 2, tensor.BF16))
	if out[0] != 0 || out[1] != 0 {
		t.Error(out)
	}
}
