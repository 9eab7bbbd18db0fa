package mapping

import (
	"cmp"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Range is bytes lo to hi of a mapped file.
type Range struct {
	file   *File
	lo, hi int
}

// Len is the number of bytes.
func (r Range) Len() int { return r.hi - r.lo }

// Join merges ranges that touch or overlap, and sorts them.
func Join(all []Range) []Range {
	all = slices.Clone(all)
	order := map[*File]int{}
	for _, r := range all {
		if _, seen := order[r.file]; !seen {
			order[r.file] = len(order)
		}
	}
	slices.SortFunc(all, func(a, b Range) int {
		return cmp.Or(cmp.Compare(order[a.file], order[b.file]), cmp.Compare(a.lo, b.lo))
	})
	var joined []Range
	for _, r := range all {
		if n := len(joined); n > 0 && joined[n-1].file == r.file && r.lo <= joined[n-1].hi {
			joined[n-1].hi = max(joined[n-1].hi, r.hi)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// fetchBytes is what the kernel is asked for at once. Of a longer request it
// reads no more than its window of readahead, which is this large unless
// somebody has changed it, and forgets the rest.
const fetchBytes = 128 << 10

// Fetch asks the kernel to read the range into its cache, and does not wait
// until it has, but may wait for room in the disk's queue. It ends early once
// enough says so.
func (r Range) Fetch(enough func() bool) {
	for lo := r.lo; lo < r.hi && !enough(); lo += fetchBytes {
		first, end := Range{r.file, lo, min(lo+fetchBytes, r.hi)}.outside()
		if !r.file.advise(first, end, unix.MADV_WILLNEED) {
			return
		}
	}
}

// Leave takes the pages that lie wholly in the range out of the program's
// memory. The kernel keeps them in its cache while it has room.
func (r Range) Leave() {
	lo, hi := r.inside()
	r.file.advise(lo, hi, unix.MADV_DONTNEED)
}

// Forget is Leave, and takes the pages out of the kernel's cache too, unless
// other programs have them mapped. Where there is no room for all that is read
// in turns, the kernel would keep what was used last, which is what will be
// used last again, and drop what is used next.
func (r Range) Forget() {
	r.Leave()
	r.file.lock.RLock()
	defer r.file.lock.RUnlock()
	lo, hi := r.inside()
	if r.file.data == nil || lo >= hi {
		return
	}
	_ = unix.Fadvise(int(r.file.disk.Fd()), int64(lo), int64(hi-lo), unix.FADV_DONTNEED) // a hint
}

// inside is the whole pages of the range.
func (r Range) inside() (lo, hi int) {
	page := os.Getpagesize()
	return (r.lo + page - 1) / page * page, r.hi / page * page
}

// outside is the pages that the range touches.
func (r Range) outside() (lo, hi int) {
	page := os.Getpagesize()
	return r.lo / page * page, r.hi
}
