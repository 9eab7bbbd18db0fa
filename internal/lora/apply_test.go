package lora_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

const apply = "transformer.blocks.0.to_q"

// quarters is a matrix of multiples of 1/4, which every format holds.
func quarters(r *rand.Rand, rows, cols int) []float64 {
	out := make([]float64, rows*cols)
	for i := range out {
		out[i] = float64(r.IntN(13)-6) / 4
	}
	return out
}

// stored is values as a file of the format holds them.
func stored(d tensor.DType, values []float64, shape ...int) checkpoint.Raw {
	var raw []byte
	for _, v := range values {
		switch d {
		case tensor.BF16:
			raw = binary.LittleEndian.AppendUint16(raw, uint16(math.Float32bits(float32(v))>>16))
		case tensor.F16:
			raw = binary.LittleEndian.AppendUint16(raw, half(v))
		default:
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
		}
	}
	return checkpoint.Raw{Shape: shape, Type: d.String(), Bytes: raw}
}

// half is the binary16 of a number that is one and not subnormal.
func half(v float64) uint16 {
	if v == 0 {
		return 0
	}
	b := math.Float64bits(v)
	return uint16(b>>48&0x8000 | (b>>52&0x7FF-1023+15)<<10 | b>>42&0x3FF)
}

// TestSum: two adapters on one layer add up, each by its own gate and scale,
// in whatever format their files are. x·Wᵀ + b + Σ gate·(alpha/r)·x·Aᵀ·Bᵀ is
// computed in float64 beside it.
func TestSum(t *testing.T) {
	const n, in, out = 5, 12, 7
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.F16} {
		r := rand.New(rand.NewPCG(7, 7))
		b := opstest.NewReference()
		x, w, bias := quarters(r, n, in), quarters(r, out, in), quarters(r, 1, out)
		layer := &nn.Linear{}
		for _, m := range []struct {
			to         *tensor.Tensor
			values     []float64
			rows, cols int
		}{{&layer.W, w, out, in}, {&layer.B, bias, 1, out}} {
			var err error
			if *m.to, err = b.NewGroup().Bind(stored(d, m.values).Bytes, m.rows, m.cols, d); err != nil {
				t.Fatal(err)
			}
		}
		var loras [2]*lora.LoRA
		var deltas [2][]float64
		for i, c := range []struct {
			rank         int
			alpha, scale float64
		}{{3, 6, 0.75}, {5, 2.5, -2}} {
			down, up := quarters(r, c.rank, in), quarters(r, out, c.rank)
			file := source{
				apply + ".lora_A.weight": stored(d, down, c.rank, in), apply + ".lora_B.weight": stored(d, up, out, c.rank),
				apply + ".alpha": stored(d, []float64{c.alpha}),
			}
			var err error
			if loras[i], err = attach(map[string]*nn.Linear{apply: layer}, file, nil, b, float32(c.scale)); err != nil {
				t.Fatal(err)
			}
			deltas[i] = times(times(x, down, n, in, c.rank), up, n, c.rank, out)
			for j := range deltas[i] {
				deltas[i][j] *= c.scale * c.alpha / float64(c.rank)
			}
		}
		plain := times(x, w, n, in, out)
		for i := range plain {
			plain[i] += bias[i%out]
		}
		for gates := range 4 {
			want := append([]float64(nil), plain...)
			for i, l := range loras {
				on := gates>>i&1 == 1
				l.Set(on)
				for j := range want {
					if on {
						want[j] += deltas[i][j]
					}
				}
			}
			same(t, layer, b, x, want, n, tensor.Identity)
			for j, v := range want {
				want[j] = v / (1 + math.Exp(-v))
			}
			same(t, layer, b, x, want, n, tensor.SiLU)
		}
	}
}

// times is x·wᵀ.
func times(x, w []float64, n, in, out int) []float64 {
	y := make([]float64, n*out)
	for i := range n {
		for o := range out {
			for k := range in {
				y[i*out+o] += x[i*in+k] * w[o*in+k]
			}
		}
	}
	return y
}

// same fails unless the layer makes want of x.
func same(t *testing.T, l *nn.Linear, b tensor.Backend, x, want []float64, n int, act tensor.Activation) {
	t.Helper()
	from, to := b.Scratch(n, l.W.Cols, tensor.F32), b.Scratch(n, l.W.Rows, tensor.F32)
	host := make([]float32, len(x))
	for i, v := range x {
		host[i] = float32(v)
	}
	b.Upload(from, host)
	l.Apply(b, to, from, act)
	got := make([]float32, len(want))
	b.Download(got, to)
	for i, v := range want {
		if math.Abs(float64(got[i])-v) > 1e-5*(1+math.Abs(v)) {
			t.Fatalf("%v weights, %v: element %d is %v, want %v", l.W.DType, act, i, got[i], v)
		}
	}
}

func TestString(t *testing.T) {
	b := opstest.NewReference()
	file := source{apply + ".lora_A.weight": matrix(2, 4), apply + ".lora_B.weight": matrix(3, 2)}
	l, err := attach(layers(t, b), file, nil, b, 0.7)
	if err != nil {
		t.Fatal(err)
	}
	if l.String() != "x.safetensors:0.7" {
		t.Error(l.String())
	}
}

// refusing is a device without room.
type refusing struct{ tensor.Backend }

type noRoom struct{ tensor.Group }

func (b refusing) NewGroup() tensor.Group { return noRoom{b.Backend.NewGroup()} }

func (noRoom) Bind([]byte, int, int, tensor.DType) (tensor.Tensor, error) {
	return tensor.Tensor{}, errFull
}

type full struct{}

func (full) Error() string { return "no room" }

var errFull = full{}

func TestDeviceRefuses(t *testing.T) {
	b := refusing{opstest.NewReference()}
	at := layers(t, b)
	file := source{apply + ".lora_A.weight": matrix(2, 4), apply + ".lora_B.weight": matrix(3, 2)}
	_, err := attach(at, file, nil, b, 1)
	if err == nil || !strings.Contains(err.Error(), "x.safetensors: bind the adapter of "+apply+": no room") {
		t.Errorf("error %v", err)
	}
	if len(at[apply].Adapters) != 0 {
		t.Error("attached all the same")
	}
}
