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
	units, grain int
	do           func(lo, hi int, work unsafe.Pointer)
	claimed      atomic.Int64
	finished     atomic.Int64
	done         chan struct{} // closed when all units are finished
}

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

// run does units [0, units), at least grain at a time, and returns when all
// are done. The caller is worker 0; what is worth a single call never leaves
// it.
func (p *pool) run(units, grain int, do func(lo, hi int, work unsafe.Pointer)) {
	grain = max(grain, 1)
	if units <= grain || p.workers == 1 {
		if units > 0 {
			do(0, units, p.workspace(0))
		}
		return
	}
	j := &job{units: units, grain: grain, do: do, done: make(chan struct{})}
	for range min(p.workers, (units+grain-1)/grain) - 1 {
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
		hi := int(j.claimed.Add(int64(j.grain)))
		lo := hi - j.grain
		if lo >= j.units {
			return
		}
		hi = min(hi, j.units)
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
