package hub

import (
	"net/http"
	"testing"
	"time"

	"taca/internal/hub/hubtest"
)

// BenchmarkPull is one large file from this machine, with as much as goes and
// with 20 MB/s a connection; hashed, synced and linked.
func BenchmarkPull(b *testing.B) {
	const size = 400_000_000
	s := hubtest.New(b, map[string]*hubtest.Repository{"org/flux": {Files: map[string][]byte{"big.safetensors": random("big", size)}}})
	s.Repositories["org/flux"].Commit() // hashed once
	for name, paced := range map[string]bool{"free": false, "20MB": true} {
		b.Run(name, func(b *testing.B) {
			s.CDN = func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				if paced {
					w = &pacedWriter{w, time.Now(), 0}
				}
				next(w, r)
			}
			b.SetBytes(size)
			for b.Loop() {
				p := prepare(b, config(b, s, b.TempDir()), "org/flux/big.safetensors")
				p.segment, p.workers = segmentSize, 8
				if _, err := pull(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// pacedWriter lets 20 MB a second pass.
type pacedWriter struct {
	http.ResponseWriter
	begun time.Time
	sent  int
}

func (w *pacedWriter) Write(b []byte) (int, error) {
	const rate = 20e6
	n, err := w.ResponseWriter.Write(b)
	w.sent += n
	time.Sleep(time.Until(w.begun.Add(time.Duration(float64(w.sent) / rate * float64(time.Second)))))
	return n, err
}
