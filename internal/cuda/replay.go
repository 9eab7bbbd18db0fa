//go:build cuda

package cuda

import (
	"slices"

	"taca/internal/cuda/driver"
)

// A step of a sampler asks for the same commands as the one before, but for
// the last few, whose scalars depend on the noise level. What a list has in
// common with one of the two before it is recorded as a CUDA graph, and later
// lists that begin with it replay it. (Where a step waits once in between, to ask
// its cache, every other list is alike.) Nothing has to be told when gamma or the
// gate of a LoRA changes: the words differ, so another graph is recorded.

// recording is a graph and the commands it stands for.
type recording struct {
	words    []uint64
	commands int
	exec     driver.GraphExec
}

const (
	// leastRecorded is how many commands are worth a graph.
	leastRecorded = 64
	// mostRecordings is how many graphs are kept: with and without TACA, with
	// and without a LoRA, for a few sizes of picture.
	mostRecordings = 8
)

// recorder keeps graphs of what was asked for before.
type recorder struct {
	previous   [2][]uint64 // the words of the lists before, the last one first
	recordings []*recording
	replays    int
}

// run issues the queue, on the driver's thread.
func (b *Backend) run() {
	q, r := &b.queue, &b.recorder
	if b.ring.passing || len(q.commands) < leastRecorded {
		b.issue(0, len(q.commands))
		return
	}
	known := r.find(q.words)
	if known == nil {
		if n := max(q.common(r.previous[0]), q.common(r.previous[1])); n >= leastRecorded {
			known = b.record(n)
		}
	}
	done := 0
	if known != nil {
		known.exec.Launch(b.stream)
		done = known.commands
		r.replays++
	}
	b.issue(done, len(q.commands))
	r.previous[0], r.previous[1] = append(r.previous[1][:0], q.words...), r.previous[0]
}

// find is the longest recording that a list begins with, moved to the end of
// the list of recordings, where the last ones used are.
func (r *recorder) find(words []uint64) *recording {
	best := -1
	for i, c := range r.recordings {
		if len(c.words) <= len(words) && slices.Equal(c.words, words[:len(c.words)]) &&
			(best < 0 || len(c.words) > len(r.recordings[best].words)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	found := r.recordings[best]
	r.recordings = append(slices.Delete(r.recordings, best, best+1), found)
	return found
}

// common is how many whole commands q and an earlier list begin with.
func (q *queue) common(earlier []uint64) int {
	same := 0
	for same < min(len(earlier), len(q.words)) && earlier[same] == q.words[same] {
		same++
	}
	n := 0
	for n < len(q.commands) && q.commands[n].hi <= same {
		n++
	}
	return n
}

// record captures the first n commands of the queue.
func (b *Backend) record(n int) *recording {
	r := &b.recorder
	if len(r.recordings) == mostRecordings {
		b.stream.Synchronize() // it may be running
		r.recordings[0].exec.Destroy()
		r.recordings = r.recordings[1:]
	}
	graph := b.capture(n)
	defer graph.Destroy()
	made := &recording{slices.Clone(b.queue.words[:b.queue.commands[n-1].hi]), n, graph.Instantiate()}
	r.recordings = append(r.recordings, made)
	return made
}

// capture ends the capture even if a command fails in it, since a stream that
// captures is good for nothing else.
func (b *Backend) capture(n int) driver.Graph {
	driver.BeginCapture(b.stream)
	ended := false
	defer func() {
		if !ended {
			defer func() { _ = recover() }() // the first failure is the one to report
			driver.EndCapture(b.stream).Destroy()
		}
	}()
	b.issue(0, n)
	ended = true
	return driver.EndCapture(b.stream)
}

// forget destroys all graphs, whose addresses are void. On the driver's thread.
func (r *recorder) forget() {
	for _, c := range r.recordings {
		c.exec.Destroy()
	}
	r.recordings, r.previous = nil, [2][]uint64{}
}
