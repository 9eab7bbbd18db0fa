package opstest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"testing"

	"taca/internal/tensor"
)

// scale is how large a case is.
type scale int

const (
	small scale = iota // part of every run
	large              // left out of short runs; a benchmark
	huge               // a benchmark only
)

// testCase is one verb on one set of operands.
type testCase struct {
	name    string // verb/what is special, unique
	result  tensor.DType
	scale   scale
	strided bool
	exact   bool    // the result must equal the reference's, bit for bit
	flops   float64 // of one call, where speed is counted so
	// build makes the operands; run does the verb, which leaves its result
	// in dst.
	build func(s *stage) (dst tensor.Tensor, run func())
}

func cases() []testCase {
	return slices.Concat(linearCases(), lowRankCases(), normCases(), qkCases(),
		attentionCases(), attentionStatsCases(), pointwiseCases(), copyCases(), blockCases(), scaledCases(), convCases(), groupNormCases())
}

// Run holds a backend against the definition of every verb. The suite opens
// it once and closes it.
func Run(t *testing.T, open func(t *testing.T) tensor.Backend) {
	b := open(t)
	t.Logf("backend: %s", b.Name())
	for _, c := range cases() {
		if c.scale == huge || c.scale == large && testing.Short() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if err := check(b, c); err != nil {
				t.Error(err)
			}
		})
	}
	for _, p := range tacaProperties {
		t.Run("TACA/"+p.name, func(t *testing.T) {
			if err := p.holds(b); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("memory", func(t *testing.T) { testMemory(t, b) })
	t.Run("shapes", func(t *testing.T) { testShapes(t, b) })
	if err := errors.Join(b.Sync(), b.Err(), b.Close()); err != nil {
		t.Errorf("after the suite: %v", err)
	}
}

// Benchmark measures the larger cases of the suite. The suite opens the
// backend once and closes it.
func Benchmark(b *testing.B, open func(b *testing.B) tensor.Backend) {
	backend := open(b)
	for _, c := range cases() {
		if c.scale == small {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			s := newStage(backend, seed(c.name, 0), c.strided)
			defer s.close()
			_, run := c.build(s)
			s.weights.Need(nil)
			for b.Loop() {
				run()
				if err := backend.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			if c.flops > 0 {
				b.ReportMetric(c.flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			}
		})
	}
	if err := backend.Close(); err != nil {
		b.Error(err)
	}
}

// enough is how many numbers a case must compare: one naive number can be
// right by luck, so a case with fewer is drawn again.
const enough = 128

// check runs a case on b, as often as it takes to compare enough numbers.
func check(b tensor.Backend, c testCase) error {
	want := expect(c)
	var got []float64
	for draw := range want.draws {
		result, spilled, err := act(b, c, draw)
		if err != nil {
			return err
		}
		if spilled {
			return errors.New("wrote beside its operands")
		}
		got = append(got, result...)
	}
	return want.judge(got)
}

// act runs one draw of a case on b.
func act(b tensor.Backend, c testCase, draw int) (result []float64, spilled bool, err error) {
	s := newStage(b, seed(c.name, draw), c.strided)
	defer s.close()
	dst, run := c.build(s)
	s.weights.Need(nil)
	run()
	if err := b.Err(); err != nil {
		return nil, false, fmt.Errorf("the device failed: %w", err)
	}
	return values(b, dst), s.spilled(), nil
}

func seed(name string, draw int) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, name, draw)
	return h.Sum64()
}

// expectations remembers what is expected of each case, since a test binary
// may run the suite once for every instruction set.
var expectations sync.Map

// expect runs a case on the backends that judge.
func expect(c testCase) *expectation {
	if e, ok := expectations.Load(c.name); ok {
		return e.(*expectation)
	}
	e := &expectation{dtype: c.result, draws: 1}
	truth, yardstick := NewExact(), NewNaive(c.result)
	if c.exact {
		truth, yardstick = NewReference(), nil
	}
	for draw := 0; draw < e.draws; draw++ {
		e.truth = append(e.truth, must(act(truth, c, draw))...)
		if yardstick != nil {
			e.naive = append(e.naive, must(act(yardstick, c, draw))...)
		}
		if n := len(e.truth); draw == 0 && 0 < n && n < enough {
			e.draws = (enough + n - 1) / n
		}
	}
	expectations.Store(c.name, e)
	return e
}

func must(result []float64, spilled bool, err error) []float64 {
	if spilled || err != nil {
		panic(fmt.Sprint("opstest: the judge is wrong: ", spilled, err))
	}
	return result
}
