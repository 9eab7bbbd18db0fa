package hub

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// entry is a file of a repository at a commit, as the hub lists it.
type entry struct {
	path   string
	size   int64
	sha256 string // of the contents; empty for small files, which git keeps itself
	oid    string // git's hash of the blob; of the pointer where sha256 is there
}

// The most that is read of what the hub answers.
const (
	mostAnswer = 16 << 20 // bytes
	mostPages  = 100
	mostFiles  = 100_000
	mostSize   = 1 << 50 // bytes of a file
)

// resolve asks which commit a revision is.
func (c *client) resolve(ctx context.Context, r Reference) (commit string, err error) {
	var answer struct {
		SHA string `json:"sha"`
	}
	where := c.at("/api/models/"+r.Repository+"/revision/"+url.PathEscape(r.Revision), nil)
	if _, err := c.ask(ctx, r, where, &answer); err != nil {
		return "", err
	}
	if !commitHash.MatchString(answer.SHA) {
		return "", c.strange(r, "names no commit for revision "+r.Revision)
	}
	return answer.SHA, nil
}

// list asks for all files of a commit.
func (c *client) list(ctx context.Context, r Reference, commit string) (map[string]entry, error) {
	where := c.at("/api/models/"+r.Repository+"/tree/"+commit, url.Values{"recursive": {"true"}})
	files := map[string]entry{}
	for range mostPages {
		var page []treeItem
		next, err := c.ask(ctx, r, where, &page)
		if err != nil {
			return nil, err
		}
		for _, item := range page {
			if item.Type != "file" {
				continue
			}
			e, err := item.entry()
			if _, twice := files[e.path]; err == nil && twice {
				err = errors.New("twice")
			}
			if err != nil {
				return nil, c.strange(r, fmt.Sprintf("lists the file %q: %v", printable(item.Path), err))
			}
			files[e.path] = e
		}
		if next == "" {
			return files, nil
		}
		if len(files) > mostFiles {
			break
		}
		where = c.at("/api/models/"+r.Repository+"/tree/"+commit, nil)
		where.RawQuery = next
	}
	return nil, c.strange(r, fmt.Sprintf("lists more than %d files", len(files)))
}

// treeItem is a file as the hub's JSON has it.
type treeItem struct {
	Type string `json:"type"`
	Path string `json:"path"`
	Size int64  `json:"size"`
	OID  string `json:"oid"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	} `json:"lfs"`
}

var (
	sha256Hash = regexp.MustCompile(`^[0-9a-f]{64}$`)
	gitHash    = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// entry checks what the hub says of a file.
func (t treeItem) entry() (entry, error) {
	e := entry{path: t.Path, size: t.Size, oid: t.OID}
	if t.LFS != nil {
		e.size, e.sha256 = t.LFS.Size, strings.TrimPrefix(t.LFS.OID, "sha256:")
	}
	switch {
	case !fs.ValidPath(e.path) || e.path == ".":
		return e, errors.New("a name that git cannot hold")
	case e.size < 0 || e.size > mostSize:
		return e, fmt.Errorf("%d bytes long", e.size)
	case t.LFS != nil && !sha256Hash.MatchString(e.sha256), t.LFS == nil && !gitHash.MatchString(e.oid):
		return e, errors.New("without a hash")
	}
	return e, nil
}

// nextPage finds the address of the page that follows, as GitHub's API words it.
var nextPage = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)

// ask reads one answer of JSON, and the query of the page that follows it. Only
// the query is taken of that page's address: a mirror's names the hub it mirrors.
func (c *client) ask(ctx context.Context, r Reference, where *url.URL, into any) (next string, err error) {
	err = c.persist(ctx, r.Repository, func() (bool, error) {
		resp, err := c.send(ctx, http.MethodGet, where, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if err := c.expect(r, resp); err != nil {
			return false, err
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
		if err != nil {
			return false, temporary{err, 0}
		}
		if len(text) > mostAnswer {
			return false, c.strange(r, fmt.Sprintf("answers with more than %s", Text(mostAnswer)))
		}
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
			return false, c.strange(r, "gives no answer in JSON")
		}
		if m := nextPage.FindStringSubmatch(resp.Header.Get("Link")); m != nil {
			if u, err := url.Parse(m[1]); err == nil {
				next = u.RawQuery
			}
		}
		return false, nil
	})
	return next, err
}

// strange is an answer that no hub gives.
func (c *client) strange(r Reference, problem string) error {
	return &Error{Unreachable, r.Repository, c.config.Endpoint.Host + " " + problem, "is it a model hub? see HF_ENDPOINT, and whether a proxy or a login page is between"}
}

// metadata is what the hub says of a file where it is fetched.
type metadata struct {
	etag string // the name of its blob
	size int64  // below 0: not told
}

// etagName is what may name a blob.
var etagName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_+=-]{7,199}$`)

// head asks for a file's metadata.
func (c *client) head(ctx context.Context, r Reference, commit string, e entry) (metadata, error) {
	m := metadata{size: -1}
	r.File = e.path
	err := c.persist(ctx, r.String(), func() (bool, error) {
		resp, err := c.send(ctx, http.MethodHead, c.file(r.Repository, commit, e.path), nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if err := c.expect(r, resp); err != nil {
			return false, err
		}
		h := resp.Header
		m.etag = strings.Trim(strings.TrimPrefix(cmp.Or(h.Get("X-Linked-Etag"), h.Get("ETag")), "W/"), `"`)
		if n, err := fmt.Sscan(h.Get("X-Linked-Size"), &m.size); n != 1 || err != nil {
			m.size = resp.ContentLength
			if resp.StatusCode >= 300 {
				m.size = -1 // of the redirect, not of the file
			}
		}
		switch {
		case h.Get("X-Repo-Commit") != commit:
			return false, c.strange(r, fmt.Sprintf("does not say that %s is of commit %s", e.path, commit))
		case !etagName.MatchString(m.etag):
			return false, c.strange(r, "gives no usable ETag for "+e.path)
		case m.size >= 0 && m.size != e.size, e.sha256 != "" && sha256Hash.MatchString(m.etag) && m.etag != e.sha256:
			return false, refuse(r.String(), "try again later: the hub may be in the middle of a change", "the hub lists a file of %d bytes and gives another one of %d", e.size, m.size)
		}
		return false, nil
	})
	return m, err
}

// file is where a file is fetched.
func (c *client) file(repository, commit, path string) *url.URL {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return c.config.Endpoint.JoinPath(repository, "resolve", commit).JoinPath(parts...)
}
