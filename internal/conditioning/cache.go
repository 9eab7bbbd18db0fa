package conditioning

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"taca/internal/atomicfile"
	"taca/internal/checkpoint"
)

// Room is how many bytes a folder usually holds: 124 prompts of FLUX.1 with 512
// tokens each.
const Room = 1 << 30

// Key is a hash of all that an entry's numbers depend on.
type Key [sha256.Size]byte

// Cache is a folder of entries.
type Cache struct {
	dir  string
	room int64
}

// New is the cache in a folder, which is made when there is something to keep.
// Entries that were used longest ago are removed where all take more than room
// bytes.
func New(dir string, room int64) *Cache { return &Cache{dir, room} }

// suffix of an entry's name; before it is the key.
const suffix = ".safetensors"

func (c *Cache) path(k Key) string { return filepath.Join(c.dir, hex.EncodeToString(k[:])+suffix) }

// digestName is the metadata that holds an entry's digest.
const digestName = "sha256"

// Find is what was kept under a key, and marks it as used now. An entry that is
// damaged is one that is not there.
func (c *Cache) Find(k Key) ([]checkpoint.Tensor, bool) {
	path := c.path(k)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > c.room {
		return nil, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	f, err := checkpoint.OpenBytes(path, data)
	if err != nil {
		return nil, false
	}
	var tensors []checkpoint.Tensor
	for _, name := range f.Names() {
		raw, _ := f.Tensor(name)
		tensors = append(tensors, checkpoint.Tensor{Name: name, Raw: raw})
	}
	if f.Metadata()[digestName] != digest(k, tensors) {
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // in a folder that only others may write the oldest may go too soon
	return tensors, true
}

// Keep writes an entry, whole or not at all, and makes room for it. Nobody but
// the user can read it.
func (c *Cache) Keep(k Key, tensors []checkpoint.Tensor) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("%w: choose another place", err)
	}
	metadata := map[string]string{digestName: digest(k, tensors)}
	err := atomicfile.WritePrivate(c.path(k), func(w io.Writer) error { return checkpoint.WriteTo(w, tensors, metadata) })
	if err != nil {
		return err
	}
	c.evict(filepath.Base(c.path(k)), time.Now())
	return nil
}

// digest tells a whole entry under its own name from any other file.
func digest(k Key, tensors []checkpoint.Tensor) string {
	h := sha256.New()
	h.Write(k[:])
	for _, t := range tensors {
		fmt.Fprintf(h, "%q %s %d %d\n", t.Name, t.Type, t.Shape, len(t.Bytes))
		h.Write(t.Bytes)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ours reports whether a file in the folder is an entry: the user may have given
// a folder that holds other files too.
func ours(name string) bool {
	key, found := strings.CutSuffix(name, suffix)
	b, err := hex.DecodeString(key)
	return found && err == nil && len(b) == sha256.Size
}
