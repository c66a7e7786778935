package app

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// fate is what a cluster does with one request.
type fate uint8

const (
	served fate = iota
	// requestLost: the request never arrives; replyLost: it is served, but its answer
	// is lost; unsent: it was never handed to the wire.
	requestLost
	replyLost
	unsent
	// hung: no answer comes before the request's deadline.
	hung
	// busy: the store answers ServerIsBusy.
	busy
)

// latency is how long every answer takes. Tests run in synctest's bubbles, whose time
// passes at once.
const latency = time.Millisecond

// cluster is a TiKV cluster of one store with one region, and its PD: as little as the
// client needs, with a lever for everything that can happen to a request.
type cluster struct {
	mu    sync.Mutex
	epoch time.Time
	store
	logical int64
	// sent lists the verbs of all requests in the order in which they were sent.
	sent []ports.Verb
	// headers are those of the requests in sent.
	headers []ports.Header
	// fates decides what happens to a request; nil serves all.
	fates func(ports.Request) fate
	// silent: PD answers nothing.
	silent bool
	closed bool
}

func newCluster() *cluster { return &cluster{epoch: time.Now(), store: newStore()} }

// open returns a client of the cluster that the test closes.
func (c *cluster) open(t *testing.T, opts ...ClientOption) *Client {
	t.Helper()
	db, err := New(c.ports(), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
	return db
}

func (c *cluster) ports() Ports {
	return Ports{Network: c, Oracle: c, Placement: c, Timers: c, Close: func() { c.closed = true }}
}

// count returns how many requests of the given verbs were sent, of all if none is
// given.
func (c *cluster) count(verbs ...ports.Verb) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, v := range c.sent {
		if len(verbs) == 0 || slices.Contains(verbs, v) {
			n++
		}
	}
	return n
}

// silence makes PD answer nothing, or answer again.
func (c *cluster) silence(silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent = silent
}

// all sets the fate of all requests.
func (c *cluster) all(f fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fates = func(ports.Request) fate { return f }
}

// on sets the fate of all requests of one verb.
func (c *cluster) on(verb ports.Verb, f fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fates = func(r ports.Request) fate {
		if r.Verb() == verb {
			return f
		}
		return served
	}
}

func (c *cluster) Now() ports.Instant { return ports.Instant(time.Since(c.epoch)) + 1 }

func (c *cluster) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.later(at.Sub(c.Now()), sink, ports.Event{Kind: ports.EventTimer, Tok: tok})
}

func (c *cluster) later(after time.Duration, sink ports.Sink, ev ports.Event) {
	time.AfterFunc(after, func() { sink.Post(ev) })
}

func (c *cluster) Timestamp(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent {
		c.later(deadline.Sub(c.Now()), sink, ports.Event{
			Kind: ports.EventRefused, Tok: tok, Cause: ports.Cause{Kind: ports.CauseTimeout},
		})
		return
	}
	c.later(latency, sink, ports.Event{Kind: ports.EventTimestamp, Tok: tok, TS: c.timestamp()})
}

// timestamp allocates a timestamp. The caller holds mu.
func (c *cluster) timestamp() ports.Timestamp {
	c.logical++
	return ports.ComposeTimestamp(time.Now().UnixMilli(), c.logical)
}

func (c *cluster) Ask(q *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent {
		c.later(deadline.Sub(c.Now()), sink, ports.Event{
			Kind: ports.EventRefused, Tok: tok, Cause: ports.Cause{Kind: ports.CauseTimeout},
		})
		return
	}
	ev := ports.Event{Kind: ports.EventPlaced, Tok: tok}
	switch q.Kind {
	case ports.QueryRegion, ports.QueryRegionByEnd, ports.QueryRegions:
		ev.Regions = []ports.Region{{
			RegionVersion: ports.RegionVersion{ID: 1, Epoch: ports.Epoch{ConfVer: 1, Version: 1}},
			Peers:         []ports.Peer{{ID: 2, Store: 3}}, Leader: 2,
		}}
	case ports.QueryStore, ports.QueryStores:
		ev.Stores = []ports.Store{{ID: 3, Address: "store3"}}
	}
	c.later(latency, sink, ev)
}

func (c *cluster) Submit(_ ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant,
	tok ports.Tok, sink ports.Sink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent, c.headers = append(c.sent, req.Verb()), append(c.headers, *hdr)
	f := served
	if c.fates != nil {
		f = c.fates(req)
	}
	reply := ports.Event{Kind: ports.EventReply, Tok: tok}
	lost := ports.Event{Kind: ports.EventLost, Tok: tok, Cause: ports.Cause{Kind: ports.CauseConnection, Text: "reset"}}
	switch f {
	case served:
		reply.Reply = c.serve(req)
		c.later(latency, sink, reply)
	case busy:
		fault := &ports.RegionFault{Kind: ports.FaultServerIsBusy}
		reply.Reply = &ports.GetReply{ReplyHeader: ports.ReplyHeader{Fault: fault}}
		c.later(latency, sink, reply)
	case replyLost:
		c.serve(req)
		c.later(latency, sink, lost)
	case requestLost:
		c.later(latency, sink, lost)
	case unsent:
		lost.Kind = ports.EventUnsent
		c.later(latency, sink, lost)
	case hung:
		lost.Cause = ports.Cause{Kind: ports.CauseTimeout}
		c.later(deadline.Sub(c.Now()), sink, lost)
	}
}

func (c *cluster) Probe(_ ports.Endpoint, _ ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.later(latency, sink, ports.Event{Kind: ports.EventProbed, Tok: tok})
}

func (c *cluster) Watch(ports.Sink) {}

func (c *cluster) Forget(ports.Endpoint) {}

// b makes keys and values readable.
func b(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }
