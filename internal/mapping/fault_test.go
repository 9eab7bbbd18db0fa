package mapping

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// faults are what may happen to a file that is mapped. Each is done in a process
// of its own, which would end if a fault were not met; what it prints is what is
// told of the file.
var faults = map[string]struct {
	do   func(t *testing.T)
	want string
}{
	"cut short": {func(t *testing.T) {
		f, page := mapped(t, 64)
		truncate(t, f, page)
		data := f.Bytes()
		if data[0] != 1 || data[page-1] != 1 || !bytes.Equal(data[page:], make([]byte, 63*page)) {
			t.Error("what is left is not what was, or what is gone is not zero")
		}
		fmt.Println(f.Check(), Check())
		if err := f.Close(); err != nil || Check() != nil {
			t.Errorf("closed: %v, %v", err, Check())
		}
	}, "/file: it was cut short while it was in use: leave"},
	// More faults at a time than the kernel allows mappings, from the last page on.
	"cut short, many threads": {func(t *testing.T) {
		f, page := mapped(t, 1<<12)
		truncate(t, f, 0)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for at := len(f.Bytes()) - page; at >= 0; at -= page {
					if f.Bytes()[at] != 0 {
						t.Error("a page that is gone is not zero")
					}
				}
			})
		}
		all.Wait()
		fmt.Println(Check())
	}, "it was cut short while it was in use"},
	"cut short within a page": {func(t *testing.T) {
		f, page := mapped(t, 2)
		truncate(t, f, page+100)
		fmt.Println(Check())
	}, "it was cut short while it was in use"},
	"whole again": {func(t *testing.T) {
		f, page := mapped(t, 8)
		truncate(t, f, page)
		lost := f.Bytes()[5*page]
		truncate(t, f, 8*page)
		if err := os.Chtimes(f.disk.Name(), f.mapped.Modified, f.mapped.Modified); err != nil || lost != 0 {
			t.Fatal(lost, err)
		}
		fmt.Println(Check())
	}, "it could not be read (input/output error, or it was cut short and is whole again) while"},
	"overwritten": {func(t *testing.T) {
		f, _ := mapped(t, 2)
		if err := Check(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.disk.WriteAt([]byte{7}, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f.disk.Name(), f.mapped.Modified.Add(1), f.mapped.Modified.Add(1)); err != nil {
			t.Fatal(err) // else it might be in the same tick of the file system's clock
		}
		fmt.Println(Check())
	}, "it was changed while it was in use"},
	// Address space of a file that is closed is guarded no more, that of the next is.
	"one after the other": {func(t *testing.T) {
		for i := range 100 {
			f, page := mapped(t, 4)
			if i%2 == 0 {
				truncate(t, f, page)
				if f.Bytes()[3*page] != 0 || f.Check() == nil {
					t.Fatal("not told")
				}
			} else if err := Check(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Println("all told")
	}, "all told"},
	// What is mapped by others is Go's business, as it was.
	"not ours": {func(t *testing.T) {
		f, page := mapped(t, 2)
		strange, err := unix.Mmap(int(f.disk.Fd()), 0, 2*page, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		truncate(t, f, page)
		debug.SetPanicOnFault(true)
		defer func() { fmt.Println(recover()) }()
		t.Error(strange[page])
	}, "runtime error: invalid memory address"},
}

func truncate(t *testing.T, f *File, size int) {
	t.Helper()
	if err := os.Truncate(f.disk.Name(), int64(size)); err != nil {
		t.Fatal(err)
	}
}

// faultVariable names the fault that a child is to meet.
const faultVariable = "TACA_TEST_FAULT"

// TestFaults: whatever becomes of a mapped file, the program goes on and can say
// so.
func TestFaults(t *testing.T) {
	if name := os.Getenv(faultVariable); name != "" {
		faults[name].do(t)
		return
	}
	for name, fault := range faults {
		child := exec.Command(os.Args[0], "-test.run=^TestFaults$")
		child.Env = append(os.Environ(), faultVariable+"="+name)
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), fault.want) {
			t.Errorf("%s: %v, want %q in\n%s", name, err, fault.want, out)
		}
	}
}
