package hub

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"taca/internal/hub/hubtest"
)

// interpreter is a Python, or what it lacks.
var interpreter = sync.OnceValues(func() (program string, lacks error) {
	program = cmp.Or(os.Getenv("TACA_PYTHON"), "python3")
	if out, err := exec.Command(program, "-c", "import huggingface_hub").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w %s", program, err, bytes.TrimSpace(out))
	}
	return program, nil
})

// pythonCommand is testdata/share.py on a cache, with huggingface_hub, if that is
// installed.
func pythonCommand(t *testing.T, s *hubtest.Server, cache string, args ...string) *exec.Cmd {
	t.Helper()
	program, lacks := interpreter()
	if lacks != nil {
		t.Skipf("no Python with huggingface_hub: set TACA_PYTHON (%v)", lacks)
	}
	c := exec.Command(program, append([]string{"testdata/share.py"}, args...)...)
	c.Env = append(os.Environ(), "HF_HOME="+t.TempDir(), "HF_HUB_CACHE="+cache, "HF_ENDPOINT="+s.URL, "HF_TOKEN="+hubtest.Token,
		"HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "NO_PROXY=127.0.0.1")
	return c
}

// python runs it.
func python(t *testing.T, s *hubtest.Server, cache string, into any, args ...string) {
	t.Helper()
	c := pythonCommand(t, s, cache, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
}

// scan is the cache as huggingface_hub sees it.
type scan struct {
	Warnings, Incomplete, Refs, Files []string
	Commit                            string
	Bytes                             int64
}

// TestPythonTakesWhatIsPulled: huggingface_hub sees a sound cache, finds the
// snapshot without network, and downloads nothing with it.
func TestPythonTakesWhatIsPulled(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	p := prepare(t, config(t, s, cache), "org/flux")
	if _, err := pull(p); err != nil {
		t.Fatal(err)
	}
	var seen scan
	python(t, s, cache, &seen, "scan", "org/flux")
	if len(seen.Warnings)+len(seen.Incomplete) > 0 || seen.Commit != p.Commit || !slices.Equal(seen.Refs, []string{"main"}) ||
		!slices.Equal(seen.Files, hubtest.Needed()) || seen.Bytes != p.Bytes()-18 { // which two files share
		t.Errorf("the cache is %+v", seen)
	}
	s.Requests()
	var local struct {
		Path  string
		Files []string
	}
	python(t, s, cache, &local, append([]string{"local", "org/flux"}, hubtest.Needed()...)...)
	if local.Path != p.Path || len(s.Requests()) > 0 {
		t.Errorf("without network it finds %s, want %s", local.Path, p.Path)
	}
	var fetched struct{ Path string }
	python(t, s, cache, &fetched, append([]string{"fetch", "org/flux"}, hubtest.Needed()...)...)
	if made := s.Requests(); fetched.Path != p.Path || hubtest.Downloads(made) > 0 {
		t.Errorf("with network it downloads to %s: %v", fetched.Path, made)
	}
}

// TestPullTakesWhatPythonHas: nothing is downloaded, whole or in part, and what
// is missing is added.
func TestPullTakesWhatPythonHas(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	var fetched struct{ Path string }
	python(t, s, cache, &fetched, append([]string{"fetch", "org/flux"}, hubtest.Needed()[3:]...)...)
	s.Requests()
	p := prepare(t, config(t, s, cache), "org/flux")
	if _, err := pull(p); err != nil {
		t.Fatal(err)
	}
	repository := s.Repositories["org/flux"]
	missing := 0
	for _, name := range hubtest.Needed()[:3] {
		missing += len(repository.Files[name])
	}
	if p.Path != fetched.Path || p.Missing() != int64(missing) {
		t.Errorf("%d bytes were missing in %s, want %d in %s", p.Missing(), p.Path, missing, fetched.Path)
	}
	holdsExactly(t, p, repository, hubtest.Needed())
	s.Requests()
	p = prepare(t, config(t, s, cache), "org/flux")
	if _, err := pull(p); err != nil || hubtest.Downloads(s.Requests()) > 0 {
		t.Errorf("the second pull downloads (%v)", err)
	}
}

// TestPythonBesidePull: both fetch the same repository into the same cache at
// once.
func TestPythonBesidePull(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	p := prepare(t, config(t, s, cache), "org/flux")
	done := make(chan error, 1)
	go func() {
		_, err := pull(p)
		done <- err
	}()
	var fetched struct{ Path string }
	python(t, s, cache, &fetched, append([]string{"fetch", "org/flux"}, hubtest.Needed()...)...)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	holdsExactly(t, p, s.Repositories["org/flux"], hubtest.Needed())
	if locks, _ := filepath.Glob(filepath.Join(cache, ".locks", "models--org--flux", "*.lock")); len(locks) != len(hubtest.Needed())-1 {
		t.Errorf("%d locks for %d files, of which two are of one blob", len(locks), len(hubtest.Needed()))
	}
}

// TestPythonLocks: each waits for the other's lock of a blob.
func TestPythonLocks(t *testing.T) {
	s, cache := flux(t), t.TempDir()
	path := newFolder(cache, "org/flux").lock("0123456789")
	if err := newFolder(cache, "org/flux").prepare("0123456789"); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Held bool }
	if python(t, s, cache, &got, "lock", "org/flux", path); got.Held {
		t.Error("huggingface_hub did not wait")
	}
	unlock()

	c := pythonCommand(t, s, cache, "lock", "org/flux", path)
	end, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err == nil {
		err = json.NewDecoder(out).Decode(&got) // it holds the lock from now on
	}
	if err != nil || !got.Held {
		t.Fatalf("held %v (%v)", got.Held, err)
	}
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := lock(short, path, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("we did not wait: %v", err)
	}
	if err := errors.Join(end.Close(), c.Wait()); err != nil {
		t.Error(err)
	}
	if unlock, err = lock(context.Background(), path, nil); err != nil {
		t.Fatal(err)
	}
	unlock()
}
