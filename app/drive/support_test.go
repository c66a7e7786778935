package drive

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pass lets virtual time pass. It is called inside synctest's bubbles only, whose clock
// moves on at once when everybody waits: no test of this package waits in real time.
func pass(d time.Duration) { time.Sleep(d) }

// clock is a host's clock on the runtime's timers, which a synctest bubble fakes.
type clock struct{ origin time.Time }

func (c *clock) Now() ports.Instant { return ports.Instant(time.Since(c.origin)) + 1 }

func (c *clock) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {
	time.AfterFunc(at.Sub(c.Now()), func() {
		sink.Post(ports.Event{Kind: ports.EventTimer, Tok: tok, Now: c.Now()})
	})
}

// request is what the fake network was given.
type request struct {
	tok  ports.Tok
	sink ports.Sink
}

func (r request) reply() {
	r.sink.Post(ports.Event{Kind: ports.EventReply, Tok: r.tok, Reply: &ports.RawGetReply{Value: []byte("v")}})
}

// fake is network, oracle and placement. One store serves one region that holds
// every key, unless a test says otherwise.
type fake struct {
	ports.Timers
	// submit, when set, is given each request; otherwise it waits for take.
	submit func(request)

	mu      sync.Mutex
	held    []request
	sink    ports.Sink
	ts      ports.Timestamp
	queries int
	probes  int
	forgot  []ports.Endpoint
}

func (f *fake) Submit(_ ports.Endpoint, _ *ports.Header, _ ports.Request, _ ports.Instant, tok ports.Tok,
	sink ports.Sink) {
	r := request{tok, sink}
	if f.submit != nil {
		f.submit(r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = append(f.held, r)
}

// take returns what was submitted since the last call.
func (f *fake) take() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := f.held
	f.held = nil
	return held
}

func (f *fake) Probe(_ ports.Endpoint, _ ports.Instant, tok ports.Tok, sink ports.Sink) {
	f.count(&f.probes)
	sink.Post(ports.Event{Kind: ports.EventProbed, Tok: tok})
}

func (f *fake) Watch(sink ports.Sink) { f.sink = sink }

func (f *fake) Forget(to ports.Endpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgot = append(f.forgot, to)
}

func (f *fake) Timestamp(_ ports.Instant, tok ports.Tok, sink ports.Sink) {
	f.mu.Lock()
	f.ts += 1 << ports.LogicalBits
	ts := f.ts
	f.mu.Unlock()
	sink.Post(ports.Event{Kind: ports.EventTimestamp, Tok: tok, TS: ts})
}

func (f *fake) Ask(q *ports.Query, _ ports.Instant, tok ports.Tok, sink ports.Sink) {
	f.count(&f.queries)
	ev := ports.Event{Kind: ports.EventPlaced, Tok: tok}
	if q.Kind == ports.QueryStore {
		ev.Stores = []ports.Store{{ID: q.Store, Address: "store"}}
	} else {
		ev.Regions = []ports.Region{{
			RegionVersion: ports.RegionVersion{ID: 2, Epoch: ports.Epoch{ConfVer: 1, Version: 1}},
			Peers:         []ports.Peer{{ID: 3, Store: 1}}, Leader: 3,
		}}
	}
	sink.Post(ev)
}

func (f *fake) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
}

func (f *fake) get(n *int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *n
}

// start opens a driver on fake ports, which the test closes.
func start(change func(*Config)) (*Driver, *fake) {
	f := &fake{Timers: &clock{time.Now()}}
	cfg := Config{Network: f, Oracle: f, Placement: f, Timers: f, Knobs: sm.DefaultKnobs(), Seed: 1, LetPanic: true}
	if change != nil {
		change(&cfg)
	}
	return New(cfg), f
}

// finish closes a driver that has nothing left to do.
func finish(t *testing.T, d *Driver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, d.Close(ctx))
}

// toy is a machine that sends want requests at once, answers after answerAt replies
// and is done after all of them. A cancel before the answer answers and ends it.
type toy struct {
	want, answerAt int

	seen      []ports.EventKind
	instants  []ports.Instant
	gens      []uint32
	replies   int
	cancelled bool
	header    ports.Header
	request   ports.RawGetRequest
}

func (m *toy) init(want, answerAt int) { *m = toy{want: want, answerAt: answerAt} }

func (m *toy) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("toy", "any", ev.Kind)
	m.seen, m.instants = append(m.seen, ev.Kind), append(m.instants, ev.Now)
	i := slices.Index(m.gens, ev.Tok.Gen)
	switch {
	case ev.Kind == ports.EventStart:
		for range m.want {
			tok := env.Token()
			m.gens = append(m.gens, tok.Gen)
			out.Send(tok, ports.Endpoint{Store: 1}, &m.header, &m.request, ports.Never)
		}
	case ev.Kind == ports.EventCancel && m.replies < m.answerAt:
		m.cancelled = true
		out.Answer()
	case ev.Tok.Gen != 0 && i >= 0:
		m.gens[i] = 0
		m.replies++
		if m.replies == m.answerAt {
			out.Answer()
		}
	}
}

func (m *toy) Done() bool { return m.cancelled || m.replies == m.want }

func (m *toy) Fingerprint(*sm.Hash) {}

func (m *toy) String() string { return "toy" }

func (m *toy) Committing() bool { return m.replies > 0 }

// Forget keeps everything, for tests that look at it afterwards.
func (m *toy) Forget() {}

func toys(d *Driver) *Pool[toy] { return NewPool[toy](d, key.Codec{}) }
