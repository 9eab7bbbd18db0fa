package mapping

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mapped is a file of so many pages, each full of its number.
func mapped(t *testing.T, pages int) (f *File, page int) {
	t.Helper()
	page = os.Getpagesize()
	disk, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range pages {
		if _, err := disk.Write(bytes.Repeat([]byte{byte(i + 1)}, page)); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.Sync(); err != nil { // what is not written cannot be forgotten
		t.Fatal(err)
	}
	f, err = Map(disk, pages*page)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, page
}

// held is whether each page of the mapping is in the program's memory.
func held(t *testing.T, f *File) []bool {
	t.Helper()
	table, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Skip(err)
	}
	defer table.Close()
	page := os.Getpagesize()
	entries := make([]byte, len(f.data)/page*8)
	if _, err := table.ReadAt(entries, int64(address(f.data))/int64(page)*8); err != nil {
		t.Skip(err)
	}
	var present []bool
	for i := 7; i < len(entries); i += 8 {
		present = append(present, entries[i]&0x80 != 0)
	}
	return present
}

// cached is how many pages are in the kernel's cache.
func cached(t *testing.T, f *File) int {
	t.Helper()
	page := os.Getpagesize()
	vector := make([]byte, len(f.data)/page)
	if _, _, no := unix.Syscall(unix.SYS_MINCORE, address(f.data), uintptr(len(f.data)), address(vector)); no != 0 {
		t.Skip(no)
	}
	n := 0
	for _, v := range vector {
		n += int(v & 1)
	}
	return n
}

// touch reads all pages, and fails unless they hold what they did.
func touch(t *testing.T, f *File, page int) {
	t.Helper()
	for i := 0; i < len(f.data); i += page {
		if f.data[i] != byte(i/page+1) || f.data[i+page-1] != byte(i/page+1) {
			t.Fatalf("page %d holds %d", i/page, f.data[i])
		}
	}
}

// TestFind knows windows of files that are mapped, and no other memory: the
// kernel would empty it.
func TestFind(t *testing.T) {
	f, page := mapped(t, 4)
	other, _ := mapped(t, 4)
	if r, ok := Find(f.Bytes()[10 : page+20]); !ok || r.file != f || r.lo != 10 || r.hi != page+20 {
		t.Errorf("a window is %+v, %v", r, ok)
	}
	if r, ok := Find(other.Bytes()); !ok || r.file != other || r.Len() != 4*page {
		t.Errorf("a whole file is %+v, %v", r, ok)
	}
	anonymous, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(anonymous)
	stack := [64]byte{}
	for name, memory := range map[string][]byte{
		"the heap": make([]byte, 4*page), "the stack": stack[:], "constants": []byte("weights inside the program"),
		"anonymous pages": anonymous, "nothing": nil, "no bytes": f.Bytes()[:0],
	} {
		if r, ok := Find(memory); ok {
			t.Errorf("%s is taken for %+v", name, r)
		}
	}
	window := other.Bytes()[:page]
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if r, ok := Find(window); ok {
		t.Errorf("a file that is closed is found: %+v", r)
	}
}

// TestOnlyWholePages are left: neighbours may be in use.
func TestOnlyWholePages(t *testing.T) {
	f, page := mapped(t, 8)
	touch(t, f, page)
	before := held(t, f)
	if !slices.Equal(before, slices.Repeat([]bool{true}, 8)) {
		t.Skipf("pages held: %v", before)
	}
	r, _ := Find(f.Bytes()[page-1 : 5*page+1])
	r.Leave()
	if got, want := held(t, f), []bool{true, false, false, false, false, true, true, true}; !slices.Equal(got, want) {
		t.Errorf("pages held: %v, want %v", got, want)
	}
	small, _ := Find(f.Bytes()[6*page+1 : 7*page-1])
	small.Forget()
	if !held(t, f)[6] {
		t.Error("a window smaller than its page took it along")
	}
	touch(t, f, page)
}

// TestForgetAndFetch empties the kernel's cache and fills it again, further
// than a single request of the kernel's would.
func TestForgetAndFetch(t *testing.T) {
	const pages = 6000 // more than the kernel reads ahead
	f, page := mapped(t, pages)
	touch(t, f, page)
	r, _ := Find(f.Bytes())
	r.Leave()
	if n := cached(t, f); n != pages {
		t.Fatalf("%d of %d pages are in the kernel's cache after Leave", n, pages)
	}
	r.Forget()
	if n := cached(t, f); n > 0 {
		t.Skipf("this file system keeps %d of %d pages", n, pages)
	}
	r.Fetch(func() bool { return true })
	if n := cached(t, f); n > 0 {
		t.Errorf("%d pages were fetched though there were enough", n)
	}
	r.Fetch(func() bool { return false })
	for range 100 {
		if cached(t, f) == pages {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := cached(t, f); n != pages {
		t.Errorf("%d of %d pages were fetched", n, pages)
	}
	touch(t, f, page)
}

// TestClosedRanges do nothing: something else may be at their address.
func TestClosedRanges(t *testing.T) {
	f, _ := mapped(t, 2)
	r, _ := Find(f.Bytes())
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f.advise(r.lo, r.hi, unix.MADV_DONTNEED) {
		t.Error("advice about a file that is closed")
	}
	r.Leave()
	r.Forget()
	r.Fetch(func() bool { return false })
	if err := f.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestJoin(t *testing.T) {
	a, b := &File{}, &File{}
	got := Join([]Range{{b, 5, 7}, {a, 20, 30}, {a, 0, 10}, {b, 0, 5}, {a, 10, 15}, {a, 12, 14}, {a, 30, 31}})
	want := []Range{{b, 0, 7}, {a, 0, 15}, {a, 20, 31}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
