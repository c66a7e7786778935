package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Client is one process that uses the cluster: the ports that its core is driven on. It shares the World's goroutine.
// Sinks are called inside [World.Step] only.
type Client struct {
	world *World
	id    int
	name  string
	links []*link
	// asked are the questions to PD, and the probes, that have no answer yet.
	asked []*question
	// pdThere and pdBack are the instants at which the last messages to and from PD arrive.
	pdThere, pdBack ports.Instant
	closed, crashed bool
	// vain is when it was told for the last time that nobody knows where a store is.
	vain map[ports.StoreID]ports.Instant
}

var (
	_ ports.Network   = (*Client)(nil)
	_ ports.Oracle    = (*Client)(nil)
	_ ports.Placement = (*Client)(nil)
	_ ports.Admin     = (*Client)(nil)
	_ ports.Timers    = (*Client)(nil)
)

// Client adds a client process; the name appears in traces.
func (w *World) Client(name string) *Client {
	c := &Client{world: w, id: len(w.clients) + 1, name: name, vain: map[ports.StoreID]ports.Instant{}}
	w.clients = append(w.clients, c)
	return c
}

// link returns the connection to an address.
func (c *Client) link(address string) *link {
	for _, l := range c.links {
		if l.address == address {
			return l
		}
	}
	l := &link{client: c, address: address}
	c.links = append(c.links, l)
	return l
}

// Submit implements [ports.Network].
func (c *Client) Submit(
	to ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant, tok ports.Tok, sink ports.Sink,
) {
	c.world.submit(c, to, hdr, req, deadline, tok, sink)
}

// Probe implements [ports.Network].
func (c *Client) Probe(to ports.Endpoint, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	w := c.world
	w.monitor.Probing(c, to)
	q := c.question(deadline, tok, sink)
	q.probe, q.to = true, to
	switch s := w.listener(to.Address); {
	case c.closed:
		w.refuse(q, w.now, ports.CauseClosed)
	case s == nil:
		w.refuse(q, w.now+2*w.travel(), ports.CauseConnection)
	case s.hung || w.now < c.link(to.Address).blocked:
		w.refuse(q, deadline, ports.CauseTimeout)
	default:
		w.tell(q, w.now+2*w.travel())
	}
}

// question begins something that is answered once.
func (c *Client) question(deadline ports.Instant, tok ports.Tok, sink ports.Sink) *question {
	q := c.world.newQuestion()
	q.client, q.deadline, q.tok, q.sink, q.place, q.uses = c, deadline, tok, sink, len(c.asked), 1
	c.asked = append(c.asked, q)
	return q
}

// Watch implements [ports.Network]. The simulated network has no facts of its own to tell.
func (c *Client) Watch(ports.Sink) {}

// Forget implements [ports.Network].
func (c *Client) Forget(to ports.Endpoint) {
	c.world.reset(c.link(to.Address), true, ports.CauseConnection)
}

// Timestamp implements [ports.Oracle].
func (c *Client) Timestamp(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.world.ask(c.question(deadline, tok, sink), happenTimestampAsked)
}

// Ask implements [ports.Placement].
func (c *Client) Ask(query *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.world.monitor.Asked(c, query)
	q := c.question(deadline, tok, sink)
	q.placement, q.query = true, *query
	q.query.Key, q.query.End = slices.Clone(query.Key), slices.Clone(query.End)
	c.world.ask(q, happenAsked)
}

// Now implements [ports.Timers].
func (c *Client) Now() ports.Instant { return c.world.now }

// Arm implements [ports.Timers].
func (c *Client) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {
	if at == ports.Never {
		return
	}
	h := c.world.agenda.add(max(at, c.world.now))
	h.kind, h.client, h.tok, h.sink = happenTimer, c, tok, sink
}

// Crash ends the process: none of its sinks hears anything again, while what it has sent still arrives.
func (c *Client) Crash() {
	c.world.note(noteClientCrash, uint64(c.id), 0, 0)
	c.world.printf("-- client %s crashes", c.name)
	c.crashed, c.closed = true, true
}

// Close ends the process in good order: what is in flight is Lost, and everything later is Unsent or Refused. Timers
// still fire.
func (c *Client) Close() {
	c.closed = true
	for _, l := range c.links {
		c.world.reset(l, true, ports.CauseClosed)
	}
	for _, q := range c.asked {
		c.world.refuse(q, c.world.now, ports.CauseClosed)
	}
}
