package sim

import "github.com/tikvx/tikvx/ports"

// Client is one process that uses the cluster: the ports that its core is driven on. It shares the World's goroutine.
type Client struct {
	world *World
	name  string
}

var (
	_ ports.Network   = (*Client)(nil)
	_ ports.Oracle    = (*Client)(nil)
	_ ports.Placement = (*Client)(nil)
	_ ports.Timers    = (*Client)(nil)
)

// Client adds a client process; the name appears in traces.
func (w *World) Client(name string) *Client { return &Client{world: w, name: name} }

// Submit implements [ports.Network].
func (c *Client) Submit(
	to ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant, tok ports.Tok, sink ports.Sink,
) {
}

// Probe implements [ports.Network].
func (c *Client) Probe(to ports.Endpoint, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Watch implements [ports.Network].
func (c *Client) Watch(sink ports.Sink) {}

// Forget implements [ports.Network].
func (c *Client) Forget(to ports.Endpoint) {}

// Timestamp implements [ports.Oracle].
func (c *Client) Timestamp(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Ask implements [ports.Placement].
func (c *Client) Ask(q *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Now implements [ports.Timers].
func (c *Client) Now() ports.Instant { return c.world.now }

// Arm implements [ports.Timers].
func (c *Client) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {}

// Crash ends the process: none of its sinks hears anything again, while what it has sent still arrives.
func (c *Client) Crash() {}

// Close ends the process in good order: what is in flight is Lost, and everything later is Unsent or Refused.
func (c *Client) Close() {}
