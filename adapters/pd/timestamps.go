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
// by the caller.
type timestamps struct {
	source tso.Client
	clock  ports.Timers
	life   context.Context

	mu      sync.Mutex
	waiting []timestampRequest
	closed  bool
	wake    chan struct{}
	futures chan pendingTimestamp
	done    sync.WaitGroup

	// shared is the context of all requests whose deadlines fall into one slice
	// of time, so that a request costs no timer of its own.
	shared      context.Context
	sharedUntil time.Time
}

type timestampRequest struct {
	deadline ports.Instant
	tok      ports.Tok
	sink     ports.Sink
}

type pendingTimestamp struct {
	timestampRequest
	future tso.TSFuture
}

// deadlineSlice is the precision of a timestamp's deadline.
const deadlineSlice = 100 * time.Millisecond

// maxFutures bounds the timestamps that are awaited at once.
const maxFutures = 4096

func (t *timestamps) start(life context.Context, source tso.Client, clock ports.Timers) {
	t.source, t.clock, t.life = source, clock, life
	t.wake = make(chan struct{}, 1)
	t.futures = make(chan pendingTimestamp, maxFutures)
	t.done.Add(2)
	go t.dispatch()
	go t.wait()
}

func (t *timestamps) request(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	t.mu.Lock()
	closed := t.closed
	if !closed {
		t.waiting = append(t.waiting, timestampRequest{deadline: deadline, tok: tok, sink: sink})
	}
	t.mu.Unlock()
	if closed {
		refuse(sink, tok, t.clock, ports.CauseClosed, "closed")
		return
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *timestamps) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.done.Wait()
	for _, r := range t.waiting {
		refuse(r.sink, r.tok, t.clock, ports.CauseClosed, "closed")
	}
	t.waiting = nil
}

// dispatch turns requests into futures, in order.
func (t *timestamps) dispatch() {
	defer t.done.Done()
	defer close(t.futures)
	var batch []timestampRequest
	for {
		select {
		case <-t.life.Done():
			return
		case <-t.wake:
		}
		t.mu.Lock()
		batch, t.waiting = t.waiting, batch[:0]
		t.mu.Unlock()
		for _, r := range batch {
			t.futures <- pendingTimestamp{timestampRequest: r, future: t.source.GetTSAsync(t.until(r.deadline))}
		}
		clear(batch)
	}
}

// wait answers the futures in order; each ends at its deadline at the latest, so
// a silent PD delays no answer beyond its own.
func (t *timestamps) wait() {
	defer t.done.Done()
	for p := range t.futures {
		physical, logical, err := p.future.Wait()
		if err != nil {
			kind, text := causeOf(t.life, err)
			refuse(p.sink, p.tok, t.clock, kind, text)
			continue
		}
		p.sink.Post(ports.Event{
			Kind: ports.EventTimestamp, Tok: p.tok, Now: t.clock.Now(),
			TS: ports.ComposeTimestamp(physical, logical),
		})
	}
}

// until returns a context that ends at the deadline or within a slice after it.
// Only dispatch calls it.
func (t *timestamps) until(deadline ports.Instant) context.Context {
	at := time.Now().Add(deadline.Sub(t.clock.Now())).Truncate(deadlineSlice).Add(deadlineSlice)
	if t.shared == nil || !at.Equal(t.sharedUntil) {
		ctx, cancel := context.WithDeadline(t.life, at)
		context.AfterFunc(ctx, cancel)
		t.shared, t.sharedUntil = ctx, at
	}
	return t.shared
}
