package lock

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// work is the part of a resolver that exists only once a lock was met: the jobs
// that wait for a worker, and the workers.
type work struct {
	// fetch obtains the present for the statuses of one round.
	fetch   ts.Fetch
	queue   []job
	workers []worker
}

// worker carries one job through one of its stages.
type worker struct {
	busy  bool
	job   job
	check check
	clean clean
}

// hopFetch and hopWorkers are the addresses below a resolver, the latter that of
// the first worker; hopCheck and hopClean are those below a worker.
const (
	hopFetch   = 1
	hopWorkers = 2
	hopCheck   = 1
	hopClean   = 2
)

const (
	// maxWorkers bounds the jobs in the foreground, and on their own those in the
	// background, so that their addresses fit into a hop.
	maxWorkers = 64
	// cleanBudget is the time in which the locks of one job are removed behind a
	// reader's back (client-go: asyncResolveLockMaxBackoff).
	cleanBudget = 40 * time.Second
)

// next takes a job off the queue for which there is a worker. Statuses can be
// asked for only when the present is known.
func (w *work) next(env *sm.Env, dated bool) (job, int, bool) {
	front, back := w.room(env, true), w.room(env, false)
	for n := range w.queue {
		j := &w.queue[n]
		if j.stage == needsCheck && !dated || j.foreground && !front || !j.foreground && !back {
			continue
		}
		taken := *j
		w.queue = slices.Delete(w.queue, n, n+1)
		return taken, w.free(), true
	}
	return job{}, 0, false
}

// room reports whether one more job of the foreground, or background, may run.
func (w *work) room(env *sm.Env, foreground bool) bool {
	same, all := 0, 0
	for i := range w.workers {
		if w.workers[i].busy {
			all++
			if w.workers[i].job.foreground == foreground {
				same++
			}
		}
	}
	return same < max(1, min(env.Knobs.Workers, maxWorkers)) && all < 2*maxWorkers
}

// free returns a worker without a job. Workers may move when one is added: no
// machine keeps a pointer into itself.
func (w *work) free() int {
	for i := range w.workers {
		if !w.workers[i].busy {
			return i
		}
	}
	w.workers = append(w.workers, worker{})
	return len(w.workers) - 1
}

// awaited reports whether a job is in the foreground.
func (w *work) awaited() bool {
	for i := range w.queue {
		if w.queue[i].foreground {
			return true
		}
	}
	for i := range w.workers {
		if w.workers[i].busy && w.workers[i].job.foreground {
			return true
		}
	}
	return false
}

// checking returns the first worker that asks for a status, -1 if none does.
func (w *work) checking() int {
	for i := range w.workers {
		if w.workers[i].busy && w.workers[i].job.stage == needsCheck {
			return i
		}
	}
	return -1
}

// idle reports whether there is no job at all.
func (w *work) idle() bool {
	for i := range w.workers {
		if w.workers[i].busy {
			return false
		}
	}
	return len(w.queue) == 0
}

// abandon takes every job out of the foreground. Those that remove locks go on
// in the background if keep is set; answers for the others find nobody.
func (w *work) abandon(keep bool) {
	kept := w.queue[:0]
	for _, j := range w.queue {
		if !j.foreground || keep && j.stage == needsClean {
			j.foreground = false
			kept = append(kept, j)
		}
	}
	clear(w.queue[len(kept):])
	w.queue = kept
	for i := range w.workers {
		x := &w.workers[i]
		if x.busy && x.job.foreground {
			x.busy = keep && x.job.stage == needsClean
			x.job.foreground = false
		}
	}
}

// step hands an event to the stage that the worker's job is in.
func (w *worker) step(env *sm.Env, ev *ports.Event, i int, out *sm.Effects) {
	env.Enter(hopWorkers + uint8(i))
	switch hop := env.Hop(ev); {
	case hop == hopCheck && w.job.stage == needsCheck:
		env.Enter(hopCheck)
		w.check.Step(env, ev, out)
		env.Leave()
	case hop == hopClean && w.job.stage == needsClean:
		env.Enter(hopClean)
		w.clean.Step(env, ev, out)
		env.Leave()
	}
	env.Leave()
}

// done reports whether the worker has a job whose stage is over.
func (w *worker) done() bool {
	if w.job.stage == needsCheck {
		return w.busy && w.check.Done()
	}
	return w.busy && w.clean.Done()
}

func (w *worker) failure() *sm.Failure {
	if w.job.stage == needsCheck {
		return &w.check.failure
	}
	return &w.clean.failure
}

func (w *work) cloneInto(dst *work) {
	dst.fetch = w.fetch
	dst.queue = slices.Clone(w.queue)
	dst.workers = make([]worker, len(w.workers))
	for i := range w.workers {
		from, to := &w.workers[i], &dst.workers[i]
		to.busy, to.job = from.busy, from.job
		from.check.CloneInto(&to.check)
		from.clean.CloneInto(&to.clean)
	}
}

func (w *work) fingerprint(h *sm.Hash) {
	w.fetch.Fingerprint(h)
	h.Int(len(w.queue))
	for i := range w.queue {
		w.queue[i].fingerprint(h)
	}
	h.Int(len(w.workers))
	for i := range w.workers {
		x := &w.workers[i]
		h.Bool(x.busy)
		x.job.fingerprint(h)
		x.check.Fingerprint(h)
		x.clean.Fingerprint(h)
	}
}
