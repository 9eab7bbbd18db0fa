package cpu

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// pool is standing goroutines that share out the units of one verb at a time.
type pool struct {
	workers int
	work    *memory // one workspace per worker
	jobs    chan *job
}

// job is one verb being done. Workers claim ranges of units until none is
// left, so a slow worker delays nobody, and one that comes too late finds
// nothing to do.
type job struct {
	units, workers int
	claims
	do       func(lo, hi int, work unsafe.Pointer)
	claimed  atomic.Int64
	finished atomic.Int64
	done     chan struct{} // closed when all units are finished
}

// claims is how many units a worker takes at a time: most of them, which share
// work, while there are plenty, and towards the end fewer, so that all workers
// are done at once; but never fewer than are worth a call.
type claims struct{ least, most int }

// each is claims of n units.
func each(n int) claims { return claims{n, n} }

func newPool(workers int) (*pool, error) {
	work, err := pages(workers * workBytes)
	if err != nil {
		return nil, err
	}
	p := &pool{workers: workers, work: work, jobs: make(chan *job, workers)}
	for i := 1; i < workers; i++ {
		go func() {
			for j, open := p.next(); open; j, open = p.next() {
				j.claim(p.workspace(i))
			}
		}()
	}
	return p, nil
}

func (p *pool) workspace(i int) unsafe.Pointer { return unsafe.Pointer(&p.work.data[i*workBytes]) }

// run does units [0, units) and returns when all are done. The caller is worker
// 0; what is worth a single call never leaves it.
func (p *pool) run(units int, c claims, do func(lo, hi int, work unsafe.Pointer)) {
	c.least = max(c.least, 1)
	if units <= c.least || p.workers == 1 {
		if units > 0 {
			do(0, units, p.workspace(0))
		}
		return
	}
	j := &job{units: units, workers: p.workers, claims: c, do: do, done: make(chan struct{})}
	for range min(p.workers, pieces(units, c.least)) - 1 {
		select {
		case p.jobs <- j:
		default: // every helper has work waiting already
		}
	}
	j.claim(p.workspace(0))
	lookOut(func() bool { return int(j.finished.Load()) == units })
	<-j.done
}

// next waits for a job.
func (p *pool) next() (j *job, open bool) {
	here := lookOut(func() bool {
		select {
		case j, open = <-p.jobs:
			return true
		default:
			return false
		}
	})
	if !here {
		j, open = <-p.jobs
	}
	return j, open
}

// patience is how long a thread looks out for work before it sleeps: waking one
// takes as long as a small verb, and in a step the next verb comes at once.
const patience = 50 * time.Microsecond

// lookOut asks until the answer is yes, or patience is at its end.
func lookOut(done func() bool) bool {
	for begin := time.Now(); ; {
		for range 32 {
			if done() {
				return true
			}
		}
		if time.Since(begin) > patience {
			return false
		}
	}
}

// claim does units until none is left to claim.
func (j *job) claim(work unsafe.Pointer) {
	for {
		lo := int(j.claimed.Load())
		left := j.units - lo
		if left == 0 {
			return
		}
		hi := lo + min(left, max(j.least, min(j.most, left/(2*j.workers))))
		if !j.claimed.CompareAndSwap(int64(lo), int64(hi)) {
			continue
		}
		j.do(lo, hi, work)
		if int(j.finished.Add(int64(hi-lo))) == j.units {
			close(j.done)
		}
	}
}

func (p *pool) close() error {
	close(p.jobs)
	return p.work.release()
}
