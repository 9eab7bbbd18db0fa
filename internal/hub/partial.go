package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// growing is where a file is written.
type growing interface {
	io.WriterAt
	Truncate(size int64) error
}

// storage is the beginning of a blob on disk.
type storage interface {
	growing
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
}

// openStorage opens the beginning of a blob, or begins it. A link is not
// followed: whoever made it was not us.
func openStorage(path string) (storage, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o666)
}

// partial is the beginning of a blob: what has come, in the file and in the
// hash.
type partial struct {
	file growing
	want entry
	have int64
	sum  hash.Hash
}

// newPartial goes on with what the file holds, which is read for the hash.
func newPartial(ctx context.Context, file storage, want entry) (*partial, error) {
	p := &partial{file: file, want: want}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > want.size {
		return p, p.restart()
	}
	p.reset()
	p.have = info.Size()
	_, err = io.Copy(p.sum, &patientReader{ctx, io.NewSectionReader(file, 0, p.have)})
	return p, err
}

// patientReader ends with ctx.
type patientReader struct {
	ctx context.Context
	io.Reader
}

// Read reads on.
func (r *patientReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// restart throws away what has come.
func (p *partial) restart() error {
	p.reset()
	p.have = 0
	return p.file.Truncate(0)
}

// reset begins the hash that the hub lists: SHA-256 of large files, git's of
// small ones.
func (p *partial) reset() {
	if p.want.sha256 != "" {
		p.sum = sha256.New()
		return
	}
	p.sum = sha1.New()
	fmt.Fprintf(p.sum, "blob %d\x00", p.want.size)
}

// Write adds what comes next. What the disk did not take does not count.
func (p *partial) Write(b []byte) (int, error) {
	if p.have+int64(len(b)) > p.want.size {
		return 0, errors.New("more bytes than the file has")
	}
	n, err := p.file.WriteAt(b, p.have)
	p.sum.Write(b[:n])
	p.have += int64(n)
	if err != nil {
		err = &diskError{err}
	}
	return n, err
}

// diskError is a write that failed, as opposed to a read from the network.
type diskError struct{ error }

// Unwrap gives the reason.
func (e *diskError) Unwrap() error { return e.error }

// right reports whether what has come is what the hub lists.
func (p *partial) right() bool {
	got := hex.EncodeToString(p.sum.Sum(nil))
	if p.want.sha256 != "" {
		return got == p.want.sha256
	}
	return got == p.want.oid
}
