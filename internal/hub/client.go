package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"
)

// client speaks HTTP with the hub and with the hosts it sends us to.
type client struct {
	config Config
	http   *http.Client
	agent  string
	stall  time.Duration                                    // without a byte, until an attempt is given up
	sleep  func(ctx context.Context, d time.Duration) error // between attempts
	remark func(string)
}

func newClient(c Config, connections int, agent string, remark func(string)) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// HTTP/2 would lead all requests to a host through one connection, whose
	// window then bounds what several were to exceed.
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.MaxIdleConnsPerHost = connections
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // send does, and sees whither
	return &client{
		config: c, agent: agent, remark: remark, stall: time.Minute, sleep: sleep,
		http: &http.Client{Transport: transport, CheckRedirect: follow},
	}
}

// at is an address of the hub.
func (c *client) at(path string, query url.Values) *url.URL {
	u := c.config.Endpoint.JoinPath(path)
	u.RawQuery = query.Encode()
	return u
}

// own reports whether u is of the hub's origin: the only one that is given the
// token.
func (c *client) own(u *url.URL) bool {
	return u.Scheme == c.config.Endpoint.Scheme && u.Host == c.config.Endpoint.Host
}

// errStalled ends an attempt.
var errStalled = errors.New("nothing has come for a minute")

// send makes one attempt and follows redirects; a HEAD stops where the hub sends
// it elsewhere, since what it asks for is in that very answer. The body must be
// closed; reading it fails where nothing comes for long.
func (c *client) send(ctx context.Context, method string, u *url.URL, header http.Header) (*http.Response, error) {
	const most = 10
	for range most {
		resp, err := c.exchange(ctx, method, u, header)
		if err != nil {
			return nil, err
		}
		next, err := resp.Location()
		if resp.StatusCode < 300 || resp.StatusCode > 399 || err != nil {
			return resp, nil
		}
		if method == http.MethodHead && !c.own(next) {
			return resp, nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
		_ = resp.Body.Close()
		if next.Scheme != "https" && (next.Scheme != "http" || u.Scheme == "https") {
			return nil, fmt.Errorf("%s sends to %s://%s, which is not as safe", u.Host, next.Scheme, next.Host)
		}
		u = next
	}
	return nil, fmt.Errorf("%s sends in circles", u.Host)
}

// exchange is one request and its answer.
func (c *client) exchange(ctx context.Context, method string, u *url.URL, header http.Header) (*http.Response, error) {
	within, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	req, err := http.NewRequestWithContext(within, method, u.String(), nil)
	if err == nil {
		for name, values := range header {
			req.Header[name] = values
		}
		req.Header.Set("User-Agent", c.agent)
		req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are of the file itself
		if c.config.Token != "" && c.own(u) {
			req.Header.Set("Authorization", "Bearer "+c.config.Token)
		}
		var resp *http.Response
		if resp, err = c.http.Do(req); err == nil {
			resp.Body = &watchedBody{resp.Body, within, cancel, watch, c.stall}
			return resp, nil
		}
	}
	watch.Stop()
	cancel(nil)
	return nil, attemptError(ctx, within, u, err)
}

// attemptError is why an exchange did not come about, without the address, which
// may hold a signature.
func attemptError(ctx, within context.Context, u *url.URL, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if cause := context.Cause(within); errors.Is(cause, errStalled) {
		return temporary{fmt.Errorf("%s: %w", u.Host, cause), 0}
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	var certificate *tls.CertificateVerificationError
	var resolve *net.DNSError
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("%s: %w", u.Host, err)
	case errors.As(err, &resolve):
		return temporary{fmt.Errorf("%s: %s", u.Host, resolve.Err), 0}
	}
	return temporary{fmt.Errorf("%s: %w", u.Host, err), 0}
}

// watchedBody fails where nothing comes for long.
type watchedBody struct {
	io.ReadCloser
	within context.Context
	cancel context.CancelCauseFunc
	watch  *time.Timer
	stall  time.Duration
}

// Read reads on.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && errors.Is(context.Cause(b.within), errStalled) {
		err = errStalled
	}
	return n, err
}

// Close ends the exchange.
func (b *watchedBody) Close() error {
	b.watch.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// How often, and after which times, something is tried that may mend by itself.
const (
	attempts    = 6 // in a row, none of which brought a byte
	firstWait   = time.Second
	longestWait = 30 * time.Second
	mostAsked   = 10 * time.Minute // that a server may ask to wait
)

// persist tries until it succeeds, fails for good, or has failed too often in a
// row without bringing anything. what is for messages.
func (c *client) persist(ctx context.Context, what string, try func() (progress bool, err error)) error {
	for failed := 0; ; {
		progress, err := try()
		var passing temporary
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &passing):
			return unreachable(what, err)
		}
		if failed++; progress {
			failed = 1
		}
		wait := min(firstWait<<(failed-1), longestWait)
		wait = max(wait/2+rand.N(wait/2), passing.after)
		if failed >= attempts {
			return unreachable(what, fmt.Errorf("%w (tried %d times)", passing.error, failed))
		}
		if wait > mostAsked {
			return unreachable(what, fmt.Errorf("%w, which asks to wait for %v", passing.error, wait.Round(time.Minute)))
		}
		if failed > 1 || passing.after > firstWait {
			c.remark(fmt.Sprintf("%s: %v; trying again in %v", what, passing.error, wait.Round(time.Second)))
		}
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// unreachable is a failure that may mend later, unless it is known better.
func unreachable(what string, err error) error {
	var known *Error
	var disk *diskError
	if errors.As(err, &known) || errors.As(err, &disk) {
		return err
	}
	return &Error{Unreachable, what, printable(err.Error()), "the same command goes on where it stopped"}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
