package hub

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"taca/internal/hub/hubtest"
)

// TestOneConnectionEach: HTTP/2 would send all requests through one.
func TestOneConnectionEach(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(Config{Endpoint: u}, 2, "taca/test", func(string) {})
	c.http.Transport.(*http.Transport).TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
	resp, err := c.send(context.Background(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Proto != "HTTP/1.1" {
		t.Errorf("it speaks %s", resp.Proto)
	}
}

// TestRedirects: the token goes to the hub's own origin alone, and nothing goes
// where anybody may listen.
func TestRedirects(t *testing.T) {
	var given []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given = append(given, "other "+r.Header.Get("Authorization"))
		http.Redirect(w, r, r.URL.Query().Get("back"), http.StatusFound)
	}))
	defer other.Close()
	var own *httptest.Server
	own = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given = append(given, "own "+r.Header.Get("Authorization"))
		if r.URL.Path == "/there" {
			http.Redirect(w, r, other.URL+"/?back="+url.QueryEscape(own.URL+"/end"), http.StatusFound)
		}
	}))
	defer own.Close()
	u, err := url.Parse(own.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(Config{Endpoint: u, Token: hubtest.Token}, 1, "taca/test", func(string) {})
	for method, want := range map[string]string{
		http.MethodGet:  "own Bearer hf_open, other , own Bearer hf_open",
		http.MethodHead: "own Bearer hf_open",
	} {
		given = nil
		resp, err := c.send(context.Background(), method, u.JoinPath("there"), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := strings.Join(given, ", "); got != want {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
	}

	secure := httptest.NewTLSServer(http.RedirectHandler(own.URL, http.StatusFound))
	defer secure.Close()
	at, err := url.Parse(secure.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport.(*http.Transport).TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := c.send(context.Background(), http.MethodGet, at, nil); err == nil || !strings.Contains(err.Error(), "which is not as safe") {
		t.Errorf("from https to http: %v", err)
	}

	// A certificate that nobody vouches for is no matter of trying again.
	c.http.Transport.(*http.Transport).TLSClientConfig = nil
	c.http.Transport.(*http.Transport).CloseIdleConnections()
	c.sleep = func(context.Context, time.Duration) error { t.Error("it waits"); return nil }
	c.config.Endpoint = at
	_, err = c.resolve(context.Background(), Reference{"org/name", "main", ""})
	fails(t, err, Unreachable, "certificate")
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "99999999999999999999": 0,
		"Sun, 29 Nov 2026 12:01:30 GMT": 90 * time.Second, "Sun, 29 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]time.Duration{`"api";r=0;t=55`: 55 * time.Second, `"api";r=3;t=55`: 0} {
		if got := retryAfter(http.Header{"Ratelimit": {text}}, now); got != want {
			t.Errorf("RateLimit %s: %v, want %v", text, got, want)
		}
	}
}

// TestWatchStartsAnew with every read: it is silence that ends an attempt, not
// length.
func TestWatchStartsAnew(t *testing.T) {
	ended := make(chan struct{})
	watch := time.AfterFunc(time.Hour, func() { close(ended) })
	body := &watchedBody{io.NopCloser(strings.NewReader("bytes")), context.Background(), func(error) {}, watch, time.Millisecond}
	if _, err := body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the watch was not set by reading")
	}
}
