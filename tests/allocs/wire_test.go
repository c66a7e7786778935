package allocs

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
)

// wire is a cluster that answers everything at once and allocates nothing once it
// is warm: every get finds the same value, every write succeeds.
type wire struct {
	// regions is the number of regions; region i holds the keys that begin with the
	// byte i, the last one all others.
	regions int

	mu      sync.Mutex
	free    []*answer
	regionN []ports.Region
	ts      ports.Timestamp
	sent    int
}

// answer is the memory of one reply; it is lent with the reply's event.
type answer struct {
	wire     *wire
	get      ports.GetReply
	batch    ports.BatchGetReply
	prewrite ports.PrewriteReply
	commit   ports.CommitReply
	rawGet   ports.RawGetReply
	rawWrite ports.RawWriteReply
}

// Release implements [ports.Lease].
func (a *answer) Release() {
	a.wire.mu.Lock()
	defer a.wire.mu.Unlock()
	a.wire.free = append(a.wire.free, a)
}

var value = "0123456789abcdef"

func (w *wire) answer() *answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	if last := len(w.free) - 1; last >= 0 {
		a := w.free[last]
		w.free = w.free[:last]
		return a
	}
	a := &answer{wire: w}
	a.get.Value, a.rawGet.Value = []byte(value), []byte(value)
	return a
}

func (w *wire) Submit(_ ports.Endpoint, _ *ports.Header, req ports.Request, _ ports.Instant, tok ports.Tok,
	sink ports.Sink) {
	a := w.answer()
	ev := ports.Event{Kind: ports.EventReply, Tok: tok, Lease: a}
	switch req := req.(type) {
	case *ports.GetRequest:
		ev.Reply = &a.get
	case *ports.BatchGetRequest:
		a.batch.Pairs = a.batch.Pairs[:0]
		for _, k := range req.Keys {
			a.batch.Pairs = append(a.batch.Pairs, ports.Pair{Key: k, Value: a.get.Value})
		}
		ev.Reply = &a.batch
	case *ports.PrewriteRequest:
		ev.Reply = &a.prewrite
	case *ports.CommitRequest:
		a.commit.CommitTS = req.CommitTS
		ev.Reply = &a.commit
	case *ports.RawGetRequest:
		ev.Reply = &a.rawGet
	case *ports.RawPutRequest:
		a.rawWrite.Of = ports.VerbRawPut
		ev.Reply = &a.rawWrite
	}
	sink.Post(ev)
}

func (w *wire) Probe(_ ports.Endpoint, _ ports.Instant, tok ports.Tok, sink ports.Sink) {
	sink.Post(ports.Event{Kind: ports.EventProbed, Tok: tok})
}

func (w *wire) Watch(ports.Sink) {}

func (w *wire) Forget(ports.Endpoint) {}

// Now implements [ports.Timers]: time stands still, and no timer fires.
func (w *wire) Now() ports.Instant { return 1 }

func (w *wire) Arm(ports.Instant, ports.Tok, ports.Sink) {}

func (w *wire) Timestamp(_ ports.Instant, tok ports.Tok, sink ports.Sink) {
	w.mu.Lock()
	w.ts += 1 << ports.LogicalBits
	ts := w.ts
	w.mu.Unlock()
	sink.Post(ports.Event{Kind: ports.EventTimestamp, Tok: tok, TS: ts})
}

func (w *wire) Ask(q *ports.Query, _ ports.Instant, tok ports.Tok, sink ports.Sink) {
	ev := ports.Event{Kind: ports.EventPlaced, Tok: tok}
	if q.Kind == ports.QueryStore {
		ev.Stores = []ports.Store{{ID: q.Store, Address: "store"}}
		sink.Post(ev)
		return
	}
	for _, r := range w.all() {
		if r.Range.Contains(q.Key) || q.Kind == ports.QueryRegions && len(ev.Regions) > 0 {
			ev.Regions = append(ev.Regions, r)
		}
	}
	sink.Post(ev)
}

// all returns the regions in key order.
func (w *wire) all() []ports.Region {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.regionN); i < w.regions; i++ {
		id := uint64(10 * (i + 1))
		r := ports.Region{
			RegionVersion: ports.RegionVersion{ID: ports.RegionID(id), Epoch: ports.Epoch{ConfVer: 1, Version: 1}},
			Peers:         []ports.Peer{{ID: ports.PeerID(id + 1), Store: 1}}, Leader: ports.PeerID(id + 1),
		}
		if i > 0 {
			r.Range.Start = key.AppendMemcomparable(nil, []byte{byte(i)})
		}
		if i < w.regions-1 {
			r.Range.End = key.AppendMemcomparable(nil, []byte{byte(i + 1)})
		}
		w.regionN = append(w.regionN, r)
	}
	return w.regionN
}

// open returns a client on a wire.
func open(t testing.TB, regions int) (*app.Client, *wire) {
	w := &wire{regions: regions}
	c, err := app.New(app.Ports{Network: w, Oracle: w, Placement: w, Timers: w}, app.WithSeed(1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close(t.Context())) })
	return c, w
}
