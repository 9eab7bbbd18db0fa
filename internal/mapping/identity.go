package mapping

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Identity is what the file system says of a file: another one, or the same
// with other content, has another Identity, since nobody can set Changed.
type Identity struct {
	Inode    uint64
	Size     int64
	Modified time.Time // anybody can set it, and copying tools do
	Changed  time.Time // when content or Identity were last changed
}

// Identity asks the file system about the file that is mapped, which need not
// be the one that has its name now.
func (f *File) Identity() (Identity, error) {
	f.lock.RLock()
	defer f.lock.RUnlock()
	if f.data == nil {
		return Identity{}, errors.New("the file is not mapped")
	}
	return f.identity()
}

func (f *File) identity() (Identity, error) {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.disk.Fd()), &s); err != nil {
		return Identity{}, err
	}
	return Identity{Inode: s.Ino, Size: s.Size, Modified: instant(s.Mtim), Changed: instant(s.Ctim)}, nil
}

func instant(t unix.Timespec) time.Time { return time.Unix(t.Unix()) }
