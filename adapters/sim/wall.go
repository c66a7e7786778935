package sim

import (
	"github.com/tikvx/tikvx/ports"
)

// Wall runs a world in real time: one goroutine owns it and lets each event happen when its instant has come. Safe for
// concurrent use.
type Wall struct {
	world *World
}

// NewWall starts the goroutine. From now on the world is used through [Wall.Do] only.
func NewWall(w *World) *Wall { return &Wall{world: w} }

// Do calls f on the world while nothing else happens to it. f must not wait.
func (l *Wall) Do(f func(w *World)) {}

// Close ends the goroutine and closes the world. What is in flight is not answered any more, so clients come first.
func (l *Wall) Close() {}

// Client adds a client process whose ports are safe for concurrent use.
func (l *Wall) Client(name string) *WallClient { return nil }

// WallClient is [Client] in real time: the same ports, safe for concurrent use. Sinks are called by the wall's
// goroutine and, for what is answered at once, by the caller; they must not wait.
type WallClient struct {
	wall   *Wall
	client *Client
}

var (
	_ ports.Network   = (*WallClient)(nil)
	_ ports.Oracle    = (*WallClient)(nil)
	_ ports.Placement = (*WallClient)(nil)
	_ ports.Timers    = (*WallClient)(nil)
)

// Submit implements [ports.Network].
func (c *WallClient) Submit(
	to ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant, tok ports.Tok, sink ports.Sink,
) {
}

// Probe implements [ports.Network].
func (c *WallClient) Probe(to ports.Endpoint, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Watch implements [ports.Network].
func (c *WallClient) Watch(sink ports.Sink) {}

// Forget implements [ports.Network].
func (c *WallClient) Forget(to ports.Endpoint) {}

// Timestamp implements [ports.Oracle].
func (c *WallClient) Timestamp(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Ask implements [ports.Placement].
func (c *WallClient) Ask(q *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Now implements [ports.Timers].
func (c *WallClient) Now() ports.Instant { return 0 }

// Arm implements [ports.Timers].
func (c *WallClient) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Close ends the process: what is in flight is Lost, and everything later is Unsent or Refused.
func (c *WallClient) Close() {}
