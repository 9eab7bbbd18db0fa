package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Options are how a pull is done.
type Options struct {
	Connections int                // at once; at least 1
	Agent       string             // what the hub is told of the program
	Class       func(string) error // refuses classes of pipelines
	Remark      func(string)       // tells people what keeps it waiting
	Tokenizers  bool               // no other files of a pipeline are wanted
}

// File is a file of a pull.
type File struct {
	Path  string `json:"path"` // in the repository
	Bytes int64  `json:"bytes"`
	Here  int64  `json:"bytes_here"` // before the pull, or by another file of it; of what is not whole, they may turn out to be none
}

// Pull is what was chosen of a repository, and what of that is here.
type Pull struct {
	Repository string `json:"repository"`
	Revision   string `json:"revision"`
	Commit     string `json:"commit"`
	Path       string `json:"path"` // where the snapshot is or will be; the file in it where one was asked for
	Files      []File `json:"files"`

	reference Reference
	folder    folder
	entries   []entry
	client    *client
	workers   int
	segment   int64
	open      func(path string) (storage, error)
	free      func(path string) (int64, error)
	remark    func(string)
	lean      bool // see Options.Tokenizers
}

// Open asks the hub, or without network the cache, what a reference stands for.
// Nothing is written. Errors are *Error.
func Open(ctx context.Context, c Config, r Reference, o Options) (*Pull, error) {
	p := newPull(c, r, o)
	return p, p.look(ctx, o.Class)
}

func newPull(c Config, r Reference, o Options) *Pull {
	var mu sync.Mutex
	remark := func(text string) { // files come side by side
		mu.Lock()
		defer mu.Unlock()
		o.Remark(text)
	}
	return &Pull{
		Repository: r.Repository, Revision: r.Revision, reference: r, folder: newFolder(c.Cache, r.Repository), workers: o.Connections,
		client: newClient(c, o.Connections, o.Agent, remark), segment: segmentSize, open: openStorage, free: free, remark: remark,
		lean: o.Tokenizers,
	}
}

// look finds out which files are meant. class refuses classes of pipelines.
func (p *Pull) look(ctx context.Context, class func(string) error) error {
	if p.client.config.Offline {
		return p.lookOffline(class)
	}
	commit, err := p.client.resolve(ctx, p.reference)
	if err != nil {
		return err
	}
	files, err := p.client.list(ctx, p.reference, commit)
	if err != nil {
		return err
	}
	return p.choose(commit, files, func(name string) ([]byte, error) { return p.read(ctx, files[name]) }, class)
}

// lookOffline looks for the reference in the cache, where all of it must be.
func (p *Pull) lookOffline(class func(string) error) error {
	const hint = "it can be pulled with the network: without --offline and HF_HUB_OFFLINE"
	commit, ok := p.folder.commit(p.reference.Revision)
	snapshot := p.folder.snapshot(commit)
	if _, err := os.Stat(snapshot); !ok || err != nil {
		return refuse(p.reference.String(), hint, "%s does not hold revision %s", p.folder, p.Revision)
	}
	files := map[string]entry{}
	err := filepath.WalkDir(snapshot, func(path string, _ fs.DirEntry, err error) error {
		info, missing := os.Stat(path) // of what a link points to
		if err != nil || missing != nil || !info.Mode().IsRegular() {
			return err
		}
		name, err := filepath.Rel(snapshot, path)
		name = filepath.ToSlash(name)
		files[name] = entry{path: name, size: info.Size()}
		return err
	})
	if err != nil {
		return onDisk(p.reference.String(), p.folder.cache, err)
	}
	err = p.choose(commit, files, func(name string) ([]byte, error) {
		text, err := os.ReadFile(filepath.Join(snapshot, filepath.FromSlash(name)))
		return text, onDisk(p.reference.String(), p.folder.cache, err)
	}, class)
	var known *Error
	if errors.As(err, &known) {
		known.Problem, known.Hint = "not all of it is here: "+known.Problem, hint
	}
	return err
}

// choose notes which files are meant, and which of them are here.
func (p *Pull) choose(commit string, files map[string]entry, read contents, class func(string) error) error {
	var err error
	p.Commit, p.Path = commit, p.folder.snapshot(commit)
	if name := p.reference.File; name != "" {
		e, ok := files[name]
		if !ok {
			return refuse(p.reference.String(), "see "+p.client.config.Endpoint.JoinPath(p.Repository, "tree", p.Revision).String(), "the repository has no such file")
		}
		p.Path = filepath.Join(p.Path, filepath.FromSlash(name))
		p.entries = []entry{e}
	} else if p.lean {
		p.entries, err = chooseTokenizers(p.reference, files)
	} else {
		p.entries, err = choose(p.reference, files, read, class)
	}
	if err != nil {
		return err
	}
	first := map[string]bool{}
	for _, e := range p.entries {
		here := e.size // where the same contents come for another file
		if hash := cmp.Or(e.sha256, e.oid); hash == "" || !first[hash] {
			here = p.here(e)
			first[hash] = true
		}
		p.Files = append(p.Files, File{e.path, e.size, here})
	}
	return nil
}

// here is how many bytes of a file are in the cache.
func (p *Pull) here(e entry) int64 {
	etag := cmp.Or(e.sha256, e.oid) // as the hub's own ETag
	if holds(p.pointer(e), e.size) || etag != "" && holds(p.folder.blob(etag), e.size) {
		return e.size
	}
	info, err := os.Lstat(p.folder.incomplete(etag))
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return min(info.Size(), e.size)
}

// pointer is where a file of the snapshot is.
func (p *Pull) pointer(e entry) string {
	return filepath.Join(p.folder.snapshot(p.Commit), filepath.FromSlash(e.path))
}

// Bytes is the size of all files.
func (p *Pull) Bytes() int64 {
	var sum int64
	for _, f := range p.Files {
		sum += f.Bytes
	}
	return sum
}

// Missing is how much of it is not here.
func (p *Pull) Missing() int64 {
	var sum int64
	for _, f := range p.Files {
		sum += f.Bytes - f.Here
	}
	return sum
}

// read gives a small file, from the cache or from the hub, without keeping it.
func (p *Pull) read(ctx context.Context, e entry) ([]byte, error) {
	if holds(p.pointer(e), e.size) {
		text, err := os.ReadFile(p.pointer(e))
		return text, onDisk(p.reference.String(), p.folder.cache, err)
	}
	if e.size > mostAnswer {
		return nil, refuse(p.Repository, "do not trust it", "its %s is %s long", e.path, Text(e.size))
	}
	var text memory
	small := &partial{file: &text, want: e}
	small.reset()
	if err := p.transfer(e, newConnections(1), func(int64) {}).run(ctx, small); err != nil {
		return nil, err
	}
	if !small.right() {
		return nil, p.damaged(e)
	}
	return text, nil
}

func (p *Pull) transfer(e entry, c connections, note func(int64)) *transfer {
	r := p.reference
	r.File = e.path
	return &transfer{
		client: p.client, reference: r, source: p.client.file(p.Repository, p.Commit, e.path), size: e.size,
		connections: c, segment: p.segment, note: note,
	}
}

func (p *Pull) damaged(e entry) error {
	return refuse(p.Repository+"/"+e.path, "try again later; is a proxy between that changes files?", "what came is not what the hub lists: another hash")
}

// room refuses what the disk cannot hold, before hours are spent on it.
func (p *Pull) room() error {
	there := p.folder.cache
	for parent := filepath.Dir(there); parent != there; parent = filepath.Dir(there) {
		if _, err := os.Stat(there); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		there = parent
	}
	free, err := p.free(there)
	if err != nil || p.Missing() <= free { // a file system that does not know may still have room
		return nil
	}
	return &Error{Disk, p.reference.String(), fmt.Sprintf("%s are missing, and %s has %s left", Text(p.Missing()), p.folder.cache, Text(free)), roomHint}
}

// free is how many bytes there are for files below path.
func free(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return int64(min(s.Bavail*uint64(s.Bsize), math.MaxInt64)), nil
}

// memory is a small file that is kept nowhere.
type memory []byte

// WriteAt implements growing.
func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	*m = append((*m)[:at], b...)
	return len(b), nil
}

// Truncate implements growing.
func (m *memory) Truncate(size int64) error {
	*m = (*m)[:size]
	return nil
}
