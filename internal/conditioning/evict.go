package conditioning

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"taca/internal/atomicfile"
)

// abandoned is after how long a temporary file has lost its writer.
const abandoned = time.Hour

// evict removes the entries that were used longest ago until all have room; the
// one called kept stays. Other processes may read and evict at the same time:
// who has opened an entry has it whole, and an entry that is gone already is
// what was wanted. Two that evict at once go through the same entries in the
// same order, so they do not remove twice as much.
func (c *Cache) evict(kept string, now time.Time) {
	files, err := os.ReadDir(c.dir)
	if err != nil {
		return // the next one that keeps something tries again
	}
	var entries []fs.FileInfo
	var sum int64
	for _, f := range files {
		info, err := f.Info()
		switch {
		case err != nil: // removed by another process
		case atomicfile.Temporary(f.Name()):
			if now.Sub(info.ModTime()) > abandoned {
				c.remove(f.Name())
			}
		case ours(f.Name()):
			entries, sum = append(entries, info), sum+info.Size()
		}
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, e := range entries {
		if sum <= c.room {
			return
		}
		if e.Name() != kept {
			c.remove(e.Name())
			sum -= e.Size()
		}
	}
}

func (c *Cache) remove(name string) {
	_ = os.Remove(filepath.Join(c.dir, name)) // gone already, or not ours to remove
}
