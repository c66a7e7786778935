package sim

import (
	"sync"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// Wall runs a world in real time: one goroutine lets each event happen when its instant has come. Safe for concurrent
// use.
//
// Sinks are called by that goroutine, with no lock held.
type Wall struct {
	start  time.Time
	origin ports.Instant
	kick   chan struct{}
	quit   chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	world *World
	// asleep is the instant until which the goroutine sleeps.
	asleep ports.Instant
	posts  []posting
}

// posting is an event on its way to its sink.
type posting struct {
	sink  ports.Sink
	event ports.Event
}

// NewWall starts the goroutine. From now on the world is used through [Wall.Do] only.
func NewWall(w *World) *Wall {
	l := &Wall{
		start: time.Now(), origin: w.now, kick: make(chan struct{}, 1), quit: make(chan struct{}),
		done: make(chan struct{}), world: w,
	}
	w.shared = true
	go l.loop()
	return l
}

func (l *Wall) now() ports.Instant { return l.origin.Add(time.Since(l.start)) }

// loop lets events happen until the wall is closed.
func (l *Wall) loop() {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		posts, pause := l.advance()
		for i := range posts {
			posts[i].sink.Post(posts[i].event)
		}
		if len(posts) > 0 {
			continue
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-l.kick:
		case <-l.quit:
			return
		}
	}
}

// advance lets everything happen whose instant has come, and returns what is to be posted and the time until the next
// event.
func (l *Wall) advance() ([]posting, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, now := l.world, l.now()
	for w.Next() <= now {
		w.Step()
	}
	w.now = max(w.now, now)
	l.posts, w.outbox = w.outbox, l.posts[:0]
	l.asleep = w.Next()
	return l.posts, min(l.asleep.Sub(now), time.Hour)
}

// Do calls f on the world while nothing else happens to it. f must not wait.
func (l *Wall) Do(f func(w *World)) {
	l.mu.Lock()
	l.world.now = max(l.world.now, l.now())
	f(l.world)
	early := l.world.Next() < l.asleep
	l.mu.Unlock()
	if early {
		select {
		case l.kick <- struct{}{}:
		default:
		}
	}
}

// Close ends the goroutine and closes the world. What is in flight is not answered any more, so clients come first.
func (l *Wall) Close() {
	close(l.quit)
	<-l.done
	l.world.Close()
}

// Client adds a client process whose ports are safe for concurrent use.
func (l *Wall) Client(name string) *WallClient {
	c := &WallClient{wall: l}
	l.Do(func(w *World) { c.client = w.Client(name) })
	return c
}

// WallClient is [Client] in real time: the same ports, safe for concurrent use.
type WallClient struct {
	wall   *Wall
	client *Client
}

var (
	_ ports.Network   = (*WallClient)(nil)
	_ ports.Oracle    = (*WallClient)(nil)
	_ ports.Placement = (*WallClient)(nil)
	_ ports.Admin     = (*WallClient)(nil)
	_ ports.Timers    = (*WallClient)(nil)
)

// Submit implements [ports.Network].
func (c *WallClient) Submit(
	to ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant, tok ports.Tok, sink ports.Sink,
) {
	c.wall.Do(func(*World) { c.client.Submit(to, hdr, req, deadline, tok, sink) })
}

// Probe implements [ports.Network].
func (c *WallClient) Probe(to ports.Endpoint, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.wall.Do(func(*World) { c.client.Probe(to, deadline, tok, sink) })
}

// Watch implements [ports.Network].
func (c *WallClient) Watch(sink ports.Sink) {
	c.wall.Do(func(*World) { c.client.Watch(sink) })
}

// Forget implements [ports.Network].
func (c *WallClient) Forget(to ports.Endpoint) {
	c.wall.Do(func(*World) { c.client.Forget(to) })
}

// Timestamp implements [ports.Oracle].
func (c *WallClient) Timestamp(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.wall.Do(func(*World) { c.client.Timestamp(deadline, tok, sink) })
}

// Ask implements [ports.Placement].
func (c *WallClient) Ask(q *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.wall.Do(func(*World) { c.client.Ask(q, deadline, tok, sink) })
}

// Now implements [ports.Timers].
func (c *WallClient) Now() ports.Instant { return c.wall.now() }

// Arm implements [ports.Timers].
func (c *WallClient) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.wall.Do(func(*World) { c.client.Arm(at, tok, sink) })
}

// Close ends the process: what is in flight is Lost, and everything later is Unsent or Refused.
func (c *WallClient) Close() {
	c.wall.Do(func(*World) { c.client.Close() })
}
