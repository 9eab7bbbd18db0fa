package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseReference(t *testing.T) {
	for text, want := range map[string]Reference{
		"org/name":                          {"org/name", "main", ""},
		"org/name@v1.0":                     {"org/name", "v1.0", ""},
		"org/name/a/b.safetensors":          {"org/name", "main", "a/b.safetensors"},
		"org/name@v1/a b.gguf":              {"org/name", "v1", "a b.gguf"},
		"org/name@refs/pr/3":                {"org/name", "refs/pr/3", ""},
		"org/name@refs/convert/parquet/a/b": {"org/name", "refs/convert/parquet", "a/b"},
		"org/name@feature%2Fx/a":            {"org/name", "feature/x", "a"},
		"_o.r-g/_n.a-me@main":               {"_o.r-g/_n.a-me", "main", ""},
	} {
		got, err := ParseReference(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v (%v), want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "name", "/", "org/", "/name", "./models", "../models/x", "~/x", "org/na--me", "org/..", "a..b/c", "org/name/", "org/name/../x", "org/name//x", "org/name/./x",
		"org/name@", "org/name@/x", "org/name@..", "org/name@refs/pr/", "org/name@refs/pr/..", "org/name@..%2F..%2Fx", "org/name@a\x1b[2J", "org/na me", "org/name/a\nb", `org/name/a\b`, "org/name@%2Fetc",
		"org/" + strings.Repeat("a", 97), "org/name/" + strings.Repeat("a", 201), "org/name/\xff",
	} {
		if got, err := ParseReference(text); err == nil || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%q is %+v (%v)", text, got, err)
		}
	}
}

// FuzzParseReference: whatever is written, its folders lie in the cache, and it
// is written again as it was read.
func FuzzParseReference(f *testing.F) {
	for _, text := range []string{"org/name", "org/name@v1/a", "org/name@refs/pr/3/a/b", "org/name@a%2Fb", "org/name@refs%2Fpr%2F3%2F4", "a/b@%25/c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReference(text)
		if err != nil {
			return
		}
		at := newFolder("/cache", r.Repository)
		for below, path := range map[string]string{
			"/cache/": at.String(), at.String() + "/refs/": at.reference(r.Revision), at.snapshot("c") + "/": filepath.Join(at.snapshot("c"), r.File, "x"),
		} {
			if !strings.HasPrefix(path, below) {
				t.Errorf("%q leads to %s", text, path)
			}
		}
		if again, err := ParseReference(r.String()); err != nil || again != r {
			t.Errorf("%q is written %q, which is %+v (%v)", text, r, again, err)
		}
	})
}

// TestFromEnvironment: each variable goes before those that follow it.
func TestFromEnvironment(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	get := func() Config {
		t.Helper()
		c, err := FromEnvironment()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := get(); c.Cache != filepath.Join(home, ".cache/huggingface/hub") || c.TokenFile != filepath.Join(home, ".cache/huggingface/token") ||
		c.Endpoint.String() != "https://huggingface.co" || c.Token != "" || c.Offline {
		t.Errorf("nothing is set: %+v", c)
	}
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	if c := get(); c.Cache != "/xdg/huggingface/hub" {
		t.Errorf("XDG_CACHE_HOME: %+v", c)
	}
	t.Setenv("HF_HOME", "~/hf/$USER_OF_TEST")
	t.Setenv("USER_OF_TEST", "me")
	folder := filepath.Join(home, "hf/me")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "token"), []byte(" hf_file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := get(); c.Cache != filepath.Join(folder, "hub") || c.Token != "hf_file" || c.TokenFrom != filepath.Join(folder, "token") {
		t.Errorf("HF_HOME: %+v", c)
	}
	t.Setenv("HUGGING_FACE_HUB_TOKEN", "hf_old")
	t.Setenv("HF_TOKEN", "hf_\nnew ")
	t.Setenv("HF_HUB_CACHE", "relative")
	t.Setenv("HF_ENDPOINT", "http://mirror.example/path/")
	t.Setenv("HF_HUB_OFFLINE", "true")
	if c := get(); c.Token != "hf_new" || c.TokenFrom != "$HF_TOKEN" || !filepath.IsAbs(c.Cache) || c.Endpoint.String() != "http://mirror.example/path" || !c.Offline {
		t.Errorf("all is set: %+v", c)
	}
	for _, bad := range []string{"huggingface.co", "ftp://x", "https://", "http://a b"} {
		t.Setenv("HF_ENDPOINT", bad)
		if c, err := FromEnvironment(); err == nil || !strings.Contains(err.Error(), "HF_ENDPOINT="+strings.TrimRight(bad, "/")) {
			t.Errorf("HF_ENDPOINT=%s: %+v (%v)", bad, c, err)
		}
	}
}
