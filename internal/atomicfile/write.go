package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Write fills a temporary file beside path, then renames it. After an error
// nothing is left behind, and an older file of that name is whole. A link is
// followed; a pipe or a device is written to as it is, since it cannot be
// replaced.
func Write(path string, fill func(io.Writer) error) error {
	target, special, err := resolve(path)
	if err != nil {
		return fail(path, err)
	}
	if special {
		return fail(path, stream(target, fill))
	}
	return fail(path, replace(target, 0o666, fill, (*os.File).Sync))
}

// WriteBytes is Write of what is there already.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WritePrivate is Write of a file that only its owner may read. It does not wait
// for the disk: after the machine has lost its power the file may be damaged,
// which those who read it must be able to tell.
func WritePrivate(path string, fill func(io.Writer) error) error {
	return fail(path, replace(path, 0o600, fill, func(*os.File) error { return nil }))
}

// Writable tries whether Write could make a file, before hours are spent on
// what goes into it.
func Writable(path string) error {
	target, special, err := resolve(path)
	if err != nil || special {
		return fail(path, err)
	}
	f, err := create(target, 0o666)
	if err != nil {
		return fail(path, err)
	}
	return fail(path, errors.Join(f.Close(), os.Remove(f.Name())))
}

// resolve follows links, and says whether path is a pipe or a device.
func resolve(path string) (target string, special bool, err error) {
	if linked, err := filepath.EvalSymlinks(path); err == nil {
		path = linked
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, false, nil
	case err != nil:
		return path, false, err
	case info.IsDir():
		return path, false, errors.New("it is a folder: give a file name")
	}
	return path, !info.Mode().IsRegular(), nil
}

func stream(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(filled(f, fill), f.Close())
}

func replace(path string, mode fs.FileMode, fill func(io.Writer) error, sync func(*os.File) error) error {
	f, err := create(path, mode)
	if err != nil {
		return err
	}
	err = errors.Join(filled(f, fill), sync(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to tell
	}
	return err
}

func filled(f *os.File, fill func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(fill(w), w.Flush())
}

// temporary is how the names of files begin that are being written.
const temporary = ".taca-"

// Temporary reports whether a file of that name is one that is being written,
// or was when its writer ended.
func Temporary(name string) bool { return strings.HasPrefix(name, temporary) }

// create opens a temporary file beside path, with those of the permissions that
// a new file may have here.
func create(path string, mode fs.FileMode) (*os.File, error) {
	for i := 0; ; i++ {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%d-%d", temporary, os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// fail tells what could not be written, without the temporary file's name,
// which means nothing to people.
func fail(path string, err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		err = l.Err
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("write %s: %w: free some space or choose another place", path, err)
	}
	return fmt.Errorf("write %s: %w: choose another place", path, err)
}
