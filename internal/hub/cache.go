package hub

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// folder is a repository in the cache, as huggingface_hub 2.4 lays it out:
//
//	models--org--name/blobs/ETAG               the contents
//	models--org--name/blobs/ETAG.incomplete    the beginning of them
//	models--org--name/snapshots/COMMIT/FILE    links to the contents, relative
//	models--org--name/refs/REVISION            the commit, without a line's end
//	.locks/models--org--name/ETAG.lock         held by flock while a blob is made
type folder struct{ cache, name string }

func newFolder(cache, repository string) folder {
	return folder{cache, "models--" + strings.ReplaceAll(repository, "/", "--")}
}

func (f folder) String() string                { return filepath.Join(f.cache, f.name) }
func (f folder) blob(etag string) string       { return filepath.Join(f.String(), "blobs", etag) }
func (f folder) incomplete(etag string) string { return f.blob(etag) + ".incomplete" }
func (f folder) snapshot(commit string) string { return filepath.Join(f.String(), "snapshots", commit) }
func (f folder) reference(revision string) string {
	return filepath.Join(f.String(), "refs", filepath.FromSlash(revision))
}
func (f folder) lock(etag string) string {
	return filepath.Join(f.cache, ".locks", f.name, etag+".lock")
}

// commitHash is a commit written in full.
var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// commit is the commit that a revision was when it was pulled last.
func (f folder) commit(revision string) (string, bool) {
	if commitHash.MatchString(revision) {
		return revision, true
	}
	file, err := os.Open(f.reference(revision))
	if err != nil {
		return "", false
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 100))
	commit := strings.TrimSpace(string(text))
	return commit, err == nil && commitHash.MatchString(commit)
}

// Find is the folder of a cache that holds a repository at a revision, whole or
// not; false where there is none.
func Find(cache string, r Reference) (string, bool) {
	f := newFolder(cache, r.Repository)
	commit, ok := f.commit(r.Revision)
	if !ok {
		return f.String(), false
	}
	info, err := os.Stat(f.snapshot(commit))
	return f.snapshot(commit), err == nil && info.IsDir()
}

// holds reports whether path is a file of that size, or a link to one.
func holds(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// prepare makes the folders that a blob is made in.
func (f folder) prepare(etag string) error {
	for _, path := range []string{f.blob(etag), f.lock(etag)} {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
	}
	// Programs that make backups know by this file what they may leave out.
	tag, err := os.OpenFile(filepath.Join(f.cache, "CACHEDIR.TAG"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil // it is there, or it will be missed by nobody
	}
	_, err = tag.WriteString("Signature: 8a477f597d28d172789f06886806bc55\n# This file marks a cache directory: see https://bford.info/cachedir/\n")
	return errors.Join(err, tag.Close())
}

// link lets a snapshot's file point to its blob. The folders of the snapshot
// are never left through a link in them.
func (f folder) link(commit, name, etag string) error {
	if err := os.MkdirAll(f.snapshot(commit), 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(f.snapshot(commit))
	if err != nil {
		return err
	}
	defer root.Close()
	name = filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	up := strings.Repeat("../", 2+strings.Count(filepath.ToSlash(name), "/"))
	target := filepath.FromSlash(up + "blobs/" + etag)
	if there, err := root.Readlink(name); err == nil && there == target {
		return nil
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = root.Symlink(target, name)
	if errors.Is(err, fs.ErrExist) { // another pull was as fast
		return nil
	}
	return err
}

// refer notes which commit a revision is. What is half-written is not in refs,
// where whatever lies is taken for a revision.
func (f folder) refer(revision, commit string) error {
	if known, _ := f.commit(revision); known == commit {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.reference(revision)), 0o777); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(f.String(), ".ref-*")
	if err != nil {
		return err
	}
	_, err = temporary.WriteString(commit)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), f.reference(revision))
	}
	if err != nil {
		_ = os.Remove(temporary.Name()) // the first error is the one to tell
	}
	return err
}
