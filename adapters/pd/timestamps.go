package pd

import (
	"context"
	"sync"
	"time"

	"github.com/tikv/pd/client/clients/tso"

	"github.com/tikvx/tikvx/ports"
)

// timestamps asks the library for timestamps. The library hands out futures and
// batches by itself; it may pause inside the call that asks for one while PD
// changes its leader, so asking and waiting are done by two goroutines and never
// by the caller. Futures are awaited in their order, which is the order in which
// they come true; one alarm refuses what PD has not answered by its deadline.
type timestamps struct {
	source tso.Client
	clock  ports.Timers
	life   context.Context

	wake    chan struct{}
	futures chan *timestampRequest
	done    sync.WaitGroup

	mu sync.Mutex
	// queued requests have no future yet.
	queued, asked []*timestampRequest
	closed        bool
	// alarm is the instant of the earliest alarm that is set, 0 if none is.
	alarm ports.Instant
}

type timestampRequest struct {
	deadline ports.Instant
	tok      ports.Tok
	// sink is nil once the request is answered.
	sink   ports.Sink
	future tso.TSFuture
}

// maxFutures bounds the timestamps that are awaited at once.
const maxFutures = 4096

// grain is the least time between two looks at the deadlines.
const grain = 5 * time.Millisecond

func (t *timestamps) start(life context.Context, source tso.Client, clock ports.Timers) {
	t.source, t.clock, t.life = source, clock, life
	t.wake = make(chan struct{}, 1)
	t.futures = make(chan *timestampRequest, maxFutures)
	t.done.Add(2)
	go t.dispatch()
	go t.wait()
}

func (t *timestamps) request(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		refuse(sink, tok, t.clock, ports.CauseClosed, "closed")
		return
	}
	t.queued = append(t.queued, &timestampRequest{deadline: deadline, tok: tok, sink: sink})
	early := t.setAlarm(deadline)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
	if early {
		t.clock.Arm(deadline, ports.Tok{}, t)
	}
}

// setAlarm reports whether an alarm must be armed. The lock is held.
func (t *timestamps) setAlarm(at ports.Instant) bool {
	if t.alarm != 0 && t.alarm <= at {
		return false
	}
	t.alarm = at
	return true
}

// Post implements [ports.Sink] for the alarm.
func (t *timestamps) Post(ev ports.Event) {
	next := ports.Never
	var late []timestampRequest
	t.mu.Lock()
	if t.alarm <= ev.Now {
		t.alarm = 0
	}
	for _, list := range [][]*timestampRequest{t.queued, t.asked} {
		for _, r := range list {
			switch {
			case r.sink == nil:
			case r.deadline <= ev.Now:
				late = append(late, *r)
				r.sink = nil
			default:
				next = min(next, r.deadline)
			}
		}
	}
	next = max(next, ev.Now.Add(grain))
	early := next < ports.Never && t.setAlarm(next)
	t.mu.Unlock()
	for i := range late {
		refuse(late[i].sink, late[i].tok, t.clock, ports.CauseTimeout, lateText)
	}
	if early {
		t.clock.Arm(next, ports.Tok{}, t)
	}
}

func (t *timestamps) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.done.Wait()
	for _, r := range t.queued {
		if sink := t.answer(r); sink != nil {
			refuse(sink, r.tok, t.clock, ports.CauseClosed, "closed")
		}
	}
	t.queued = nil
}

// answer takes the sink of a request; nil when it is answered already.
func (t *timestamps) answer(r *timestampRequest) ports.Sink {
	t.mu.Lock()
	defer t.mu.Unlock()
	sink := r.sink
	r.sink = nil
	return sink
}

// dispatch turns requests into futures, in order.
func (t *timestamps) dispatch() {
	defer t.done.Done()
	defer close(t.futures)
	for {
		select {
		case <-t.life.Done():
			return
		case <-t.wake:
		}
		for r := t.next(); r != nil; r = t.next() {
			r.future = t.source.GetTSAsync(t.life)
			t.futures <- r
		}
	}
}

// next moves the first queued request that is not answered yet to those that are
// asked; nil when there is none.
func (t *timestamps) next() *timestampRequest {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.queued) > 0 {
		r := t.queued[0]
		t.queued = t.queued[1:]
		if r.sink != nil {
			t.asked = append(t.asked, r)
			return r
		}
	}
	return nil
}

// wait posts what the futures bring, in order.
func (t *timestamps) wait() {
	defer t.done.Done()
	for r := range t.futures {
		physical, logical, err := r.future.Wait()
		t.mu.Lock()
		t.asked = t.asked[1:]
		sink := r.sink
		r.sink = nil
		t.mu.Unlock()
		if sink == nil {
			continue
		}
		if err != nil {
			kind, text := causeOf(t.life, err)
			refuse(sink, r.tok, t.clock, kind, text)
			continue
		}
		sink.Post(ports.Event{
			Kind: ports.EventTimestamp, Tok: r.tok, Now: t.clock.Now(),
			TS: ports.ComposeTimestamp(physical, logical),
		})
	}
}
