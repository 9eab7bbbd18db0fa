package ram

import (
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Room is memory that this program may take.
type Room struct {
	Bytes int    // 0 where nothing is known
	By    string // what leaves no more
	Cache int    // bytes that the kernel would keep of files, the program's own pages included
}

// Free is the room there is now. An eighth of what is free on the machine is
// left to others: where it comes to the last of it, the kernel takes pages of
// this program as soon as what others have read and do not need any more.
func Free() Room {
	root := os.DirFS("/")
	all := Room{}.within(available(root)/8*7, "7/8 of free memory").within(groupRoom(root), "the control group")
	all.Cache = all.Bytes
	for _, l := range limits() {
		all = all.Within(l.Bytes, l.By)
	}
	return all
}

// Within is r or less: bytes, if they are fewer. It does not bound the kernel.
func (r Room) Within(bytes int, by string) Room {
	out := r.within(bytes, by)
	out.Cache = r.Cache
	return out
}

func (r Room) within(bytes int, by string) Room {
	if bytes > 0 && (r.Bytes == 0 || bytes < r.Bytes) {
		return Room{Bytes: bytes, By: by}
	}
	return r
}

// Available is what is free on the machine, in bytes; 0 where the kernel does
// not say.
func Available() int { return available(os.DirFS("/")) }

// available is what the kernel would give without swapping.
func available(root fs.FS) int {
	kib, _ := field(root, "proc/meminfo", "MemAvailable:")
	return kib << 10
}

// Peak is the most memory this process had resident so far, in bytes; 0 where
// the kernel does not say.
func Peak() int {
	kib, _ := field(os.DirFS("/"), "proc/self/status", "VmHWM:")
	return kib << 10
}

// limits are what ulimit says. The first two are refused by the kernel, and
// count more than what is resident; the third it does not enforce. To keep to
// all of them is what whoever set them wants.
func limits() []Room {
	var all []Room
	for _, l := range []struct {
		resource int
		name     string
	}{{unix.RLIMIT_AS, "ulimit -v"}, {unix.RLIMIT_DATA, "ulimit -d"}, {unix.RLIMIT_RSS, "ulimit -m"}} {
		var limit unix.Rlimit
		if unix.Getrlimit(l.resource, &limit) == nil && limit.Cur < unlimited {
			all = append(all, Room{Bytes: int(limit.Cur), By: l.name})
		}
	}
	return all
}

// unlimited is more than any machine has: what is as large is no limit.
const unlimited = 1 << 60

// field is the number after a word at the beginning of a line.
func field(root fs.FS, name, word string) (n int, found bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == word {
			n, err := strconv.Atoi(words[1])
			return n, err == nil
		}
	}
	return 0, false
}
