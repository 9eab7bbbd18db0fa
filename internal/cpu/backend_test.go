package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

func TestConformance(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa, func(t *testing.T) {
			opstest.Run(t, func(t *testing.T) tensor.Backend { return openISA(t, isa, 2) })
		})
	}
}

func openISA(t testing.TB, isa string, threads int) *Backend {
	b, err := OpenISA(isa, threads)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestChooseISA(t *testing.T) {
	all := Available()
	if all[len(all)-1] != "portable" {
		t.Errorf("available are %v, want portable last", all)
	}
	for _, isa := range all {
		t.Setenv("TACA_ISA", isa)
		b, err := Open(3)
		if err != nil {
			t.Fatal(err)
		}
		if want := "cpu " + isa + ", 3 threads"; b.Name() != want {
			t.Errorf("TACA_ISA=%s opened %q, want %q", isa, b.Name(), want)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Setenv("TACA_ISA", "vax")
	if _, err := Open(1); err == nil || !strings.Contains(err.Error(), `"vax"`) || !strings.Contains(err.Error(), strings.Join(all, ", ")) {
		t.Errorf("TACA_ISA=vax: %v, want the name and what there is", err)
	}
	t.Setenv("TACA_ISA", "")
	b, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.kernels.name != all[0] {
		t.Errorf("opened %s, want the best, %s", b.kernels.name, all[0])
	}
}

// TestThreads does the same products on different numbers of threads, which
// cut them differently: no bit may change.
func TestThreads(t *testing.T) {
	type size struct{ n, in, out int }
	for _, isa := range Available() {
		for _, s := range []size{{1, 700, 900}, {3, 600, 500}, {77, 300, 450}, {300, 1100, 530}, {600, 64, 700}} {
			for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
				want := product(t, openISA(t, isa, 1), s.n, s.in, s.out, d)
				for _, threads := range []int{2, 7, 64} {
					if !slices.Equal(product(t, openISA(t, isa, threads), s.n, s.in, s.out, d), want) {
						t.Errorf("%s: %d×%d·%d %v depends on whether threads are 1 or %d", isa, s.n, s.in, s.out, d, threads)
					}
				}
			}
		}
	}
}

// TestRowsAlone checks that a row comes out the same, bit for bit, whatever
// other rows are multiplied with it.
func TestRowsAlone(t *testing.T) {
	const in, out = 555, 70
	for _, isa := range Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			many := product(t, openISA(t, isa, 2), 100, in, out, d)
			few := product(t, openISA(t, isa, 2), 19, in, out, d)
			if !slices.Equal(few, many[:len(few)]) {
				t.Errorf("%s: 19 rows of %v differ from the first of 100", isa, d)
			}
		}
	}
}

// product is a Linear of random operands that depend on in and out only.
func product(t *testing.T, b *Backend, n, in, out int, d tensor.DType) []float32 {
	defer b.Close()
	random := rand.New(rand.NewPCG(uint64(in), uint64(out)))
	w, bias := operand(t, b, out, in, d, random), operand(t, b, 1, out, d, random)
	x := operand(t, b, n, in, d, random)
	dst, err := b.New(n, out, d)
	if err != nil {
		t.Fatal(err)
	}
	b.Linear(dst, x, w, bias, tensor.SiLU)
	result := make([]float32, n*out)
	b.Download(result, dst)
	return result
}

func operand(t testing.TB, b *Backend, rows, cols int, d tensor.DType, random *rand.Rand) tensor.Tensor {
	x, err := b.New(rows, cols, d)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	b.Upload(x, values)
	return x
}

// TestPeak sees that every table can be measured.
func TestPeak(t *testing.T) {
	for _, isa := range Available() {
		b := openISA(t, isa, 2)
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			if p := b.Peak(d); !(p > 1e8 && p < 1e15) {
				t.Errorf("%s, %v: %g operations a second", isa, d, p)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFailureIsSticky asks for more memory than there is.
func TestFailureIsSticky(t *testing.T) {
	b := openISA(t, "portable", 1)
	defer b.Close()
	if _, err := b.New(1<<30, 1<<30, tensor.F32); err == nil {
		t.Error("New of 4 EiB succeeded")
	}
	if b.Err() != nil {
		t.Errorf("a refused New left %v behind", b.Err())
	}
	mark := b.Mark()
	x := b.Scratch(1<<30, 1<<30, tensor.F32)
	b.Mul(x, x, x) // must do nothing
	b.Release(mark)
	if err := b.Err(); err == nil || err != b.Sync() || !strings.Contains(err.Error(), "GiB of memory refused") {
		t.Errorf("scratch of 4 EiB left %v behind", err)
	}
}

// TestScratchSpills takes more scratch than was reserved.
func TestScratchSpills(t *testing.T) {
	b := openISA(t, "portable", 1)
	defer b.Close()
	if err := b.Reserve(1000); err != nil {
		t.Fatal(err)
	}
	mark := b.Mark()
	x, y := b.Scratch(10, 20, tensor.F32), b.Scratch(10, 20, tensor.F32)
	if x.Mem == y.Mem {
		t.Error("no spill, so this test shows nothing")
	}
	want := make([]float32, 200)
	for i := range want {
		want[i] = float32(i)
	}
	b.Upload(y, want)
	b.Copy(x, y)
	b.Upload(y, make([]float32, 200))
	got := make([]float32, 200)
	if b.Download(got, x); !slices.Equal(got, want) {
		t.Error("scratch overlaps its spill")
	}
	b.Release(mark)
	if z := b.Scratch(10, 20, tensor.F32); z.Mem != x.Mem || len(b.spilled) != 0 {
		t.Error("Release kept the spill")
	}
}

// TestPool counts that every unit is done once, for many cuts.
func TestPool(t *testing.T) {
	p, err := newPool(4)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for i := range 40 * 7 * 7 {
		units, c := i/49, claims{i / 7 % 7, i % 7}
		done := make([]int32, units)
		p.run(units, c, func(lo, hi int, _ unsafe.Pointer) {
			for u := lo; u < hi; u++ {
				done[u]++
			}
		})
		if slices.ContainsFunc(done, func(n int32) bool { return n != 1 }) {
			t.Fatalf("%d units by %v: done %v times", units, c, done)
		}
	}
}

func BenchmarkLinear(b *testing.B) {
	for _, s := range [][3]int{{1024, 3072, 3072}, {1536, 3072, 12288}, {1536, 15360, 3072}, {1, 3072, 18432}, {96, 256, 256}} {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			b.Run(fmt.Sprintf("%d×%d·%d/%v", s[0], s[1], s[2], d), func(b *testing.B) { benchmarkLinear(b, s[0], s[1], s[2], d) })
		}
	}
}

func benchmarkLinear(b *testing.B, n, in, out int, d tensor.DType) {
	backend, err := Open(0)
	if err != nil {
		b.Fatal(err)
	}
	defer backend.Close()
	random := rand.New(rand.NewPCG(1, 2))
	x, w, dst := operand(b, backend, n, in, d, random), operand(b, backend, out, in, d, random), operand(b, backend, n, out, d, random)
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		backend.Linear(dst, x, w, tensor.Tensor{}, tensor.Identity)
		best = min(best, time.Since(start))
	}
	flops := 2 * float64(n) * float64(in) * float64(out)
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(flops/best.Seconds()/1e9, "best-GFLOP/s")
}
