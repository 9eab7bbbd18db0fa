//go:build cuda

package cuda

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/mumax/3/cuda/cu"

	"taca/internal/cuda/driver"
	"taca/internal/mapping"
	"taca/internal/residency"
	"taca/internal/tensor"
	"taca/kernels"
)

// Backend is one NVIDIA card. Verbs only note what is to be done; the device
// hears of it when somebody waits for a result, so that a step is one list of
// commands, which can be replayed. It is used by one goroutine at a time.
type Backend struct {
	device  driver.Device
	limits  limits
	context *driver.Context
	thread  *driver.Thread
	stream  cu.Stream
	module  cu.Module
	cublas  cublas

	kernels   []kernel
	kernelIDs map[string]int
	queue     queue
	recorder  recorder
	staging   staging
	temporary temporary

	arena   tensor.Arena
	scratch *segment
	spilled []spill
	owned   map[*memory]bool

	offload  residency.Mode
	capacity int  // bytes this run may use
	limited  bool // capacity is the user's
	used     int  // bytes taken
	sets     []*set
	binding  *set // what groups are made for now
	ring     ring
	copier   *copier

	err error
}

// limits is what geometry depends on.
type limits struct {
	sharedPerBlock int // bytes of shared memory a block may have
	processors     int
}

// Options say which card, and how much of its memory.
type Options struct {
	Ordinal int            // among the cards the driver shows
	Limit   int            // bytes this run may use; 0 is all that is free
	Offload residency.Mode // of weights
}

// oldest is the first capability the kernels run on: they multiply bf16 and
// copy asynchronously.
const oldest = 80

var _ tensor.Backend = (*Backend)(nil)

// Open readies a card. Without a driver, without a card, with a card that is
// too old or without cuBLASLt the error is a tensor.DeviceError that says so.
func Open(o Options) (*Backend, error) {
	if err := driver.Open(); err != nil {
		return nil, &tensor.DeviceError{Err: err}
	}
	devices, err := driver.Devices()
	if err != nil {
		return nil, &tensor.DeviceError{Err: err}
	}
	if o.Ordinal < 0 || o.Ordinal >= len(devices) {
		return nil, &tensor.DeviceError{Err: fmt.Errorf("there is no card %d: the driver shows %d, counted from 0 (taca devices lists them)", o.Ordinal, len(devices))}
	}
	d := devices[o.Ordinal]
	if d.Capability < oldest {
		return nil, &tensor.DeviceError{Err: fmt.Errorf("%s has compute capability %d.%d; bf16 on tensor cores needs 8.0 (Ampere, 2020) or newer: use --device cpu",
			d.Name, d.Capability/10, d.Capability%10)}
	}
	b := &Backend{device: d, limits: limits{d.SharedPerBlock, d.Processors}, offload: o.Offload,
		kernelIDs: map[string]int{}, owned: map[*memory]bool{}, scratch: &segment{}}
	b.ring.of = b
	if err := b.start(o.Limit); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// start makes what the backend needs all its life.
func (b *Backend) start(limit int) error {
	var err error
	if b.context, err = driver.NewContext(b.device.Ordinal); err != nil {
		return &tensor.DeviceError{Err: err}
	}
	if b.thread, err = b.context.NewThread(); err != nil {
		return &tensor.DeviceError{Err: err}
	}
	if err := b.do("load the kernels", b.loadImages); err != nil {
		return err
	}
	if err := b.do("make a stream", func() { b.stream = driver.NewStream() }); err != nil {
		return err
	}
	copying, err := b.context.NewThread()
	if err != nil {
		return &tensor.DeviceError{Err: err}
	}
	b.copier = &copier{thread: copying, main: b}
	if err := b.do("make a stream", func() { b.copier.stream, b.copier.loaded = driver.NewStream(), driver.NewEvent() }); err != nil {
		return err
	}
	var opened error
	if err := errors.Join(b.do("open cuBLASLt", func() { opened = b.cublas.open() }), opened); err != nil {
		return err
	}
	free := int64(0)
	if err := b.do("ask for free memory", func() { free, _ = cu.MemGetInfo() }); err != nil {
		return err
	}
	b.capacity = int(free)
	if limit > 0 && limit < b.capacity {
		b.capacity, b.limited = limit, true
	}
	b.cublas.memory, err = b.alloc(residency.Workspace, "cuBLASLt")
	return err
}

// loadImages loads the machine code for this card, or, for a card that is
// newer than the images, the PTX that the driver compiles.
func (b *Backend) loadImages() {
	code, err := kernels.Fatbin()
	if err != nil {
		panic(failure{err})
	}
	refused := driver.Try(func() { b.module = driver.ModuleLoad(code) })
	if refused == nil {
		return
	}
	ptx, err := kernels.PTX()
	if err != nil {
		panic(failure{err})
	}
	if err := driver.Try(func() { b.module = driver.ModuleLoad(ptx) }); err != nil {
		panic(failure{errors.Join(refused, err)})
	}
}

// failure is an error of ours in the middle of work on the driver's thread.
type failure struct{ error }

// do runs f on the driver's thread.
func (b *Backend) do(doing string, f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			ours, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = &tensor.DeviceError{Err: fmt.Errorf("%s: %w", doing, ours.error)}
		}
	}()
	if err := b.thread.Do(doing, f); err != nil {
		return &tensor.DeviceError{Err: fmt.Errorf("%s: %w", b.device.Name, err)}
	}
	return nil
}

// Name is the card and what runs on it.
func (b *Backend) Name() string {
	return fmt.Sprintf("cuda %s (sm_%d)", b.device.Name, b.device.Capability)
}

// Arithmetic is the card's kind, the driver, which compiles kernels for cards
// that are newer than the program, and cuBLASLt, which chooses algorithms.
func (b *Backend) Arithmetic() string {
	return fmt.Sprintf("%s, driver %d, cuBLASLt %d", b.Name(), driver.Version(), b.cublas.version())
}

// FastBF16 says that bf16 is the format to compute in.
func (b *Backend) FastBF16() bool { return true }

// UUID names the card across programs and orders of counting.
func (b *Backend) UUID() string { return b.device.UUID }

// Observe ignores the tensor.
func (b *Backend) Observe(string, tensor.Tensor) {}

// Err is the first failure of the device, or a file of weights that was changed
// while it was read.
func (b *Backend) Err() error { return cmp.Or(b.err, mapping.Check()) }

func (b *Backend) fail(err error) {
	if b.err == nil && err != nil {
		var ours *tensor.DeviceError
		if !errors.As(err, &ours) {
			err = &tensor.DeviceError{Err: err}
		}
		b.err = err
	}
}

// Sync waits for everything.
func (b *Backend) Sync() error {
	b.wait()
	return b.Err()
}

// Close waits for the device and gives everything back.
func (b *Backend) Close() error {
	if b.context == nil {
		return nil
	}
	var errs []error
	if b.copier != nil {
		b.ring.quiesce()
		errs = append(errs, b.copier.close())
	}
	if b.thread != nil {
		errs = append(errs, b.thread.Do("free the device", b.destroy))
		b.thread.Close()
	}
	errs = append(errs, b.context.Close())
	b.context, b.thread, b.copier = nil, nil, nil
	if b.err != nil { // told already; what follows a failure tells nothing new
		return nil
	}
	return errors.Join(errs...)
}

// destroy ends what start made. Memory goes with the context, but page-locked
// memory does not, and graphs are the driver's.
func (b *Backend) destroy() {
	if b.stream != 0 {
		b.stream.Synchronize()
	}
	b.recorder.forget()
	b.cublas.close()
	for _, s := range b.ring.slots {
		s.ready.Destroy()
		s.free.Destroy()
		cu.MemFree(s.memory.at)
	}
	for _, s := range b.segments() {
		if s.at != 0 {
			cu.MemFree(s.at)
			s.at = 0
		}
	}
	if b.staging.at != nil {
		driver.HostFree(b.staging.at)
		b.staging = staging{}
	}
	if b.stream != 0 {
		b.stream.Destroy()
	}
	if b.module != 0 {
		driver.ModuleUnload(b.module)
	}
}

// segments is all memory that is taken, but for the ring's.
func (b *Backend) segments() []*segment {
	all := []*segment{b.scratch}
	if b.cublas.memory != nil {
		all = append(all, b.cublas.memory)
	}
	all = append(all, b.temporary.chunks...)
	for _, s := range b.spilled {
		all = append(all, s.mem.segment)
	}
	for m := range b.owned {
		all = append(all, m.segment)
	}
	for _, s := range b.sets {
		for _, g := range s.groups {
			all = append(all, g.segments...)
		}
	}
	return all
}
