package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"taca/internal/hub/hubtest"
)

// random is a file's bytes, the same for the same name.
func random(name string, size int) []byte {
	source := rand.NewChaCha8(sha256.Sum256([]byte(name)))
	data := make([]byte, size)
	_, _ = source.Read(data) // it never fails
	return data
}

// flux is a hub with one pipeline.
func flux(t *testing.T) *hubtest.Server {
	return hubtest.New(t, map[string]*hubtest.Repository{"org/flux": {Files: hubtest.Pipeline(random), Page: 7}})
}

func config(t testing.TB, s *hubtest.Server, cache string) Config {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Cache: cache, Endpoint: u, TokenFile: filepath.Join(cache, "token")}
}

// prepare is a pull that has asked nothing yet, with segments of 20 kB and
// without waiting.
func prepare(t testing.TB, c Config, reference string) *Pull {
	t.Helper()
	r, err := ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	p := newPull(c, r, Options{Connections: 4, Agent: "taca/test", Remark: func(string) {}})
	p.segment = 20_000
	p.client.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return p
}

func anyClass(string) error { return nil }

// fetch pulls all of it.
func pull(p *Pull) (int64, error) {
	if err := p.look(context.Background(), anyClass); err != nil {
		return 0, err
	}
	return p.Fetch(context.Background(), func(Progress) {})
}

// holdsExactly holds a snapshot against the repository, and its layout against
// huggingface_hub's.
func holdsExactly(t *testing.T, p *Pull, repository *hubtest.Repository, want []string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(p.folder.snapshot(p.Commit), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(p.folder.snapshot(p.Commit), path)
		if err != nil {
			return err
		}
		got = append(got, name)
		data, err := os.ReadFile(path)
		if !bytes.Equal(data, repository.Files[name]) {
			t.Errorf("%s: %d bytes that are not the hub's %d", name, len(data), len(repository.Files[name]))
		}
		target, _ := os.Readlink(path)
		if up := strings.Repeat("../", 2+strings.Count(name, "/")); target != up+"blobs/"+hubtest.ETag(data) {
			t.Errorf("%s points to %q", name, target)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the snapshot holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if commit, err := os.ReadFile(p.folder.reference("main")); err != nil || string(commit) != repository.Commit() {
		t.Errorf("refs/main is %q (%v)", commit, err)
	}
	if left, _ := filepath.Glob(p.folder.incomplete("*")); len(left) > 0 {
		t.Errorf("left incomplete: %v", left)
	}
}

// TestPull fetches what taca reads and nothing else, and then nothing at all.
func TestPull(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	s.Repositories["org/flux"].Home = "hub.invalid" // as a mirror's, to which the token does not go
	first := prepare(t, config(t, s, cache), "org/flux")
	fetched, err := pull(first)
	if err != nil {
		t.Fatal(err)
	}
	const twice = 18 // bytes of two files of the same contents
	if fetched != first.Missing() || first.Missing() != first.Bytes()-twice {
		t.Errorf("%d bytes came, %d were missing of %d", fetched, first.Missing(), first.Bytes())
	}
	holdsExactly(t, first, s.Repositories["org/flux"], hubtest.Needed())
	if place, ok := Find(cache, first.reference); !ok || place != first.Path {
		t.Errorf("found in %s (%v), want %s", place, ok, first.Path)
	}

	s.Requests()
	again := prepare(t, config(t, s, cache), "org/flux")
	fetched, err = pull(again)
	if made := s.Requests(); err != nil || fetched != 0 || again.Missing() != 0 || hubtest.Downloads(made) != 0 {
		t.Errorf("the second pull fetched %d bytes of %d missing (%v): %v", fetched, again.Missing(), err, made)
	}

	c := config(t, s, cache)
	c.Offline = true
	offline := prepare(t, c, "org/flux")
	fetched, err = pull(offline)
	if made := s.Requests(); err != nil || fetched != 0 || offline.Path != first.Path || len(made) != 0 {
		t.Errorf("offline: %s, %d bytes (%v), requests %v", offline.Path, fetched, err, made)
	}
}

// TestSegments: a large file comes through several connections at once, whose
// ranges cover it once; small ones without ranges.
func TestSegments(t *testing.T) {
	s := flux(t)
	var mu sync.Mutex
	now, most := 0, 0
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		now += by
		most = max(most, now)
	}
	s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		count(1)
		time.Sleep(2 * time.Millisecond) // not asserted: it lets others come
		next(w, r)
		count(-1)
	}
	p := prepare(t, config(t, s, t.TempDir()), "org/flux/flux1-dev.safetensors")
	if _, err := pull(p); err != nil {
		t.Fatal(err)
	}
	holdsExactly(t, p, s.Repositories["org/flux"], []string{"flux1-dev.safetensors"})
	var ranges []string
	hub := 0
	for _, r := range s.Requests() {
		if r.Host == "cdn" {
			ranges = append(ranges, r.Range)
		} else if r.Method == http.MethodGet && strings.Contains(r.Path, "/resolve/") {
			hub++
		}
	}
	slices.Sort(ranges)
	var want []string
	for at := 0; at < 900_000; at += 20_000 {
		want = append(want, fmt.Sprintf("bytes=%d-%d", at, at+19_999))
	}
	slices.Sort(want)
	if !slices.Equal(ranges, want) {
		t.Errorf("ranges %v", ranges)
	}
	mu.Lock()
	defer mu.Unlock()
	if most < 2 || most > 4 {
		t.Errorf("%d connections at once, want 2 to 4", most)
	}
	if hub != 1 {
		t.Errorf("the hub was asked %d times where the file is, want once", hub)
	}
}

// TestHundredCuts: connections break at random places a hundred times, and the
// bytes are right.
func TestHundredCuts(t *testing.T) {
	for seed := range uint64(3) {
		s := flux(t)
		random := rand.New(rand.NewPCG(seed, 7))
		var mu sync.Mutex
		cuts := 0
		s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			mu.Lock()
			cut := cuts < 100
			if cut {
				cuts++
			}
			after := random.IntN(15_000)
			mu.Unlock()
			if cut {
				w = hubtest.Cut(w, after)
			}
			next(w, r)
		}
		p := prepare(t, config(t, s, t.TempDir()), "org/flux")
		p.segment = 50_000
		fetched, err := pull(p)
		if err != nil {
			t.Fatalf("seed %d, after %d cuts: %v", seed, cuts, err)
		}
		if cuts < 100 {
			t.Errorf("seed %d: only %d cuts", seed, cuts)
		}
		if fetched != p.Missing() {
			t.Errorf("seed %d: %d bytes came, want each of %d once", seed, fetched, p.Missing())
		}
		holdsExactly(t, p, s.Repositories["org/flux"], hubtest.Needed())
	}
}

// TestWithoutRanges: a server that ignores ranges, and breaks connections, is
// read through one connection, and does not spoil what was there.
func TestWithoutRanges(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	var mu sync.Mutex
	cuts := 0
	s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		r.Header.Del("Range")
		mu.Lock()
		defer mu.Unlock()
		if cuts++; cuts < 5 {
			w = hubtest.Cut(w, 100_000*cuts)
		}
		next(w, r)
	}
	p := prepare(t, config(t, s, cache), "org/flux/flux1-dev.safetensors")
	if _, err := pull(p); err != nil {
		t.Fatal(err)
	}
	holdsExactly(t, p, s.Repositories["org/flux"], []string{"flux1-dev.safetensors"})
	downloads := 0
	for _, r := range s.Requests() {
		if r.Host == "cdn" {
			downloads++
		}
	}
	if downloads != 5 {
		t.Errorf("the file was asked for %d times, want 5", downloads)
	}
}

// TestStopAndGoOn: a pull that is stopped in the middle leaves prefixes, and the
// next one fetches only what they lack.
func TestStopAndGoOn(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if r.Header.Get("Range") == "bytes=240000-259999" && ctx.Err() == nil {
			stop()
			<-r.Context().Done()
			return
		}
		next(w, r)
	}
	p := prepare(t, config(t, s, cache), "org/flux")
	if err := p.look(ctx, anyClass); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Fetch(ctx, func(Progress) {}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, ok := Find(cache, p.reference); ok {
		t.Error("main is there before all of it is")
	}
	for _, path := range incompletes(t, p) {
		etag := strings.TrimSuffix(filepath.Base(path), ".incomplete")
		part, err := os.ReadFile(path)
		if whole := s.Repositories["org/flux"].Blob(etag); err != nil || !bytes.HasPrefix(whole, part) {
			t.Errorf("%s is no prefix (%v)", path, err)
		}
	}
	again := prepare(t, config(t, s, cache), "org/flux")
	fetched, err := pull(again)
	if err != nil || fetched != again.Missing() || fetched > again.Bytes()-240_000 {
		t.Errorf("the second pull fetched %d bytes of %d missing of %d (%v)", fetched, again.Missing(), again.Bytes(), err)
	}
	holdsExactly(t, again, s.Repositories["org/flux"], hubtest.Needed())
}

// TestStopKeepsWhatCame: of the segment that is next, too.
func TestStopKeepsWhatCame(t *testing.T) {
	const name = "transformer/diffusion_pytorch_model-00001-of-00002.safetensors"
	s := flux(t)
	ctx, stop := context.WithCancel(context.Background())
	s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if r.Header.Get("Range") == "bytes=240000-259999" {
			w.Header().Set("Content-Range", "bytes 240000-259999/500000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(s.Repositories["org/flux"].Files[name][240_000:240_100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		next(w, r)
	}
	p := prepare(t, config(t, s, t.TempDir()), "org/flux/"+name)
	if err := p.look(ctx, anyClass); err != nil {
		t.Fatal(err)
	}
	_, err := p.Fetch(ctx, func(now Progress) {
		if now.Done == 240_100+3*20_000 { // the other connections have no more to do
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	part, err := os.ReadFile(incompletes(t, p)[0])
	if err != nil || !bytes.Equal(part, s.Repositories["org/flux"].Files[name][:240_100]) {
		t.Errorf("%d bytes are kept, want 240100 (%v)", len(part), err)
	}
}

func incompletes(t *testing.T, p *Pull) []string {
	t.Helper()
	paths, err := filepath.Glob(p.folder.incomplete("*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("nothing is incomplete (%v)", err)
	}
	return paths
}

// TestTwoAtOnce: pulls of the same repository, one after the other in every
// file, fetch everything once.
func TestTwoAtOnce(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	var wait sync.WaitGroup
	var sum int64
	var mu sync.Mutex
	for range 3 {
		p := prepare(t, config(t, s, cache), "org/flux")
		wait.Go(func() {
			fetched, err := pull(p)
			if err != nil {
				t.Error(err)
				return
			}
			holdsExactly(t, p, s.Repositories["org/flux"], hubtest.Needed())
			mu.Lock()
			defer mu.Unlock()
			sum += fetched
		})
	}
	wait.Wait()
	p := prepare(t, config(t, s, cache), "org/flux")
	if err := p.look(context.Background(), anyClass); err != nil || p.Missing() != 0 || sum != p.Bytes()-18 {
		t.Errorf("together they fetched %d bytes of %d less 18, %d are missing (%v)", sum, p.Bytes(), p.Missing(), err)
	}
}
