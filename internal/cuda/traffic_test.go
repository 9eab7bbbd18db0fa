//go:build cuda

package cuda

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/tensor"
)

// TestSectors counts, on the simulated driver, what the kernels move: at the
// sizes of a FLUX.1 block every 32-byte sector that is touched must be used
// whole, and shared memory must have no bank conflicts.
func TestSectors(t *testing.T) {
	report := os.Getenv("TACA_TRAFFIC_CHILD")
	if report != "" {
		b := device(t, Options{})
		defer closes(t, b)
		traffic(t, b)
		if err := b.Sync(); err != nil {
			t.Fatal(strings.TrimSpace(err.Error()))
		}
		return
	}
	report = filepath.Join(t.TempDir(), "stats.jsonl")
	child := exec.Command(os.Args[0], "-test.run=^TestSectors$")
	child.Env = append(os.Environ(), "TACA_TRAFFIC_CHILD=1", "TACASIM_STATS="+report)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(report)
	if err != nil {
		t.Fatalf("%v: only the simulated driver counts", err)
	}
	defer f.Close()
	counted := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var k struct {
			Kernel   string
			Counters map[string]float64
		}
		if json.Unmarshal(lines.Bytes(), &k) != nil || k.Kernel == "" || wasteful[k.Kernel] {
			continue
		}
		counted++
		for name, actual := range k.Counters {
			if ideal, ok := k.Counters[name+"_ideal"]; ok && actual > ideal {
				t.Errorf("%s: %s is %.0f, %.0f would do", k.Kernel, name, actual, ideal)
			}
		}
	}
	if counted < 10 {
		t.Errorf("%d kernels were counted", counted)
	}
}

// wasteful is kernels that move too little for it to matter: the statistics of
// a group norm are some kilobytes.
var wasteful = map[string]bool{"taca_group_stats": true}

// traffic asks for every kernel on aligned operands as a block has them.
func traffic(t *testing.T, b *Backend) {
	const rows, cols, heads = 96, 3072, 24
	fresh := func(rows, cols int, d tensor.DType) tensor.Tensor {
		x, err := b.New(rows, cols, d)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x, y, z := fresh(rows, cols, tensor.BF16), fresh(rows, cols, tensor.BF16), fresh(rows, cols, tensor.BF16)
	state := fresh(rows, cols, tensor.F32)
	row, other := fresh(1, cols, tensor.F32), fresh(1, cols, tensor.F32)
	gain, rope := fresh(1, 128, tensor.BF16), fresh(rows, 128, tensor.F32)
	b.ModulatedNorm(y, x, row, other, 1e-6)
	b.LayerNorm(y, x, row, other, 1e-6)
	b.RMSNorm(y, x, row, 1e-6)
	b.QKNormRope(x, gain, rope, heads, 1e-6)
	b.GatedAdd(x, y, row)
	b.Activate(x, y, tensor.SiLU)
	b.Mul(x, y, z)
	b.Mix(x, 1, y, 0.5, z)
	b.Copy(state, x)
	b.Copy(x, state)
	for _, size := range []int{64, 128} {
		b.Attention(z, x, y, x, tensor.AttentionSpec{Heads: cols / size, Scale: 0.1, Gamma: 1.2,
			Text: tensor.Span{Hi: 32}, Visual: tensor.Span{Lo: 32, Hi: rows}})
	}
	grid := tensor.Grid{Height: 8, Width: 12}
	pixels, twice := fresh(grid.Rows(), 128, tensor.BF16), fresh(4*grid.Rows(), 128, tensor.BF16)
	b.Upsample2x(twice, pixels, grid)
	channels := fresh(1, 128, tensor.F32)
	b.GroupNorm(pixels, pixels, channels, channels, 32, 1e-6, tensor.SiLU)
	b.Conv3x3(pixels, twice.RowRange(0, grid.Rows()), fresh(128, 9*128, tensor.BF16), tensor.Tensor{}, grid)
}
