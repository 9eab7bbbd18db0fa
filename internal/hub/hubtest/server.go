package hubtest

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Repository is what the hub holds under one name.
type Repository struct {
	Files map[string][]byte
	Gated bool   // the token must be Token
	Page  int    // files in a page of the listing; 0: all
	Alias string // a path under which the listing shows the first file
	Home  string // the host of the pages of the listing that follow; empty: this one, as it is not a mirror's

	once   sync.Once // Files are looked at when the first request comes
	blobs  map[string][]byte
	etags  map[string]string
	commit string
}

// Token is the one that opens gated repositories; Unknown the one that is
// expired.
const (
	Token   = "hf_open"
	Unknown = "hf_expired"
)

// Large is from how many bytes on a file lies on the second host.
const Large = 1 << 10

// Request is one that was made.
type Request struct {
	Host   string // hub or cdn
	Method string
	Path   string
	Range  string
}

// Server is the hub and its second host.
type Server struct {
	URL          string
	Repositories map[string]*Repository
	// Hub and CDN, where they are set, stand before the hosts: what they
	// answer is the answer, unless they call next.
	Hub, CDN func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc)

	t        testing.TB
	cdn      string
	mu       sync.Mutex
	requests []Request
}

// New starts a hub that holds the repositories. The test fails where the second
// host is given a token.
func New(t testing.TB, repositories map[string]*Repository) *Server {
	s := &Server{Repositories: repositories, t: t}
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note("hub", r)
		s.through(s.Hub, w, r, s.hub)
	}))
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note("cdn", r)
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the second host was given the token %s", r.Header.Get("Authorization"))
		}
		s.through(s.CDN, w, r, s.blob)
	}))
	t.Cleanup(func() {
		for _, h := range []*httptest.Server{hub, cdn} {
			h.CloseClientConnections()
			h.Close()
		}
	})
	s.URL, s.cdn = hub.URL, cdn.URL
	return s
}

func (s *Server) through(before func(http.ResponseWriter, *http.Request, http.HandlerFunc), w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	if before != nil {
		before(w, r, next)
		return
	}
	next(w, r)
}

func (s *Server) note(host string, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{host, r.Method, r.URL.Path, r.Header.Get("Range")})
}

// Requests are those made since it was called last.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// Downloads counts those that asked for contents.
func Downloads(requests []Request) int {
	n := 0
	for _, r := range requests {
		if r.Method == http.MethodGet && (r.Host == "cdn" || strings.Contains(r.Path, "/resolve")) {
			n++
		}
	}
	return n
}

// index finds the files by their hashes.
func (p *Repository) index() {
	p.once.Do(func() {
		p.blobs, p.etags = map[string][]byte{}, map[string]string{}
		sum := sha1.New()
		for _, name := range slices.Sorted(maps.Keys(p.Files)) {
			etag := ETag(p.Files[name])
			p.blobs[etag], p.etags[name] = p.Files[name], etag
			fmt.Fprintf(sum, "%s %s\n", name, etag)
		}
		p.commit = hex.EncodeToString(sum.Sum(nil))
	})
}

// Commit is the only one a repository has: a hash of all it holds.
func (p *Repository) Commit() string {
	p.index()
	return p.commit
}

// Blob is the file of that hash.
func (p *Repository) Blob(etag string) []byte {
	p.index()
	return p.blobs[etag]
}

// ETag is the name of a file's blob: as git has it for small files, SHA-256 for
// large ones.
func ETag(data []byte) string {
	if len(data) >= Large {
		return fmt.Sprintf("%x", sha256.Sum256(data))
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00%s", len(data), data)
	return hex.EncodeToString(sum.Sum(nil))
}

// hub answers as the hub does.
func (s *Server) hub(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "Bearer "+Unknown {
		fail(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return
	}
	path, api := strings.CutPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "api/models/")
	cached := false
	if !api {
		path, cached = strings.CutPrefix(path, "api/resolve-cache/models/")
	}
	parts := strings.SplitN(path, "/", 5)
	if len(parts) < 4 {
		fail(w, http.StatusNotFound, "", "")
		return
	}
	name, verb, revision, rest := parts[0]+"/"+parts[1], parts[2], parts[3], strings.Join(parts[4:], "")
	if cached { // ORG/NAME/COMMIT/FILE
		verb, revision, rest = "cached", parts[2], strings.Join(parts[3:], "/")
	}
	repository, ok := s.Repositories[name]
	if !ok {
		fail(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	}
	commit := repository.Commit()
	if revision != "main" && revision != commit && revision != "refs%2Fpr%2F1" {
		fail(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
		return
	}
	switch {
	case api && verb == "revision":
		writeJSON(w, map[string]any{"id": name, "modelId": name, "sha": commit, "siblings": []any{}, "tags": []string{}, "private": false})
	case api && verb == "tree":
		repository.list(w, r)
	case verb == "resolve" || cached:
		s.resolve(w, r, repository, rest, cached, name)
	default:
		fail(w, http.StatusNotFound, "", "")
	}
}

// resolve sends to where a file is.
func (s *Server) resolve(w http.ResponseWriter, r *http.Request, repository *Repository, path string, cached bool, name string) {
	if repository.Gated && r.Header.Get("Authorization") != "Bearer "+Token {
		status := http.StatusUnauthorized
		if r.Header.Get("Authorization") != "" {
			status = http.StatusForbidden
		}
		fail(w, status, "GatedRepo", "Access to model "+name+" is restricted.")
		return
	}
	w.Header().Set("X-Repo-Commit", repository.Commit())
	data, ok := repository.Files[path]
	switch etag := `"` + repository.etags[path] + `"`; {
	case !ok:
		fail(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
	case len(data) >= Large:
		w.Header().Set("X-Linked-Etag", etag)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
		w.Header().Set("ETag", `"of the pointer"`)
		http.Redirect(w, r, s.cdn+"/"+repository.etags[path]+"?signature=secret", http.StatusFound)
	case !cached:
		http.Redirect(w, r, "/api/resolve-cache/models/"+name+"/"+repository.Commit()+"/"+path, http.StatusTemporaryRedirect)
	default:
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// blob is the second host.
func (s *Server) blob(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "signature=secret" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	for _, repository := range s.Repositories {
		if data := repository.Blob(strings.TrimPrefix(r.URL.Path, "/")); data != nil {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// list answers with a page of the tree.
func (p *Repository) list(w http.ResponseWriter, r *http.Request) {
	p.index()
	items := []map[string]any{{"type": "directory", "path": "folder", "oid": strings.Repeat("0", 40), "size": 0}}
	names := slices.Sorted(maps.Keys(p.Files))
	for i, name := range names {
		data := p.Files[name]
		item := map[string]any{"type": "file", "path": name, "size": len(data), "oid": p.etags[name]}
		if len(data) >= Large {
			item["oid"] = strings.Repeat("1", 40)
			item["lfs"] = map[string]any{"oid": p.etags[name], "size": len(data), "pointerSize": 134}
		}
		if i == 0 && p.Alias != "" {
			item["path"] = p.Alias
		}
		items = append(items, item)
	}
	if p.Page > 0 {
		from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		items = items[min(from, len(items)):]
		if len(items) > p.Page {
			items = items[:p.Page]
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?recursive=true&cursor=%d>; rel="next"`, cmp.Or(p.Home, r.Host), r.URL.Path, from+p.Page))
		}
	}
	writeJSON(w, items)
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // whoever hung up will ask again
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}
