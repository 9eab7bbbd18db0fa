package main

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"taca/internal/hub/hubtest"
)

// slowHub is a hub whose second host sends a few kilobytes at a time, and
// sometimes breaks off.
func slowHub(t *testing.T, random *rand.Rand) *hubtest.Server {
	t.Helper()
	s := hubtest.New(t, map[string]*hubtest.Repository{"org/flux": {Files: hubtest.Pipeline(func(name string, size int) []byte {
		return bytes.Repeat([]byte(name), size/len(name)+1)[:size]
	})}})
	var mu sync.Mutex
	s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		mu.Lock()
		after := 1_000 + random.IntN(400_000)
		mu.Unlock()
		next(hubtest.Cut(slowWriter{w}, after), r)
	}
	return s
}

type slowWriter struct{ http.ResponseWriter }

// Write takes its time.
func (w slowWriter) Write(b []byte) (int, error) {
	n := 0
	for len(b) > 0 {
		part := b[:min(len(b), 2048)]
		m, err := w.ResponseWriter.Write(part)
		n += m
		if err != nil {
			return n, err
		}
		w.Flush()
		time.Sleep(time.Millisecond)
		b = b[len(part):]
	}
	return n, nil
}

// Flush sends what was written.
func (w slowWriter) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// pullFrom is taca pull org/flux into a cache.
func pullFrom(t *testing.T, s *hubtest.Server, home string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	c := program(t, t.TempDir(), "pull", "org/flux")
	c.Env = append(os.Environ(), "HF_HOME="+home, "HF_ENDPOINT="+s.URL, "HF_HUB_CACHE=", "HF_TOKEN=", "HF_HUB_OFFLINE=", "NO_PROXY=127.0.0.1")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	return c, &stdout, &stderr
}

// rightBytes holds a snapshot against the hub.
func rightBytes(t *testing.T, s *hubtest.Server, snapshot string) {
	t.Helper()
	for _, name := range hubtest.Needed() {
		got, err := os.ReadFile(filepath.Join(snapshot, name))
		if want := s.Repositories["org/flux"].Files[name]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes that are not the hub's %d (%v)", name, len(got), len(want), err)
		}
	}
}

// blobBytes is how much has come, and how many blobs are whole.
func blobBytes(home string) (bytes int64, whole int) {
	paths, _ := filepath.Glob(filepath.Join(home, "hub", "models--org--flux", "blobs", "*"))
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			bytes += info.Size()
		}
		if filepath.Ext(path) != ".incomplete" {
			whole++
		}
	}
	return bytes, whole
}

// checkBlobs holds what is there against the hub, and counts beginnings.
func checkBlobs(t *testing.T, s *hubtest.Server, home string) (halves int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(home, "hub", "models--org--flux", "blobs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		etag, part := strings.CutSuffix(filepath.Base(path), ".incomplete")
		if part && len(data) > 0 {
			halves++
		}
		if whole := s.Repositories["org/flux"].Blob(etag); err != nil || !bytes.HasPrefix(whole, data) || !part && len(data) < len(whole) {
			t.Errorf("%s is wrong (%v)", path, err)
		}
	}
	return halves
}

// TestPullKilled: pulls killed without warning at random moments, two of them
// at once, never leave a wrong blob, and the last one ends with the right bytes.
func TestPullKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s, home := slowHub(t, random), t.TempDir()
	pause := rand.New(rand.NewPCG(3, 4))
	halves := 0
	for range 8 {
		before, _ := blobBytes(home)
		a, _, _ := pullFrom(t, s, home)
		b, _, _ := pullFrom(t, s, home)
		for _, c := range []*exec.Cmd{a, b} {
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			now, whole := blobBytes(home)
			if now > before || whole == len(hubtest.Needed())-1 { // two files share a blob
				break
			}
			if time.Now().After(deadline) {
				t.Error("nothing has come in a minute")
				break
			}
		}
		time.Sleep(time.Duration(pause.IntN(30)) * time.Millisecond)
		for _, c := range []*exec.Cmd{a, b} {
			_ = c.Process.Kill() // it may have ended
			_ = c.Wait()
		}
		halves += checkBlobs(t, s, home)
	}
	if halves == 0 {
		t.Error("no blob was seen half-made")
	}
	c, stdout, stderr := pullFrom(t, s, home)
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	rightBytes(t, s, strings.TrimSpace(stdout.String()))
}

// TestPullInterrupted: Ctrl-C ends a pull with its code, and says that it goes
// on.
func TestPullInterrupted(t *testing.T) {
	s, home := slowHub(t, rand.New(rand.NewPCG(5, 6))), t.TempDir()
	var interrupted atomic.Bool
	s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if !interrupted.Load() { // it has begun, and does not end
			_, _ = w.Write(make([]byte, 100))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		next(w, r)
	}
	c, stdout, stderr := pullFrom(t, s, home)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		begun, _ := filepath.Glob(filepath.Join(home, "hub", "models--org--flux", "blobs", "*.incomplete"))
		if len(begun) > 0 {
			break
		}
		if time.Now().After(deadline) {
			_ = c.Process.Kill()
			t.Fatalf("nothing has come in a minute: %s", stderr)
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 130 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "taca: interrupted; what has come is kept, and the same command goes on\n") {
		t.Errorf("exit code %d, it said %q and %q", code, stdout, stderr)
	}
	interrupted.Store(true)
	c, stdout, stderr = pullFrom(t, s, home)
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	rightBytes(t, s, strings.TrimSpace(stdout.String()))
}
