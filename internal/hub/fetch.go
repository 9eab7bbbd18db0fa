package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// Progress is how far a pull is.
type Progress struct {
	Done, Total int64 // bytes; what was here before is done
	Files, Of   int
}

// Fetch brings what is missing, and tells how many bytes came. Where it ends
// early, by an error or with ctx, what has come is kept for the next pull. Errors
// are *Error, or ctx's.
func (p *Pull) Fetch(ctx context.Context, show func(Progress)) (fetched int64, err error) {
	if err := p.room(); err != nil {
		return 0, err
	}
	f := &fetch{Pull: p, connections: newConnections(p.workers), show: show}
	f.now = Progress{Done: p.Bytes() - p.Missing(), Total: p.Bytes(), Of: len(p.Files)}
	f.add(0, 0)
	if err := f.all(ctx); err != nil {
		return f.fetched, err
	}
	if p.client.config.Offline || p.Revision == p.Commit {
		return f.fetched, nil
	}
	return f.fetched, onDisk(p.reference.String(), p.folder.cache, p.folder.refer(p.Revision, p.Commit))
}

// fetch is a pull that is under way.
type fetch struct {
	*Pull
	connections connections
	show        func(Progress)

	mu      sync.Mutex
	now     Progress
	fetched int64
}

// all brings all files, several at a time, the small ones first; the first error
// ends it.
func (f *fetch) all(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	order := make([]int, len(f.entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(f.entries[i].size, f.entries[j].size) })
	queue := make(chan int, len(order))
	for _, i := range order {
		queue <- i
	}
	close(queue)
	var workers sync.WaitGroup
	for range min(f.workers, len(f.entries)) {
		workers.Go(func() {
			for i := range queue {
				if ctx.Err() != nil {
					return
				}
				if err := f.file(ctx, f.entries[i], f.Files[i].Here); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// file brings one file, of which so much was thought to be here.
func (f *fetch) file(ctx context.Context, e entry, here int64) error {
	if holds(f.pointer(e), e.size) {
		f.add(e.size-here, 1)
		return nil
	}
	r := f.reference
	r.File = e.path
	meta, err := f.client.head(ctx, f.reference, f.Commit, e)
	if err == nil {
		err = f.make(ctx, e, meta.etag, here)
	}
	switch {
	case err == nil:
		f.add(0, 1)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return onDisk(r.String(), f.folder.cache, err)
}

// make makes the blob, unless it is there, and lets the snapshot point to it.
func (f *fetch) make(ctx context.Context, e entry, etag string, here int64) error {
	if err := f.folder.prepare(etag); err != nil {
		return err
	}
	unlock, err := lock(ctx, f.folder.lock(etag), func() {
		f.remark(fmt.Sprintf("%s/%s is being fetched already: waiting for it", f.Repository, e.path))
	})
	if err != nil {
		return err
	}
	defer unlock()
	if holds(f.folder.blob(etag), e.size) {
		f.add(e.size-here, 0)
	} else if err := f.blob(ctx, e, etag, here); err != nil {
		return err
	}
	return f.folder.link(f.Commit, e.path, etag)
}

// blob goes on with a blob until it is whole and right.
func (f *fetch) blob(ctx context.Context, e entry, etag string, here int64) error {
	path := f.folder.incomplete(etag)
	file, err := f.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	p, err := newPartial(ctx, file, e)
	if err != nil {
		return err
	}
	f.add(p.have-here, 0)
	t := f.transfer(e, f.connections, f.came)
	resumed := p.have > 0
	if err := t.run(ctx, p); err != nil {
		return err
	}
	if !p.right() && resumed { // the beginning was of something else, or the machine lost its power
		f.add(-e.size, 0)
		if err := errors.Join(p.restart(), t.run(ctx, p)); err != nil {
			return err
		}
	}
	if !p.right() {
		return errors.Join(f.damaged(e), os.Remove(path))
	}
	if err := file.Sync(); err != nil {
		return err
	}
	err = os.Rename(path, f.folder.blob(etag))
	if errors.Is(err, fs.ErrNotExist) && holds(f.folder.blob(etag), e.size) { // no locks here, and another was faster
		return nil
	}
	return err
}

// came counts what the network brings.
func (f *fetch) came(n int64) {
	f.mu.Lock()
	f.fetched += n
	f.mu.Unlock()
	f.add(n, 0)
}

// add counts bytes and files that are done.
func (f *fetch) add(bytes int64, files int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Done += bytes
	f.now.Files += files
	f.show(f.now)
}
