package sim

import (
	"bytes"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// Monitor watches a world from inside, each event as it happens. It is called by the world's goroutine, changes
// nothing, and keeps nothing of what it is shown.
type Monitor interface {
	// Submitted: a client has asked for a request to be sent.
	Submitted(a *Attempt)
	// Executed: a store has executed a request, whether or not anybody hears of it. The data is as it was left.
	Executed(hdr *ports.Header, req ports.Request, reply ports.Reply)
	// Answered: a reply, region errors included, reaches the client that waits for it. Unanswered: it hears that there
	// will be none.
	Answered(a *Attempt, reply ports.Reply)
	Unanswered(a *Attempt, cause ports.CauseKind)
	// Asked: a client asks PD where data lives. What it asks now is not among what it waits for ([Client.Waits]) yet.
	Asked(client *Client, query *ports.Query)
	// Probing: a client asks whether a store serves; Probed: it has the answer, CauseNone if so.
	Probing(client *Client, to ports.Endpoint)
	Probed(client *Client, to ports.Endpoint, cause ports.CauseKind)
}

// Attempt is one request of a client, as monitors are shown it.
type Attempt struct {
	Client  *Client
	To      ports.Endpoint
	Header  *ports.Header
	Request ports.Request
	// Sent is when it was submitted, Deadline when it will be given up.
	Sent, Deadline ports.Instant
	// Caller is who sent it: the same for all attempts of one routed call, and for no two calls at a time.
	Caller Caller
}

// Caller tells routed calls of a client from each other, by where their answers go.
type Caller struct {
	Sink ports.Sink
	Addr ports.Addr
}

// attempt shows a call to the monitor.
func (w *World) attempt(c *call) *Attempt {
	w.shown = Attempt{
		Client: c.client, To: c.to, Header: &c.hdr, Request: c.req, Sent: c.began, Deadline: c.deadline,
		Caller: Caller{c.sink, c.tok.Addr},
	}
	return &w.shown
}

// Watch lets a monitor see everything from now on, and no other.
func (w *World) Watch(m Monitor) { w.monitor = m }

// unwatched is the monitor of a world that has none.
type unwatched struct{}

func (unwatched) Submitted(*Attempt)                                 {}
func (unwatched) Executed(*ports.Header, ports.Request, ports.Reply) {}
func (unwatched) Answered(*Attempt, ports.Reply)                     {}
func (unwatched) Unanswered(*Attempt, ports.CauseKind)               {}
func (unwatched) Asked(*Client, *ports.Query)                        {}
func (unwatched) Probing(*Client, ports.Endpoint)                    {}
func (unwatched) Probed(*Client, ports.Endpoint, ports.CauseKind)    {}

// Allocated returns the greatest timestamp that PD has allocated.
func (w *World) Allocated() ports.Timestamp { return w.pd.last }

// Lock returns the lock on a transactional key, nil when there is none. It must not be kept or changed.
func (w *World) Lock(key []byte) *mvcc.Lock { return w.engine.Lock(key) }

// Name returns the name that the process was given.
func (c *Client) Name() string { return c.name }

// Crashed reports whether the process was crashed.
func (c *Client) Crashed() bool { return c.crashed }

// Waits reports whether the process has asked PD the same, and has no answer yet.
func (c *Client) Waits(query *ports.Query) bool {
	return slices.ContainsFunc(c.asked, func(q *question) bool {
		return q.placement && q.query.Kind == query.Kind && q.query.Store == query.Store &&
			bytes.Equal(q.query.Key, query.Key) && bytes.Equal(q.query.End, query.End)
	})
}

// Vain returns when the process asked PD in vain for the last time where a store is, 0 if it never did.
func (c *Client) Vain(id ports.StoreID) ports.Instant { return c.vain[id] }

// Locating reports whether the process has asked PD for regions, and has no answer yet.
func (c *Client) Locating() bool {
	return slices.ContainsFunc(c.asked, func(q *question) bool {
		return q.placement && q.query.Kind != ports.QueryStore && q.query.Kind != ports.QueryStores
	})
}

// Pending returns how many calls and questions of the process have no answer yet.
func (c *Client) Pending() int {
	n := len(c.asked)
	for _, l := range c.links {
		n += len(l.calls)
	}
	return n
}
