package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
)

const (
	// hashWhole is up to how many bytes a file is hashed as a whole, which takes
	// some 30 ms.
	hashWhole = 32 << 20
	// samples of sampleBytes each are hashed of a larger one.
	samples     = 16
	sampleBytes = 4096
	// settled is how long ago a large file must have been changed: file systems
	// tell times in steps of up to two seconds, and what is written in the same
	// one would not be seen.
	settled = 2 * time.Second
)

// Fingerprint changes when the content of the files does. It is false where
// that cannot be promised, such as for a file that has been changed just now.
//
// Small files and those in the program are hashed. Text encoders have up to 10
// GB, which takes as long to hash as it takes to encode a prompt: of a large
// file the header counts, some of its pages, and what the file system knows of
// it. Its inode and the time of its last change (ctime) are what counts there:
// a file that is overwritten in place keeps its size, its inode and, where the
// tool wants it so, its mtime, but no program can keep its ctime. A copy with
// the mtime preserved has another inode and ctime, so it counts as another
// file, which is never wrong, only slow once. The pages are for file systems
// that make ctime up, or do not change it where memory is mapped and written.
func (s *Set) Fingerprint(now time.Time) (sum [sha256.Size]byte, ok bool) {
	h := sha256.New()
	for _, f := range s.files {
		if !f.identify(h, now) {
			return sum, false
		}
	}
	h.Sum(sum[:0])
	return sum, len(s.files) > 0
}

// identify hashes what tells f from other files, each part behind its length.
func (f *File) identify(h hash.Hash, now time.Time) bool {
	write := func(part []byte) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	if f.sum != nil {
		sum := f.sum()
		write(sum[:])
		return true
	}
	if len(f.data) <= hashWhole {
		sum := sha256.Sum256(f.data)
		write(sum[:])
		return true
	}
	id, err := f.mapping.Identity()
	if err != nil || now.Sub(id.Changed) < settled {
		return false
	}
	var known []byte
	for _, n := range []uint64{id.Inode, uint64(id.Size), uint64(id.Modified.UnixNano()), uint64(id.Changed.UnixNano())} {
		known = binary.LittleEndian.AppendUint64(known, n)
	}
	write(known)
	write(f.data[:f.body])
	for i := range samples {
		at := f.body + (len(f.data)-f.body-sampleBytes)*i/(samples-1)
		write(f.data[at:min(at+sampleBytes, len(f.data))])
	}
	return true
}
