package cpu

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"taca/internal/mapping"
	"taca/internal/residency"
	"taca/internal/tensor"
)

// The groups of these tests: so many, each of a quarter of a mebibyte.
const (
	testGroups = 8
	groupCols  = 1 << 16
	groupBytes = 4 * groupCols
)

// weightsFile is a mapped file; group i's numbers are all i+1.
func weightsFile(t *testing.T) *mapping.File {
	t.Helper()
	disk, err := os.Create(filepath.Join(t.TempDir(), "weights"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range testGroups {
		numbers := slices.Repeat([]float32{float32(i + 1)}, groupCols)
		if _, err := disk.Write(unsafe.Slice((*byte)(unsafe.Pointer(&numbers[0])), groupBytes)); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.Sync(); err != nil {
		t.Fatal(err)
	}
	f, err := mapping.Map(disk, testGroups*groupBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// bound is a group with one matrix, and the number it is full of.
type bound struct {
	*group
	w      tensor.Tensor
	window []byte
	value  float32
}

// bind makes a group of each quarter of the file.
func bind(t *testing.T, b *Backend, f *mapping.File) []bound {
	t.Helper()
	var all []bound
	for i := range testGroups {
		all = append(all, bindOne(t, b, f.Bytes()[i*groupBytes:(i+1)*groupBytes:(i+1)*groupBytes], float32(i+1)))
	}
	return all
}

func bindOne(t *testing.T, b *Backend, window []byte, value float32) bound {
	t.Helper()
	g := b.NewGroup().(*group)
	w, err := g.Bind(window, 1, groupCols, tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	return bound{g, w, window, value}
}

// use reads the whole of g, with next on its way.
func use(t *testing.T, b *Backend, g bound, next tensor.Group) {
	t.Helper()
	g.Need(next)
	defer b.Release(b.Mark())
	x, got := b.Scratch(1, groupCols, tensor.F32), make([]float32, groupCols)
	b.Copy(x, g.w)
	b.Download(got, x)
	if !slices.Equal(got, slices.Repeat([]float32{g.value}, groupCols)) {
		t.Fatalf("the group of %gs begins with %v", g.value, got[:4])
	}
}

// held is how many of the pages of a window the process has.
func held(t *testing.T, window []byte) int {
	t.Helper()
	table, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Skip(err)
	}
	defer table.Close()
	page := os.Getpagesize()
	entries := make([]byte, len(window)/page*8)
	if _, err := table.ReadAt(entries, int64(uintptr(unsafe.Pointer(&window[0]))/uintptr(page)*8)); err != nil {
		t.Skip(err)
	}
	n := 0
	for i := 7; i < len(entries); i += 8 {
		n += int(entries[i] >> 7)
	}
	return n
}

// needsKernel skips a test of pages under an emulator, which scripts/test-arm64
// tells by -short: qemu's user mode has its own ways with madvise.
func needsKernel(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("which pages a process has is the kernel's affair, and here there may be an emulator between")
	}
}

// limited is a backend with room for so many groups beside the two that pass.
func limited(t *testing.T, groups, cache int) *Backend {
	t.Helper()
	b, err := Open(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Limit(residency.HostReserve+b.Workspace()+(groups+residency.Slots)*groupBytes, cache)
	return b
}

// TestStreamedGroupsLeave: of eight groups three stay, and of the others only
// the one in use is there, time and again; all hold what they should.
func TestStreamedGroupsLeave(t *testing.T) {
	needsKernel(t)
	for name, cache := range map[string]int{"cached": 1 << 40, "forgotten": 1} {
		t.Run(name, func(t *testing.T) {
			b, f := limited(t, 3, cache), weightsFile(t)
			groups := bind(t, b, f)
			for round := range 3 {
				for i, g := range groups {
					use(t, b, g, groups[(i+1)%testGroups].group)
					there := 0
					for _, other := range groups {
						if n := held(t, other.window); n > 0 && (other.stays || other.group == g.group) {
							there++
						} else if n > 1 { // a page of the border may have come along
							t.Errorf("round %d: while group %d is used, %d pages of %g are there", round, i, n, other.value)
						}
					}
					if round > 0 && there < 3 {
						t.Errorf("round %d: %d groups are there, want those that stay", round, there)
					}
				}
			}
			stay := 0
			for _, g := range groups {
				if g.stays {
					stay++
				}
			}
			if stay != 3 || b.weights.forget != (cache == 1) {
				t.Errorf("%d groups stay, forget is %v", stay, b.weights.forget)
			}
		})
	}
}

// TestAllStay where there is room, or no limit, until they are dropped.
func TestAllStay(t *testing.T) {
	for name, b := range map[string]*Backend{"room": limited(t, testGroups, 1), "no limit": limited(t, 0, 0)} {
		if name == "no limit" {
			b.Limit(0, 0)
		}
		f := weightsFile(t)
		groups := bind(t, b, f)
		for i, g := range groups {
			use(t, b, g, groups[(i+1)%testGroups].group)
		}
		for _, g := range groups {
			if n := held(t, g.window); n < groupBytes/os.Getpagesize() {
				t.Errorf("%s: %d pages of %g are there", name, n, g.value)
			}
			g.Drop()
			if n := held(t, g.window); n > 1 {
				t.Errorf("%s: %d pages of %g are there after Drop", name, n, g.value)
			}
		}
	}
}

// TestOtherMemoryIsNeverGivenBack: the kernel would fill the heap with zeros.
func TestOtherMemoryIsNeverGivenBack(t *testing.T) {
	b, f := limited(t, 0, 1), weightsFile(t)
	groups := bind(t, b, f)[:2]
	heap := slices.Clone(f.Bytes()[2*groupBytes : 3*groupBytes])
	groups = append(groups, bindOne(t, b, heap, 3))
	for range 2 {
		for i, g := range groups {
			use(t, b, g, groups[(i+1)%3].group)
		}
	}
	groups[2].Drop()
	if !slices.Equal(heap, f.Bytes()[2*groupBytes:3*groupBytes]) {
		t.Error("weights on the heap were lost")
	}
	if len(groups[2].ranges) > 0 {
		t.Errorf("the heap is taken for %v", groups[2].ranges)
	}
}

// TestKeptGroupsStay, at the expense of others.
func TestKeptGroupsStay(t *testing.T) {
	b, f := limited(t, 3, 1), weightsFile(t)
	groups := bind(t, b, f)
	groups[5].Keep()
	use(t, b, groups[5], nil)
	for i, g := range groups {
		use(t, b, g, groups[(i+1)%testGroups].group)
	}
	if n := held(t, groups[5].window); n < groupBytes/os.Getpagesize() {
		t.Errorf("%d pages of what was to be kept are there", n)
	}
	stay := 0
	for _, g := range groups {
		if g.stays && !g.kept {
			stay++
		}
	}
	if stay != 2 {
		t.Errorf("%d groups stay beside the one that was to be kept, want 2", stay)
	}
}

// TestMoreGroupsMakeOthersLeave: an encoder that opens counts with the rest.
func TestMoreGroupsMakeOthersLeave(t *testing.T) {
	b, f := limited(t, 4, 1), weightsFile(t)
	bytes := f.Bytes()
	var groups []bound
	for i := range 6 { // all fit
		groups = append(groups, bindOne(t, b, bytes[i*groupBytes:(i+1)*groupBytes], float32(i+1)))
		use(t, b, groups[i], nil)
	}
	for i := 6; i < testGroups; i++ {
		groups = append(groups, bindOne(t, b, bytes[i*groupBytes:(i+1)*groupBytes], float32(i+1)))
	}
	use(t, b, groups[6], groups[7].group)
	there := 0
	for _, g := range groups {
		if held(t, g.window) > 1 {
			there++
		}
	}
	if there > 5 {
		t.Errorf("%d groups are there, want at most the four that stay and the one in use", there)
	}
	groups[6].Drop()
	groups[7].Drop()
	use(t, b, groups[0], nil)
	for _, g := range groups[:6] {
		if !g.stays {
			t.Errorf("%g does not stay though there is room again", g.value)
		}
	}
}

// TestTheNextGroupIsFetched while this one is used.
func TestTheNextGroupIsFetched(t *testing.T) {
	needsKernel(t)
	b, f := limited(t, 0, 1), weightsFile(t)
	groups := bind(t, b, f)
	window := groups[4].window
	cached := func() (n int) {
		vector := make([]byte, groupBytes/os.Getpagesize())
		if _, _, no := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&window[0])), groupBytes, uintptr(unsafe.Pointer(&vector[0]))); no != 0 {
			t.Skip(no)
		}
		for _, v := range vector {
			n += int(v & 1)
		}
		return n
	}
	use(t, b, groups[4], nil)
	use(t, b, groups[0], nil)
	if cached() > 1 {
		t.Skip("this file system keeps what should be forgotten")
	}
	use(t, b, groups[3], groups[4].group)
	want := groupBytes/os.Getpagesize() - 1
	for deadline := time.Now().Add(5 * time.Second); cached() < want && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := cached(); n < want {
		t.Errorf("%d pages of the next group are on their way, want %d", n, want)
	}
	if n := held(t, window); n > 1 {
		t.Errorf("the process has %d pages of it already", n)
	}
}
