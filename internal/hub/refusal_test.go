package hub

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"taca/internal/hub/hubtest"
)

// fails checks that a pull ends with an error of a kind, on one line, that says
// all of what is wanted.
func fails(t *testing.T, err error, kind Kind, want ...string) {
	t.Helper()
	var known *Error
	if !errors.As(err, &known) || known.Kind != kind {
		t.Errorf("error %v, want one of kind %d", err, kind)
		return
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error has several lines or a signature: %q", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q, want %q in it", err, w)
		}
	}
}

// TestGated: what to click, and how to give a token.
func TestGated(t *testing.T) {
	s := hubtest.New(t, map[string]*hubtest.Repository{"org/flux": {Files: hubtest.Pipeline(random), Gated: true}})
	c := config(t, s, t.TempDir())
	_, err := pull(prepare(t, c, "org/flux"))
	fails(t, err, Refused, "pull org/flux: the repository is gated: accept its licence at "+s.URL+"/org/flux, then give a token ("+s.URL+
		"/settings/tokens) in $HF_TOKEN or in the file "+c.TokenFile)

	c.Token, c.TokenFrom = "hf_other", "$HF_TOKEN"
	_, err = pull(prepare(t, c, "org/flux/ae.safetensors"))
	fails(t, err, Refused, "the token in $HF_TOKEN has no access to it: accept its licence at "+s.URL+"/org/flux with the account of the token")

	c.Token = hubtest.Unknown
	_, err = pull(prepare(t, c, "org/flux"))
	fails(t, err, Refused, "the hub does not know the token in $HF_TOKEN")

	c.Token = hubtest.Token
	p := prepare(t, c, "org/flux")
	if _, err := pull(p); err != nil {
		t.Fatal(err)
	}
	holdsExactly(t, p, s.Repositories["org/flux"], hubtest.Needed())
}

// TestMissing: repositories, revisions and files that are not there.
func TestMissing(t *testing.T) {
	s := hubtest.New(t, map[string]*hubtest.Repository{
		"org/flux":   {Files: hubtest.Pipeline(random)},
		"org/lora":   {Files: map[string][]byte{"a.safetensors": random("a", 5000), "b.gguf": random("b", 10), "README.md": random("r", 10)}},
		"org/words":  {Files: map[string][]byte{"README.md": random("r", 10)}},
		"org/pickle": {Files: map[string][]byte{"model_index.json": []byte(`{"_class_name": "FluxPipeline", "vae": ["a", "b"]}`), "vae/model.bin": random("v", 10)}},
		"org/wild": {Files: map[string][]byte{"model_index.json": []byte(`{"_class_name": "FluxPipeline", "vae": ["a", "b"]}`), "vae/config.json": {},
			"vae/diffusion_pytorch_model.safetensors.index.json": []byte(`{"weight_map": {"x": "../../../escape.safetensors"}}`)}},
	})
	for reference, want := range map[string]string{
		"org/absent":       "pull org/absent: the hub has no such repository, or none that it shows without a token",
		"org/flux@v9":      "pull org/flux: it has no revision v9: see ",
		"org/flux/no.gguf": "pull org/flux/no.gguf: the repository has no such file: see ",
		"org/flux/vae":     "pull org/flux/vae: the repository has no such file",
		"org/lora":         "no model_index.json: name the file you want, as org/lora/FILE: it holds a.safetensors, b.gguf",
		"org/words":        "it holds no safetensors either",
		"org/pickle":       "it does not hold vae/config.json, vae/diffusion_pytorch_model.safetensors: taca reads",
		"org/wild":         `it does not hold "../../../escape.safetensors", which vae/diffusion_pytorch_model.safetensors.index.json names, in its folder`,
	} {
		cache := t.TempDir()
		_, err := pull(prepare(t, config(t, s, cache), reference))
		fails(t, err, Refused, want)
		if there, _ := os.ReadDir(cache); len(there) > 0 {
			t.Errorf("%s left something in the cache", reference)
		}
	}
	p := prepare(t, config(t, s, t.TempDir()), "org/flux")
	err := p.look(context.Background(), func(class string) error { return fmt.Errorf("class %s is strange", class) })
	fails(t, err, Refused, "class FluxPipeline is strange")

	// A file in a folder, of a revision with slashes, is found.
	p = prepare(t, config(t, s, t.TempDir()), "org/flux@refs/pr/1/vae/config.json")
	if _, err := pull(p); err != nil {
		t.Error(err)
	} else if commit, ok := p.folder.commit("refs/pr/1"); !ok || commit != p.Commit {
		t.Errorf("refs/pr/1 is %s (%v)", commit, ok)
	}

	// Without network, what is not whole is refused.
	c := p.client.config
	c.Offline = true
	_, err = pull(prepare(t, c, "org/flux"))
	fails(t, err, Refused, "does not hold revision main: it can be pulled with the network")
	_, err = pull(prepare(t, c, "org/flux@refs/pr/1"))
	fails(t, err, Refused, "not all of it is here: ")
}

// TestDamage: bytes, sizes and listings that do not agree.
func TestDamage(t *testing.T) {
	const name = "vae/diffusion_pytorch_model.safetensors"
	wrong := func(data []byte) func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
		return func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
		}
	}
	for what, c := range map[string]struct {
		break_ func(s *hubtest.Server)
		kind   Kind
		want   string
	}{
		"other bytes": {func(s *hubtest.Server) { s.CDN = wrong(random("x", 70_000)) }, Refused, "what came is not what the hub lists: another hash"},
		"longer":      {func(s *hubtest.Server) { s.CDN = wrong(random("x", 70_001)) }, Refused, "the hub lists a file of 70000 bytes, but another one of 70001 bytes is sent"},
		"shorter":     {func(s *hubtest.Server) { s.CDN = wrong(random("x", 69_999)) }, Refused, "the hub lists a file of 70000 bytes, but another one of 69999 bytes is sent"},
		"no range":    {func(s *hubtest.Server) { s.CDN = wrong(random("x", 10)) }, Refused, "but another one of 10 bytes is sent"},
		"no bytes":    {func(s *hubtest.Server) { s.CDN = wrong(nil) }, Refused, "but another one"},
		"other range": {func(s *hubtest.Server) {
			s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				r.Header.Set("Range", "bytes=5-100")
				next(w, r)
			}
		}, Unreachable, "gives other bytes than were asked for"},
		"another commit": {func(s *hubtest.Server) { s.Hub = header("X-Repo-Commit", strings.Repeat("a", 40)) }, Unreachable, "does not say that " + name + " is of commit"},
		"another hash":   {func(s *hubtest.Server) { s.Hub = header("X-Linked-Etag", `"`+strings.Repeat("a", 64)+`"`) }, Refused, "gives another one"},
		"another size":   {func(s *hubtest.Server) { s.Hub = header("X-Linked-Size", "7") }, Refused, "the hub lists a file of 70000 bytes and gives another one of 7"},
		"a path":         {func(s *hubtest.Server) { s.Hub = header("X-Linked-Etag", `"../../../escape"`) }, Unreachable, "gives no usable ETag"},
		"in circles": {func(s *hubtest.Server) {
			s.CDN = func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
				http.Redirect(w, r, r.URL.String(), http.StatusFound)
			}
		}, Unreachable, "sends in circles"},
	} {
		t.Run(what, func(t *testing.T) {
			s, cache := flux(t), t.TempDir()
			c.break_(s)
			p := prepare(t, config(t, s, cache), "org/flux/"+name)
			_, err := pull(p)
			fails(t, err, c.kind, c.want)
			if blobs, _ := filepath.Glob(p.folder.blob("*")); len(blobs) > 0 && !strings.HasSuffix(blobs[0], ".incomplete") {
				t.Errorf("left %v", blobs)
			}
			if _, ok := Find(cache, p.reference); ok {
				t.Error("it can be found")
			}
		})
	}
}

// TestDamageOfSmallFiles: those have git's hash.
func TestDamageOfSmallFiles(t *testing.T) {
	s := flux(t)
	s.Hub = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if strings.Contains(r.URL.Path, "resolve-cache") && r.Method == http.MethodGet {
			w = flipping{w}
		}
		next(w, r)
	}
	_, err := pull(prepare(t, config(t, s, t.TempDir()), "org/flux/tokenizer/vocab.json"))
	fails(t, err, Refused, "pull org/flux/tokenizer/vocab.json: what came is not what the hub lists: another hash")
	_, err = pull(prepare(t, config(t, s, t.TempDir()), "org/flux"))
	fails(t, err, Refused, "pull org/flux/model_index.json: what came is not what the hub lists: another hash")
}

// flipping changes one bit.
type flipping struct{ http.ResponseWriter }

func (w flipping) Write(b []byte) (int, error) {
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	return w.ResponseWriter.Write(b)
}

// header lets the hub say something else of contents.
func header(name, value string) func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
	return func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		next(&relabelled{w, name, value}, r)
	}
}

type relabelled struct {
	http.ResponseWriter
	name, value string
}

func (w *relabelled) WriteHeader(status int) {
	if w.Header().Get(w.name) != "" {
		w.Header().Set(w.name, w.value)
	}
	w.ResponseWriter.WriteHeader(status)
}

// TestWrongBeginning: what an interrupted pull left may be of something else; it
// is fetched again, once.
func TestWrongBeginning(t *testing.T) {
	for what, left := range map[string][]byte{"other bytes": make([]byte, 30_000), "too long": make([]byte, 900_001), "all": make([]byte, 900_000)} {
		s := flux(t)
		p := prepare(t, config(t, s, t.TempDir()), "org/flux/flux1-dev.safetensors")
		etag := hubtest.ETag(s.Repositories["org/flux"].Files["flux1-dev.safetensors"])
		if err := errors.Join(p.folder.prepare(etag), os.WriteFile(p.folder.incomplete(etag), left, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := pull(p); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		holdsExactly(t, p, s.Repositories["org/flux"], []string{"flux1-dev.safetensors"})
	}
}

// TestBusyHub: what passes is waited for, as long as the hub asks; what does not
// is given up.
func TestBusyHub(t *testing.T) {
	s := flux(t)
	var mu sync.Mutex
	answers := []int{429, 503, 502, 500, 429}
	s.Hub = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		mu.Lock()
		defer mu.Unlock()
		if len(answers) > 0 {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(answers[0])
			answers = answers[1:]
			return
		}
		next(w, r)
	}
	p := prepare(t, config(t, s, t.TempDir()), "org/flux/ae.safetensors")
	var waits []time.Duration
	p.client.sleep = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	var remarks []string
	p.client.remark = func(text string) { remarks = append(remarks, text) }
	if _, err := pull(p); err != nil || len(waits) != 5 || waits[0] != 77*time.Second || len(remarks) != 5 || !strings.Contains(remarks[0], "429 Too Many Requests; trying again in 1m17s") {
		t.Errorf("waited %v, said %q (%v)", waits, remarks, err)
	}

	answers = []int{500, 500, 500, 500, 500, 500}
	_, err := pull(prepare(t, config(t, s, t.TempDir()), "org/flux"))
	fails(t, err, Unreachable, "answers 500 Internal Server Error (tried 6 times): the same command goes on where it stopped")

	waits, answers = nil, []int{429}
	s.Hub = header("Retry-After", "")
	s.Hub = func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Retry-After", "100000")
		w.WriteHeader(429)
	}
	_, err = pull(prepare(t, config(t, s, t.TempDir()), "org/flux"))
	fails(t, err, Unreachable, "which asks to wait for 27h47m0s")
}

// TestBackoff: waits double, and start anew with every byte that came.
func TestBackoff(t *testing.T) {
	var waits []time.Duration
	c := &client{remark: func(string) {}, sleep: func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}}
	n := 0
	err := c.persist(context.Background(), "x", func() (bool, error) {
		n++
		return n == 4, temporary{errors.New("broken"), 0}
	})
	fails(t, err, Unreachable, "pull x: broken (tried 6 times)")
	for i, most := range []time.Duration{1, 2, 4, 1, 2, 4, 8, 16} {
		if i >= len(waits) || waits[i] > most*time.Second || waits[i] < most*time.Second/2 {
			t.Fatalf("wait %d of %v, want at most %d s", i, waits, most)
		}
	}
	if len(waits) != 8 {
		t.Errorf("waited %v", waits)
	}
}

// TestSilence: a connection on which nothing comes is given up and made again.
func TestSilence(t *testing.T) {
	s := flux(t)
	var once sync.Once
	s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		silent := false
		once.Do(func() { silent = true })
		if silent {
			w.Header().Set("Content-Length", "20000")
			w.Header().Set("Content-Range", "bytes 0-19999/60000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(s.Repositories["org/flux"].Files["ae.safetensors"][:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		next(w, r)
	}
	p := prepare(t, config(t, s, t.TempDir()), "org/flux/ae.safetensors")
	p.client.stall = 50 * time.Millisecond
	if _, err := pull(p); err != nil {
		t.Fatal(err)
	}
	holdsExactly(t, p, s.Repositories["org/flux"], []string{"ae.safetensors"})
}

// TestNobodyThere: a hub that does not answer.
func TestNobodyThere(t *testing.T) {
	c := Config{Cache: t.TempDir(), Endpoint: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}
	_, err := pull(prepare(t, c, "org/flux"))
	fails(t, err, Unreachable, "pull org/flux: 127.0.0.1:1: ", "connection refused (tried 6 times)")
}

// TestHugeAnswers: what is no JSON of reasonable size is not read.
func TestHugeAnswers(t *testing.T) {
	for what, c := range map[string]struct{ begin, more, want string }{
		"endless": {`{"sha": "`, strings.Repeat("a", 1<<16), "answers with more than 16.8 MB"},
		"no JSON": {"<html>log in", "", "gives no answer in JSON: is it a model hub?"},
		"no hash": {`{"sha": "../../etc"}`, "", "names no commit for revision main"},
	} {
		s := flux(t)
		s.Hub = func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			_, err := w.Write([]byte(c.begin))
			for err == nil && c.more != "" {
				_, err = w.Write([]byte(c.more))
			}
		}
		_, err := pull(prepare(t, config(t, s, t.TempDir()), "org/flux"))
		t.Log(what)
		fails(t, err, Unreachable, c.want)
	}
}

// TestNamesOfTheServer: nothing is written outside of the snapshot.
func TestNamesOfTheServer(t *testing.T) {
	for _, name := range []string{"../escape", "/etc/escape", "a/../../escape", "a//b", "", "."} {
		s := hubtest.New(t, map[string]*hubtest.Repository{"org/flux": {Files: hubtest.Pipeline(random), Alias: name}})
		if name == "" {
			s.Repositories["org/flux"].Alias = "./x"
		}
		_, err := pull(prepare(t, config(t, s, t.TempDir()), "org/flux"))
		fails(t, err, Unreachable, "lists the file ", "a name that git cannot hold")
	}

	// A link that lies in the snapshot leads nowhere.
	s, cache, outside := flux(t), t.TempDir(), t.TempDir()
	p := prepare(t, config(t, s, cache), "org/flux")
	if err := p.look(context.Background(), anyClass); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(p.Path, 0o755), os.Symlink(outside, filepath.Join(p.Path, "vae"))); err != nil {
		t.Fatal(err)
	}
	_, err := p.Fetch(context.Background(), func(Progress) {})
	fails(t, err, Disk, "vae")
	if there, _ := os.ReadDir(outside); len(there) > 0 {
		t.Errorf("written outside: %v", there)
	}

	// Neither does one where a blob is to grow.
	p = prepare(t, config(t, s, t.TempDir()), "org/flux/ae.safetensors")
	etag := fmt.Sprintf("%x", sha256.Sum256(s.Repositories["org/flux"].Files["ae.safetensors"]))
	victim := filepath.Join(outside, "victim")
	if err := errors.Join(p.folder.prepare(etag), os.WriteFile(victim, []byte("mine"), 0o600), os.Symlink(victim, p.folder.incomplete(etag))); err != nil {
		t.Fatal(err)
	}
	_, err = pull(p)
	fails(t, err, Disk, "too many levels of symbolic links")
	if data, _ := os.ReadFile(victim); string(data) != "mine" {
		t.Errorf("the victim holds %q", data)
	}
}

// TestNoRoom: before anything is fetched.
func TestNoRoom(t *testing.T) {
	s := flux(t)
	p := prepare(t, config(t, s, filepath.Join(t.TempDir(), "not", "there")), "org/flux")
	p.free = func(path string) (int64, error) {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		return 12345, nil
	}
	_, err := pull(p)
	fails(t, err, Disk, "1.1 MB are missing, and "+p.folder.cache+" has 12.3 kB left: free some, or set HF_HOME")
	for _, r := range s.Requests() {
		if r.Host == "cdn" {
			t.Errorf("%s was fetched", r.Path)
		}
	}
}

// crowded is a file on a disk that has room for so many bytes.
type crowded struct {
	storage
	room *int64
}

func (c crowded) WriteAt(b []byte, at int64) (int, error) {
	n, err := c.storage.WriteAt(b[:min(int64(len(b)), max(0, *c.room))], at)
	if *c.room -= int64(n); err == nil && n < len(b) {
		err = &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return n, err
}

// TestDiskFills: what has come is kept, and used when there is room.
func TestDiskFills(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	p := prepare(t, config(t, s, cache), "org/flux/flux1-dev.safetensors")
	room := int64(333_333)
	p.open = func(path string) (storage, error) {
		f, err := openStorage(path)
		return crowded{f, &room}, err
	}
	_, err := pull(p)
	fails(t, err, Disk, "pull org/flux/flux1-dev.safetensors: no space is left in "+cache+": free some, or set HF_HOME to a folder on another disk; then the same command goes on")
	again := prepare(t, config(t, s, cache), "org/flux/flux1-dev.safetensors")
	if fetched, err := pull(again); err != nil || fetched != 900_000-333_333 {
		t.Errorf("then %d bytes came (%v)", fetched, err)
	}
	holdsExactly(t, again, s.Repositories["org/flux"], []string{"flux1-dev.safetensors"})
}
