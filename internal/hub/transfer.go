package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
)

// segmentSize is how much is asked for at once: of it what the connections have
// not finished is lost where a pull is killed.
const segmentSize = 8 << 20

// connections is the connections of a pull, each with the buffer of a segment,
// which is made when it is needed. All files share them.
type connections chan []byte

func newConnections(n int) connections {
	c := make(connections, n)
	for range n {
		c <- nil
	}
	return c
}

// take waits for a connection.
func (c connections) take(ctx context.Context) ([]byte, error) {
	select {
	case buffer := <-c:
		return buffer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// transfer brings one file. Its segments come through several connections and
// are written in order, so that what is on disk is always a prefix.
type transfer struct {
	client      *client
	reference   Reference // with the file
	source      *url.URL  // at the hub
	size        int64
	connections connections
	segment     int64
	note        func(bytes int64) // came; below 0: were thrown away

	mu       sync.Mutex
	location *url.URL // to which the hub sent us: it need not be asked for every segment
}

// run brings what p does not have.
func (t *transfer) run(ctx context.Context, p *partial) error {
	if p.have == t.size {
		return nil
	}
	if err := t.first(ctx, p); err != nil || p.have == t.size {
		return err
	}
	return t.rest(ctx, p)
}

// first streams a segment to disk. It is the whole rest of the file where the
// server knows no ranges.
func (t *transfer) first(ctx context.Context, p *partial) error {
	buffer, err := t.connections.take(ctx)
	if err != nil {
		return err
	}
	defer func() { t.connections <- buffer }()
	to := min(p.have+t.segment, t.size)
	return t.client.persist(ctx, t.reference.String(), func() (bool, error) {
		before := p.have
		if before >= to {
			return false, nil
		}
		ranged, err := t.attempt(ctx, before, to, t.size, p)
		if !ranged && p.have > before {
			to = t.size
		}
		return p.have > before, err
	})
}

// piece is a segment on its way.
type piece struct {
	buffer []byte // of the connection
	from   int64
	want   int
	got    int
	err    error
	done   chan struct{}
}

// Write takes what comes.
func (s *piece) Write(b []byte) (int, error) {
	n := copy(s.buffer[s.got:s.want], b)
	s.got += n
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// rest brings the segments that follow. A connection is taken for the earliest
// segment first and given back when that is written, so none waits for ever.
func (t *transfer) rest(ctx context.Context, p *partial) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan *piece, cap(t.connections))
	go func() {
		defer close(queue)
		for from := p.have; from < t.size; from += t.segment {
			buffer, err := t.connections.take(ctx)
			if err != nil {
				return
			}
			if buffer == nil {
				buffer = make([]byte, t.segment)
			}
			s := &piece{buffer: buffer, from: from, want: int(min(t.segment, t.size-from)), done: make(chan struct{})}
			queue <- s
			go t.bring(ctx, s)
		}
	}()
	var failed error
	for s := range queue {
		<-s.done
		if failed == nil {
			failed = t.append(p, s)
		}
		if failed != nil {
			cancel()
		}
		t.connections <- s.buffer
	}
	if failed == nil && p.have < t.size {
		return ctx.Err() // no connection was given any more
	}
	return failed
}

// append writes a segment, or what has come of it. Segments after one that
// failed are of no use.
func (t *transfer) append(p *partial, s *piece) error {
	if _, err := p.Write(s.buffer[:s.got]); err != nil {
		return err
	}
	return s.err
}

// bring fills a segment.
func (t *transfer) bring(ctx context.Context, s *piece) {
	defer close(s.done)
	s.err = t.client.persist(ctx, t.reference.String(), func() (bool, error) {
		before := s.got
		_, err := t.attempt(ctx, s.from+int64(before), s.from+int64(s.want), s.from+int64(s.want), s)
		return s.got > before, err
	})
}

// attempt asks for the bytes from from to to and writes what comes of them. A
// server that knows no ranges sends the file from its beginning; of that all is
// taken up to most, since it must come through this connection.
func (t *transfer) attempt(ctx context.Context, from, to, most int64, w io.Writer) (ranged bool, err error) {
	header := http.Header{}
	if from > 0 || to < t.size {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	}
	resp, err := t.ask(ctx, header)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusPartialContent:
		ranged = true
		if err := t.agrees(resp.Header.Get("Content-Range"), from); err != nil {
			return false, err
		}
	case http.StatusOK:
		if resp.ContentLength >= 0 && resp.ContentLength != t.size {
			return false, t.wrongSize(resp.ContentLength)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, from); err != nil {
			return false, temporary{t.broken(resp, err), 0}
		}
		to = most
	default:
		return false, fmt.Errorf("%s answers %s", resp.Request.URL.Host, orStatus("", resp))
	}
	n, err := io.CopyN(w, counting{resp.Body, t.note}, to-from)
	var disk *diskError
	switch {
	case errors.As(err, &disk):
		return ranged, err
	case err != nil:
		return ranged, temporary{t.broken(resp, fmt.Errorf("%w after %d bytes", err, n)), 0}
	}
	return ranged, nil
}

// ask gets the file where the hub sent us before, or from the hub. Addresses of
// other hosts are signed, and expire.
func (t *transfer) ask(ctx context.Context, header http.Header) (*http.Response, error) {
	t.mu.Lock()
	u := t.location
	t.mu.Unlock()
	if u == nil {
		u = t.source
	}
	resp, err := t.client.send(ctx, http.MethodGet, u, header)
	if err != nil {
		t.remember(nil)
		return nil, err
	}
	if refused := t.client.expect(t.reference, resp); refused != nil {
		_ = resp.Body.Close()
		t.remember(nil)
		var passing temporary
		switch {
		case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
			return nil, t.wrongSize(-1)
		case errors.As(refused, &passing):
			return nil, refused
		case !t.client.own(resp.Request.URL): // it speaks of an address, not of the file
			return nil, temporary{fmt.Errorf("%s answers %s", resp.Request.URL.Host, orStatus("", resp)), 0}
		}
		return nil, refused
	}
	t.remember(resp.Request.URL)
	return resp, nil
}

func (t *transfer) remember(u *url.URL) {
	t.mu.Lock()
	t.location = u
	t.mu.Unlock()
}

// agrees holds a Content-Range against what was asked for.
func (t *transfer) agrees(text string, from int64) error {
	var first, last, size int64
	if n, err := fmt.Sscanf(text, "bytes %d-%d/%d", &first, &last, &size); err != nil || n != 3 || first != from {
		return fmt.Errorf("%s gives other bytes than were asked for (Content-Range %q)", t.source.Host, printable(text))
	}
	if size != t.size {
		return t.wrongSize(size)
	}
	return nil
}

// wrongSize is a server that has another file than the hub lists; below 0: of
// whatever size.
func (t *transfer) wrongSize(size int64) error {
	got := ""
	if size >= 0 {
		got = fmt.Sprintf(" of %d bytes", size)
	}
	return refuse(t.reference.String(), "try again later; is a proxy between?", "the hub lists a file of %d bytes, but another one%s is sent", t.size, got)
}

// broken is a connection that ended too early.
func (t *transfer) broken(resp *http.Response, err error) error {
	return fmt.Errorf("the connection to %s broke: %w", resp.Request.URL.Host, err)
}

// counting tells what is read.
type counting struct {
	io.Reader
	note func(int64)
}

// Read reads on.
func (c counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.note(int64(n))
	return n, err
}
