package simtest

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

// stage lets goroutines act on a world one at a time, in an order that is the same in every run.
//
// Whoever uses the client passes a gate (enter). The actor that holds the stage passes; others queue up. The director,
// the one goroutine that steps the world, gives the stage to one actor as an event of the world, and waits until every
// goroutine of the bubble is blocked. The actor then waits for an answer, in which case an event of the world brings it
// back, or for something that is none of ours (a channel, a sleep), in which case it will come to the gate again.
// Those who come to the gate at the same instant are admitted in the order in which they were started.
//
// What an actor does with the stage happens before what the next one does: [synctest.Wait] and the channels on which
// the stage is granted see to that, so that only what is used without the stage needs the lock.
type stage struct {
	world    *sim.World
	start    time.Time
	origin   ports.Instant
	kick     chan struct{}
	progress *atomic.Uint64

	mu     sync.Mutex
	actors []*actor
	queue  []*actor
	holder *actor
	// closing: actors end as soon as they come to the gate.
	closing bool
}

// actor is a goroutine that uses the world: the test itself, a task, or a stray that nobody announced.
type actor struct {
	name      string
	place     int
	goroutine uint64
	stray     bool
	granted   chan struct{}
	// waiting: the actor takes the next grant. Guarded by the stage's lock.
	waiting bool
	// due: an event that lets the actor go on is on the world's agenda. Used with the stage, or by the director.
	due bool
	// done: the actor has ended. Guarded by the stage's lock.
	done bool
}

func newStage(w *sim.World, progress *atomic.Uint64) *stage {
	return &stage{world: w, start: time.Now(), origin: w.Now(), kick: make(chan struct{}, 1), progress: progress}
}

// now is the bubble's time as an instant of the world.
func (s *stage) now() ports.Instant { return s.origin.Add(time.Since(s.start)) }

// cast adds an actor, whose goroutine has to call perform.
func (s *stage) cast(name string) *actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &actor{name: name, place: len(s.actors), granted: make(chan struct{}, 1)}
	s.actors = append(s.actors, a)
	return a
}

// perform runs an actor on the calling goroutine; f begins with the stage. However f ends, ended is told with the stage
// in hand, unless the stage is being cleared.
func (s *stage) perform(a *actor, f func() error, ended func(err error, panicked any, stack []byte)) {
	s.mu.Lock()
	a.goroutine = goroutine()
	s.mu.Unlock()
	var err error
	defer func() {
		panicked := recover()
		var stack []byte
		if panicked != nil {
			stack = callStack()
		}
		defer s.finish(a)
		s.enter() // the end of an actor has its place in the order, too
		ended(err, panicked, stack)
	}()
	s.enter()
	err = f()
}

// all returns the actors in the order in which they were started.
func (s *stage) all() []*actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.actors)
}

// finish notes that an actor has ended.
func (s *stage) finish(a *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.done = true
}

func (s *stage) finished(a *actor) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.done
}

// self finds out who calls.
func (s *stage) self() *actor {
	id := goroutine()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.actors {
		if a.goroutine == id {
			return a
		}
	}
	a := &actor{place: len(s.actors), goroutine: id, stray: true, granted: make(chan struct{}, 1)}
	s.actors = append(s.actors, a)
	return a
}

// enter returns once the caller holds the stage.
func (s *stage) enter() {
	a := s.self()
	s.mu.Lock()
	holds, closing := s.holder == a, s.closing
	if !holds && !closing {
		a.waiting = true
		s.queue = append(s.queue, a)
	}
	s.mu.Unlock()
	if !holds && !closing {
		select {
		case s.kick <- struct{}{}:
		default:
		}
		<-a.granted
	}
	s.proceed()
}

// suspend gives the stage back until somebody brings the actor.
func (s *stage) suspend(a *actor) {
	s.mu.Lock()
	a.waiting = true
	s.mu.Unlock()
	<-a.granted
	s.proceed()
}

// proceed ends the calling goroutine if the stage is being cleared.
func (s *stage) proceed() {
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		runtime.Goexit()
	}
}

// bring lets an actor go on, as an event at the given instant. Called with the stage, or by the director.
func (s *stage) bring(a *actor, at ports.Instant) {
	if !a.due {
		a.due = true
		s.world.After(at, func() { s.admit(a) })
	}
}

// admit gives the stage to an actor, if it still wants it, and waits until everybody is blocked.
func (s *stage) admit(a *actor) {
	a.due = false
	s.mu.Lock()
	wanted := a.waiting
	if wanted {
		a.waiting, s.holder = false, a
	}
	s.mu.Unlock()
	if !wanted {
		return
	}
	s.world.Note(uint64(a.place))
	a.granted <- struct{}{}
	synctest.Wait()
	s.mu.Lock()
	s.holder = nil
	s.mu.Unlock()
	s.collect()
}

// collect brings those who have come to the gate, in the order in which they were started.
func (s *stage) collect() {
	s.mu.Lock()
	arrived := s.queue
	s.queue = nil
	s.mu.Unlock()
	slices.SortStableFunc(arrived, func(a, b *actor) int { return a.place - b.place })
	for _, a := range arrived {
		s.bring(a, s.now())
	}
}

// direct lets the world run in the bubble's time until over reports true, at most for the given time.
func (s *stage) direct(over func() bool, limit time.Duration) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	end := s.now().Add(limit)
	for {
		synctest.Wait()
		s.collect()
		for s.world.Next() <= s.now() && !over() {
			s.world.Step()
			s.progress.Add(1)
		}
		if over() || s.now() >= end {
			return over()
		}
		timer.Reset(min(s.world.Next(), end).Sub(s.now()))
		select {
		case <-timer.C:
		case <-s.kick:
		}
	}
}

// clear ends every actor: those who wait for the world at once, others when they come to the gate. It returns those who
// stay even after a month, and after all contexts have ended.
func (s *stage) clear(cancel func()) (left []*actor) {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	for day := range 30 {
		left = nil
		for _, a := range s.all() {
			s.mu.Lock()
			wanted := a.waiting
			a.waiting = false
			s.mu.Unlock()
			if wanted {
				a.granted <- struct{}{}
				synctest.Wait()
			}
			if !s.finished(a) && !a.stray {
				left = append(left, a)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if day == 1 { // not before: with a context that has ended, calls return without coming to the gate
			cancel()
		}
		s.progress.Add(1)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
	}
	return left
}

// waiter is where an actor waits for the driver.
type waiter struct {
	stage *stage
	actor *actor
	woken bool
}

// Wait implements [drive.Waiter]. The caller has entered the stage before, and returns with the stage.
func (w *waiter) Wait(ctx context.Context) {
	s := w.stage
	if !w.woken && ctx.Err() == nil {
		a := s.self()
		s.mu.Lock()
		a.waiting = true
		s.mu.Unlock()
		w.actor = a
		select {
		case <-a.granted:
			s.proceed()
		case <-ctx.Done():
			s.mu.Lock()
			granted := !a.waiting // at the same moment, by chance
			a.waiting = false
			s.mu.Unlock()
			if granted {
				<-a.granted
			}
			s.enter()
		}
		w.actor = nil
	}
	w.woken = false
}

// Wake implements [drive.Waiter].
func (w *waiter) Wake() {
	w.woken = true
	if w.actor != nil {
		w.stage.bring(w.actor, w.stage.world.Now())
	}
}
