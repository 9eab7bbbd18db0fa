//go:build cuda

package cuda

import (
	"math"
	"strings"
	"testing"

	"taca/internal/residency"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// These tests need a driver: a real one, or the simulated one of kernels/sim,
// with which scripts/test-cuda runs them. Without any they fail, since a test
// of this package that is left out proves nothing.

func device(t testing.TB, o Options) *Backend {
	t.Helper()
	if o.Offload == "" {
		o.Offload = residency.Auto
	}
	b, err := Open(o)
	if err != nil {
		t.Fatalf("%v (scripts/test-cuda brings a simulated driver)", err)
	}
	return b
}

func TestConformance(t *testing.T) {
	opstest.Run(t, func(t *testing.T) tensor.Backend { return device(t, Options{}) })
}

// TestConformanceStreamed runs the suite with all weights passing through the
// ring.
func TestConformanceStreamed(t *testing.T) {
	opstest.Run(t, func(t *testing.T) tensor.Backend { return device(t, Options{Offload: residency.Stream}) })
}

func BenchmarkVerbs(b *testing.B) {
	opstest.Benchmark(b, func(b *testing.B) tensor.Backend { return device(b, Options{}) })
}

// step is a little model: q, k and v of blocks, with the noise level as the
// scalar of the last verb.
type step struct {
	b      *Backend
	x, v   tensor.Tensor
	blocks []tensor.Tensor
	groups []tensor.Group
	gamma  float32
}

const (
	stepRows, stepCols = 40, 64
	stepBlocks         = 24
)

func newStep(t *testing.T, b *Backend) *step {
	s := &step{b: b, gamma: 1}
	err := b.Reserve(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []*tensor.Tensor{&s.x, &s.v} {
		if *to, err = b.New(stepRows, stepCols, tensor.BF16); err != nil {
			t.Fatal(err)
		}
	}
	for i := range stepBlocks {
		g := b.NewGroup()
		raw := make([]byte, 3*2*stepCols*stepCols)
		for j := 0; j < len(raw); j += 2 {
			v := math.Float32bits(float32((i*31+j*17)%101-50)/400) >> 16
			raw[j], raw[j+1] = byte(v), byte(v>>8)
		}
		w, err := g.Bind(raw, 3*stepCols, stepCols, tensor.BF16)
		if err != nil {
			t.Fatal(err)
		}
		s.blocks, s.groups = append(s.blocks, w), append(s.groups, g)
	}
	return s
}

// run takes one step and returns the state after it.
func (s *step) run(t *testing.T, scalar float32) []float32 {
	t.Helper()
	b := s.b
	defer b.Release(b.Mark())
	shift := b.Scratch(1, stepCols, tensor.F32)
	values := make([]float32, stepCols)
	for i := range values {
		values[i] = scalar * float32(i%7)
	}
	b.Upload(shift, values) // changes in every step, at the same address
	b.Copy(s.v, s.x)
	for i, w := range s.blocks {
		s.groups[i].Need(s.groups[(i+1)%stepBlocks])
		s.block(w, shift)
	}
	b.Mix(s.x, 1, s.x, scalar, s.v)
	got := make([]float32, stepRows*stepCols)
	b.Download(got, s.x)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *step) block(w, shift tensor.Tensor) {
	b := s.b
	defer b.Release(b.Mark())
	var qkv [3]tensor.Tensor
	h, mixed := b.Scratch(stepRows, stepCols, tensor.BF16), b.Scratch(stepRows, stepCols, tensor.BF16)
	b.ModulatedNorm(h, s.v, shift, shift, 1e-6)
	for i := range qkv {
		qkv[i] = b.Scratch(stepRows, stepCols, tensor.BF16)
	}
	for i := range qkv {
		b.Linear(qkv[i], h, w.RowRange(i*stepCols, (i+1)*stepCols), tensor.Tensor{}, tensor.Identity)
	}
	b.Attention(mixed, qkv[0], qkv[1], qkv[2], tensor.AttentionSpec{Heads: 1, Scale: 0.125, Gamma: s.gamma,
		Text: tensor.Span{Hi: 10}, Visual: tensor.Span{Lo: 10, Hi: stepRows}})
	b.GatedAdd(s.v, mixed, tensor.Tensor{})
}

// fill starts from the same state.
func (s *step) fill() {
	values := make([]float32, stepRows*stepCols)
	for i := range values {
		values[i] = float32(i%13)/13 - 0.4
	}
	s.b.Upload(s.x, values)
	s.b.wait()
}

// TestReplay sees that steps that are replayed give what steps do that are
// not, that the uploads of each step reach it, and that another gamma is
// recorded anew.
func TestReplay(t *testing.T) {
	direct, replayed := device(t, Options{}), device(t, Options{})
	defer closes(t, direct)
	defer closes(t, replayed)
	one, other := newStep(t, direct), newStep(t, replayed)
	one.fill()
	other.fill()
	for i, scalar := range []float32{0.5, 0.25, 0.125, 0.1, -0.3, 0.2, 0.7, 0.1} {
		if one.gamma = 1; i < 4 {
			one.gamma = 1.2
		}
		other.gamma = one.gamma
		direct.recorder.forgetAll(t, direct)
		same(t, other.run(t, scalar), one.run(t, scalar), i)
	}
	if got := replayed.recorder.replays; got < 4 {
		t.Errorf("%d of 8 steps were replayed, want at least 4", got)
	}
	if got := len(replayed.recorder.recordings); got != 2 {
		t.Errorf("%d graphs, want one with gamma and one without", got)
	}
	if got := direct.recorder.replays; got != 0 {
		t.Errorf("%d steps of the direct run were replayed", got)
	}
}

// TestReplayInTurns: two lists that take turns are both recorded.
func TestReplayInTurns(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	s := newStep(t, b)
	s.fill()
	for i := range 8 {
		s.gamma = 1 + float32(i%2)/5
		s.run(t, 0.1)
	}
	if replays, graphs := b.recorder.replays, len(b.recorder.recordings); replays != 6 || graphs != 2 {
		t.Errorf("%d of 8 steps were replayed by %d graphs, want all but the first two by 2", replays, graphs)
	}
}

func (r *recorder) forgetAll(t *testing.T, b *Backend) {
	if err := b.do("forget", r.forget); err != nil {
		t.Fatal(err)
	}
}

// TestBatches sees that q, k and v are one product.
func TestBatches(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	s := newStep(t, b)
	s.fill()
	s.groups[0].Need(nil)
	shift := b.Scratch(1, stepCols, tensor.F32)
	b.Upload(shift, make([]float32, stepCols))
	b.wait()
	s.block(s.blocks[0], shift)
	products, members := 0, 0
	for _, c := range b.queue.commands {
		if c.kind == runProduct {
			products++
			members += int(b.queue.words[c.lo+1+productBatch])
		}
	}
	if products != 1 || members != 3 {
		t.Errorf("%d products with %d members, want one of three", products, members)
	}
}

// TestStreaming sees that weights that pass through the ring give the same
// bits as weights that stay, on little memory.
func TestStreaming(t *testing.T) {
	stays, streams := device(t, Options{Offload: residency.None}), device(t, Options{Offload: residency.Stream})
	defer closes(t, stays)
	defer closes(t, streams)
	one, other := newStep(t, stays), newStep(t, streams)
	one.fill()
	other.fill()
	for i := range 4 {
		one.gamma, other.gamma = 1.1, 1.1
		same(t, other.run(t, 0.3), one.run(t, 0.3), i)
	}
	all, ring := stepBlocks*residency.Aligned(6*stepCols*stepCols), streams.ring.bytes()
	if want := residency.Slots * residency.Aligned(6*stepCols*stepCols); ring != want {
		t.Errorf("the ring has %d bytes, want %d", ring, want)
	}
	if stays.ring.bytes() != 0 || stays.used < all {
		t.Errorf("the weights that stay take %d bytes and a ring of %d", stays.used, stays.ring.bytes())
	}
}

// TestMixedResidency lets half of the weights stay.
func TestMixedResidency(t *testing.T) {
	stays := device(t, Options{})
	each := residency.Aligned(6 * stepCols * stepCols)
	mixed := device(t, Options{Limit: residency.Reserve + 40<<20})
	defer closes(t, stays)
	defer closes(t, mixed)
	one, other := newStep(t, stays), newStep(t, mixed)
	one.fill()
	other.fill()
	mixed.capacity -= mixed.budget() - (residency.Slots+stepBlocks/2)*each
	for i := range 3 {
		same(t, other.run(t, 0.3), one.run(t, 0.3), i)
	}
	resident := 0
	for _, s := range mixed.sets {
		resident += s.committed
	}
	if resident < (stepBlocks/2-2)*each || resident > stepBlocks/2*each {
		t.Errorf("%d bytes stay, want about half of %d", resident, stepBlocks*each)
	}
}

// TestSeldom: weights that are needed before the steps alone pass through a
// narrow ring where not all fit, and the steps are replayed all the same.
func TestSeldom(t *testing.T) {
	each := residency.Aligned(6 * stepCols * stepCols)
	const groups = 6
	prepared := func(room int) (*Backend, *step) {
		b := device(t, Options{Limit: residency.Reserve + 40<<20})
		s := newStep(t, b)
		var seldom []tensor.Group
		var weights []tensor.Tensor
		for i := range groups {
			g := b.NewGroup()
			g.Seldom()
			raw := make([]byte, 2*stepCols*stepCols)
			for j := range stepCols { // 2 or 1/2 on a diagonal
				raw[2*(j*stepCols+(j+i)%stepCols)+1] = 0x3f + byte(i%2)
			}
			w, err := g.Bind(raw, stepCols, stepCols, tensor.BF16)
			if err != nil {
				t.Fatal(err)
			}
			seldom, weights = append(seldom, g), append(weights, w)
		}
		s.fill()
		b.capacity -= b.budget() - room
		for i, w := range weights {
			seldom[i].Need(append(seldom, s.groups[0])[i+1])
			b.Linear(s.v, s.x, w, tensor.Tensor{}, tensor.Identity)
			b.Copy(s.x, s.v)
		}
		return b, s
	}
	all := stepBlocks*each + groups*residency.Aligned(2*stepCols*stepCols)
	ring := residency.Slots * residency.Aligned(2*stepCols*stepCols)
	stays, one := prepared(all)
	passes, other := prepared(stepBlocks*each + ring)
	defer closes(t, stays)
	defer closes(t, passes)
	for i := range 6 {
		same(t, other.run(t, 0.3), one.run(t, 0.3), i)
	}
	if got := passes.ring.bytes(); got != ring || stays.ring.bytes() != 0 {
		t.Errorf("rings of %d and %d bytes, want %d and none", got, stays.ring.bytes(), ring)
	}
	if committed := passes.sets[0].committed; committed != stepBlocks*each {
		t.Errorf("%d bytes stay, want %d", committed, stepBlocks*each)
	}
	if got := [2]int{passes.recorder.replays, stays.recorder.replays}; got != [2]int{4, 4} {
		t.Errorf("%v of 6 steps were replayed, want all but the first two", got)
	}
}

// TestBoundLate binds more weights to a group that has passed through the
// ring: they stay on the device, and do not overrun the slot when the group
// is brought again.
func TestBoundLate(t *testing.T) {
	b := device(t, Options{Offload: residency.Stream})
	defer closes(t, b)
	s := newStep(t, b)
	s.fill()
	want := s.run(t, 0.3)
	weight := make([]byte, 2*stepCols*stepCols)
	for i := range stepCols {
		weight[2*(i*stepCols+i)+1] = 0x40 // 2 on the diagonal
	}
	late, err := s.groups[0].Bind(weight, stepCols, stepCols, tensor.BF16)
	if err != nil {
		t.Fatal(err)
	}
	s.fill()
	same(t, s.run(t, 0.3), want, 1)
	s.fill()
	s.groups[0].Need(nil)
	b.Linear(s.v, s.x, late, tensor.Tensor{}, tensor.Identity)
	var got [2][]float32
	for i, from := range []tensor.Tensor{s.x, s.v} {
		got[i] = make([]float32, stepRows*stepCols)
		b.Download(got[i], from)
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	for i := range got[0] {
		got[0][i] *= 2
	}
	same(t, got[1], got[0], 2)
}

// TestTemporaryRefused: a verb whose own memory is refused says so, and what
// follows has no effect.
func TestTemporaryRefused(t *testing.T) {
	b := device(t, Options{Limit: residency.Reserve + 64<<20})
	defer b.Close()
	var operands [2]tensor.Tensor
	for i := range operands {
		var err error
		if operands[i], err = b.New(512, 512, tensor.F32); err != nil {
			t.Fatal(err)
		}
	}
	w, err := b.NewGroup().Bind(make([]byte, 2*512*512), 512, 512, tensor.BF16)
	if err != nil {
		t.Fatal(err)
	}
	address(w)
	b.capacity = b.used
	b.Linear(operands[0], operands[1], w, tensor.Tensor{}, tensor.Identity)
	b.Mul(operands[0], operands[0], operands[1])
	if err := b.Sync(); err == nil || !strings.Contains(err.Error(), "temporary memory of a verb") {
		t.Fatalf("says %v", err)
	}
}

// TestSets: what is bound after Reserve is placed apart from what was before.
func TestSets(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	for range 2 {
		b.NewGroup()
	}
	if err := b.Reserve(1); err != nil {
		t.Fatal(err)
	}
	b.NewGroup()
	if len(b.sets) != 2 || len(b.sets[0].groups) != 2 {
		t.Errorf("%d sets, %d groups in the first", len(b.sets), len(b.sets[0].groups))
	}
}

// TestDrop sees that everything comes back.
func TestDrop(t *testing.T) {
	for _, mode := range []residency.Mode{residency.None, residency.Stream} {
		b := device(t, Options{Offload: mode})
		before := b.used
		s := newStep(t, b)
		s.fill()
		s.run(t, 0.5)
		for _, g := range s.groups {
			g.Drop()
		}
		b.Free(s.x)
		b.Free(s.v)
		temporary := b.scratch.bytes
		for _, c := range b.temporary.chunks {
			temporary += c.bytes
		}
		for _, spilled := range b.spilled {
			temporary += spilled.mem.segment.bytes
		}
		if b.used != before+temporary || len(b.sets) != 0 {
			t.Errorf("%s: %d bytes in use, %d before, %d of them temporary; %d sets", mode, b.used, before, temporary, len(b.sets))
		}
		closes(t, b)
	}
}

func same(t *testing.T, got, want []float32, step int) {
	t.Helper()
	for i, v := range got {
		if v != want[i] && !(v != v && want[i] != want[i]) {
			t.Fatalf("step %d, element %d: %v, want %v", step, i, v, want[i])
		}
	}
}

func closes(t *testing.T, b *Backend) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
