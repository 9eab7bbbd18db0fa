package ram

import (
	"io/fs"
	"maps"
	"os"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// machine is what the kernel shows, by path.
func machine(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

const (
	mountV1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	mountV2 = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	none    = "9223372036854771712\n" // what version 1 calls no limit
)

// groups are machines and the room their control groups leave.
var groups = map[string]struct {
	files map[string]string
	room  int
}{
	"no control groups": {map[string]string{"proc/self/cgroup": "0::/\n"}, 0},
	"version 2, no limit anywhere": {map[string]string{
		"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/user.slice/taca.scope\n",
		"sys/fs/cgroup/user.slice/memory.max": "max\n", "sys/fs/cgroup/user.slice/taca.scope/memory.max": "max\n",
	}, 0},
	"version 2, its own group": {map[string]string{
		"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/user.slice/taca.scope\n",
		"sys/fs/cgroup/user.slice/memory.max":                 "max\n",
		"sys/fs/cgroup/user.slice/taca.scope/memory.max":      "8000\n",
		"sys/fs/cgroup/user.slice/taca.scope/memory.current":  "5000\n",
		"sys/fs/cgroup/user.slice/taca.scope/memory.stat":     "anon 1000\nfile 4000\nactive_file 1500\ninactive_file 2500\nshmem 10\n",
		"sys/fs/cgroup/user.slice/taca.scope/cgroup.freeze":   "0\n",
		"sys/fs/cgroup/user.slice/other.scope/memory.max":     "10\n",
		"sys/fs/cgroup/user.slice/other.scope/memory.current": "9\n",
	}, 7000},
	"version 2, a group above leaves less": {map[string]string{
		"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/a/b/c\n",
		"sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "900\n",
		"sys/fs/cgroup/a/b/c/memory.max": "500\n", "sys/fs/cgroup/a/b/c/memory.current": "100\n",
	}, 100},
	"version 2, more in use than allowed": {map[string]string{
		"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/a\n",
		"sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "1200\n",
	}, 1},
	"version 2, a container with a namespace": {map[string]string{
		"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/\n",
		"sys/fs/cgroup/memory.max": "4096\n", "sys/fs/cgroup/memory.current": "96\n",
	}, 4000},
	"version 1": {map[string]string{
		"proc/self/mountinfo": mountV1, "proc/self/cgroup": "8:cpu:/x\n4:memory:/jobs/7\n0::/\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":        none,
		"sys/fs/cgroup/memory/jobs/memory.limit_in_bytes":   none,
		"sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes": "6000\n",
		"sys/fs/cgroup/memory/jobs/7/memory.usage_in_bytes": "2000\n",
		"sys/fs/cgroup/memory/jobs/7/memory.stat":           "active_file 3\ntotal_inactive_file 300\ntotal_active_file 200\n",
	}, 4500},
	"version 1, controllers together": {map[string]string{
		"proc/self/mountinfo": "35 31 0:32 / /cg rw - cgroup none rw,cpu,memory\n", "proc/self/cgroup": "4:cpu,memory:/j\n",
		"cg/j/memory.limit_in_bytes": "600\n",
	}, 600},
	"version 1, a container that is told the path outside": {map[string]string{
		"proc/self/mountinfo":                        "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
		"proc/self/cgroup":                           "4:memory:/docker/ab\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "700\n",
	}, 700},
	"version 1, a group in such a container": {map[string]string{
		"proc/self/mountinfo":                          "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
		"proc/self/cgroup":                             "4:memory:/docker/ab/c\n",
		"sys/fs/cgroup/memory/c/memory.limit_in_bytes": "300\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":   "700\n",
	}, 300},
	"version 1, a container of another name": {map[string]string{
		"proc/self/mountinfo":                        "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
		"proc/self/cgroup":                           "4:memory:/docker/abc\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "700\n",
	}, 700},
	"version 2 beside version 1": {map[string]string{
		"proc/self/mountinfo": mountV1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "proc/self/cgroup": "4:memory:/m\n0::/u\n",
		"sys/fs/cgroup/memory/m/memory.limit_in_bytes": "800\n",
	}, 800},
}

func TestControlGroups(t *testing.T) {
	for name, g := range groups {
		if got := groupRoom(machine(g.files)); got != g.room {
			t.Errorf("%s: %d bytes, want %d", name, got, g.room)
		}
	}
}

// TestBrokenFiles holds machines whose files are cut anywhere: nothing is said
// rather than something wrong, and nothing panics.
func TestBrokenFiles(t *testing.T) {
	for name, g := range groups {
		for cut := range g.files {
			for n := range len(g.files[cut]) {
				files := maps.Clone(g.files)
				files[cut] = files[cut][:n]
				groupRoom(machine(files))
			}
			files := maps.Clone(g.files)
			delete(files, cut)
			if got := groupRoom(machine(files)); got < 0 {
				t.Errorf("%s without %s: %d bytes", name, cut, got)
			}
		}
	}
}

func TestAvailable(t *testing.T) {
	if got := available(machine(map[string]string{"proc/meminfo": "MemTotal:  99 kB\nMemFree: 7 kB\nMemAvailable:   12 kB\n"})); got != 12<<10 {
		t.Errorf("%d bytes", got)
	}
	if got := available(machine(nil)); got != 0 {
		t.Errorf("%d bytes of a machine that says nothing", got)
	}
}

// TestWithin lets the smallest bound count, and what is not known not at all.
func TestWithin(t *testing.T) {
	r := Room{Bytes: 5, By: "free memory", Cache: 5}
	for _, c := range []struct {
		bytes int
		want  Room
	}{{0, r}, {6, r}, {5, r}, {3, Room{3, "flag", 5}}} {
		if got := r.Within(c.bytes, "flag"); got != c.want {
			t.Errorf("within %d: %+v, want %+v", c.bytes, got, c.want)
		}
	}
	if got := (Room{}).Within(3, "flag"); got != (Room{3, "flag", 0}) {
		t.Errorf("a bound where nothing is known: %+v", got)
	}
}

// TestPeak grows with what is touched.
func TestPeak(t *testing.T) {
	before := Peak()
	if before == 0 {
		t.Skip("the kernel does not say")
	}
	const bytes = 64 << 20
	memory, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < bytes; i += 4096 {
		memory[i] = 1
	}
	if err := unix.Munmap(memory); err != nil {
		t.Fatal(err)
	}
	if grown := Peak() - before; grown < bytes/2 || grown > 2*bytes {
		t.Errorf("the peak grew by %d bytes, %d were touched", grown, bytes)
	}
}

// TestHere asks this machine.
func TestHere(t *testing.T) {
	if _, err := os.Stat("/proc/meminfo"); err != nil {
		t.Skip(err)
	}
	if r := Free(); r.Bytes < 1<<20 || r.By == "" || r.Cache < r.Bytes {
		t.Errorf("%+v", r)
	}
}
