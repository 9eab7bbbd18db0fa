package hub

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"taca/internal/fuzztest"
)

// FuzzListing: whatever a hub lists, files are refused, or lie in the cache
// under names that git can hold, have a hash and a size that can be.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`[{"type":"file","path":"vae/config.json","size":1,"oid":"0123456789012345678901234567890123456789"},
{"type":"file","path":"../x","size":-1,"oid":"","lfs":{"oid":"sha256:x","size":9223372036854775807}},{"type":"directory","path":"vae"}]`))
	f.Add([]byte(`[{"type":"file","path":"a.safetensors","oid":"x","lfs":{"oid":"0123456789012345678901234567890123456789012345678901234567890123","size":5}}]`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		fuzztest.Bounded(t, 1<<14, 256, len(answer), func() {
			var page []treeItem
			if json.Unmarshal(answer, &page) != nil {
				return
			}
			at := newFolder("/cache", "org/name").snapshot("c")
			for _, item := range page {
				e, err := item.entry()
				if err != nil {
					continue
				}
				if path := filepath.Join(at, e.path); !strings.HasPrefix(path, at+"/") || e.size < 0 || e.size > mostSize || e.sha256 == "" && e.oid == "" {
					t.Errorf("%+v is %s", e, path)
				}
			}
		})
	})
}

// FuzzIndex: whatever a repository's model_index.json says, an error, or
// components that are folders of the repository.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"_class_name":"FluxPipeline","vae":["diffusers","AutoencoderKL"],"text_encoder_3":[null,null],"../x":["a","b"]}`))
	f.Add([]byte(`{"_class_name":null,"transformer":["a","b"],"transformer":[1,2]}`))
	files := map[string]entry{}
	for _, name := range []string{indexFile, "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "transformer/config.json", "transformer/diffusion_pytorch_model.safetensors.index.json", "scheduler/scheduler_config.json"} {
		files[name] = entry{path: name, size: 1}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var chosen []entry
		var err error
		fuzztest.Bounded(t, 1<<16, 1<<10, len(text), func() {
			read := func(string) ([]byte, error) { return text, nil } // for the index of shards, too
			chosen, err = choose(Reference{Repository: "org/name", Revision: "main"}, files, read, func(string) error { return nil })
		})
		for _, e := range chosen {
			if _, listed := files[e.path]; err == nil && !listed {
				t.Errorf("%q is chosen, which the hub did not list", e.path)
			}
		}
	})
}

// FuzzAnswer: whatever headers a server sends, what it says is one line for a
// terminal, and it is waited for neither backwards nor for centuries.
func FuzzAnswer(f *testing.F) {
	f.Add("120", "", "Access to model is restricted\x1b[2J")
	f.Add("Wed, 21 Oct 2015 07:28:00 GMT", `"api";r=0;t=55`, "")
	f.Add("", `"api"; r=0 ; t=99999999999999999999`, "\xff")
	f.Fuzz(func(t *testing.T, after, limit, said string) {
		h := http.Header{}
		h.Set("Retry-After", after)
		h.Set("RateLimit", limit)
		fuzztest.Bounded(t, 1<<17, 64, len(after)+len(limit)+len(said), func() { // the constant is what regular expressions take when they are first used
			if wait := retryAfter(h, time.Unix(1e9, 0)); wait < 0 {
				t.Errorf("%q and %q are waited for %v", after, limit, wait)
			}
			if line := printable(said); strings.ContainsAny(line, "\n\r\x1b\x00") || len([]rune(line)) > 303 {
				t.Errorf("%q is told as %q", said, line)
			}
		})
	})
}
