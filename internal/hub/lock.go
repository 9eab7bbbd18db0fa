package hub

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lock waits until no other program makes the same blob, and keeps others out
// until the function it gives is called. huggingface_hub takes the same lock.
// waiting is called once where it takes long.
//
// Where a file system has no locks, or only pretends to, two write the same bytes
// to the same places of one file, which does no harm.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	const look, patience = 50 * time.Millisecond, 2 * time.Second
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o664)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil, errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOTSUP):
			return func() { _ = f.Close() }, nil // the file stays, for those who wait on it
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.EACCES):
			_ = f.Close()
			return nil, err
		}
		if waiting != nil && time.Since(begun) > patience {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(look):
		}
	}
}
