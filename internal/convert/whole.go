package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Busy is a name that another process is writing to.
type Busy struct{ path string }

// Error says what to do.
func (b *Busy) Error() string {
	return fmt.Sprintf("%s is being written by another taca: wait for it, or give another name", b.path)
}

// Whole has a file or folder of the given name made, and renames it in the end:
// what fill writes at place, within a folder PATH.partial beside it, appears whole
// or not at all. What a process that was killed has left there is removed. Where
// there is such a file or folder already the error is fs.ErrExist.
func Whole(path string, fill func(place string) error) (err error) {
	path = filepath.Clean(path)
	partial := path + ".partial"
	if err := os.Mkdir(partial, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder %s: %w: choose another place", partial, bare(err))
	}
	lock, err := os.Open(partial)
	if err != nil {
		return fmt.Errorf("open folder %s: %w", partial, bare(err))
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return &Busy{path}
	} // file systems that know no locks are written to all the same
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }()
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("write %s: %w", path, fs.ErrExist)
	}
	place := filepath.Join(partial, filepath.Base(path))
	if err := os.RemoveAll(place); err != nil {
		return err
	}
	if err := fill(place); err != nil {
		return err
	}
	if err := os.Rename(place, path); err != nil {
		return fmt.Errorf("write %s: %w: choose another place", path, bare(err))
	}
	return nil
}

// bare is err without operation and paths.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
