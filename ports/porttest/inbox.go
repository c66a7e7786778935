package porttest

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// patience is how long the suite waits for a world that moves by itself, and maxSteps for one that it moves.
const (
	patience = 20 * time.Second
	maxSteps = 1_000_000
)

// short is a deadline that a test waits for.
const short = 60 * time.Millisecond

// long is a deadline that no test reaches.
const long = time.Minute

// inbox is a sink that keeps what is posted to it. A reply is given back at once, so what a test wants to see of it
// is copied first, unless the inbox holds its leases.
type inbox struct {
	t    *testing.T
	host Host
	// holds keeps leases until release is called.
	holds bool
	// then, when set, runs within Post, on whatever goroutine posts.
	then func(ports.Event)

	mu     sync.Mutex
	events []ports.Event
	posted chan struct{}
}

func newInbox(t *testing.T, host Host) *inbox {
	return &inbox{t: t, host: host, posted: make(chan struct{}, 1)}
}

// Post implements [ports.Sink].
func (b *inbox) Post(ev ports.Event) {
	if ev.Lease != nil && !b.holds {
		ev.Reply = copyReply(ev.Reply)
		ev.Lease.Release()
		ev.Lease = nil
	}
	if b.then != nil {
		b.then(ev)
	}
	b.mu.Lock()
	b.events = append(b.events, ev)
	b.mu.Unlock()
	select {
	case b.posted <- struct{}{}:
	default:
	}
}

// all returns what was posted so far.
func (b *inbox) all() []ports.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// answers returns what was posted under a token.
func (b *inbox) answers(tok ports.Tok) []ports.Event {
	return slices.DeleteFunc(b.all(), func(ev ports.Event) bool { return ev.Tok != tok })
}

// await waits until n events were posted.
func (b *inbox) await(n int) []ports.Event {
	b.t.Helper()
	b.until(func() bool { return len(b.all()) >= n })
	return b.all()
}

// awaitTok waits for the answer with a token and fails if there is more than one.
func (b *inbox) awaitTok(tok ports.Tok) ports.Event {
	b.t.Helper()
	b.until(func() bool { return len(b.answers(tok)) > 0 })
	got := b.answers(tok)
	if len(got) != 1 {
		b.t.Fatalf("%d answers with the token %v", len(got), tok)
	}
	return got[0]
}

// until lets the world go on until done.
func (b *inbox) until(done func() bool) {
	b.t.Helper()
	if b.host.Step != nil {
		for range maxSteps {
			if done() {
				return
			}
			if !b.host.Step() {
				break
			}
		}
		if !done() {
			b.t.Fatalf("the world has come to rest; so far: %s", kinds(b.all()))
		}
		return
	}
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	for !done() {
		select {
		case <-b.posted:
		case <-giveUp.C:
			b.t.Fatalf("no answer within %s; so far: %s", patience, kinds(b.all()))
		}
	}
}

// kinds lists the kinds of events for a failure's text.
func kinds(events []ports.Event) string {
	names := map[ports.EventKind]string{
		ports.EventReply: "Reply", ports.EventLost: "Lost", ports.EventUnsent: "Unsent", ports.EventTimer: "Timer",
		ports.EventTimestamp: "Timestamp", ports.EventPlaced: "Placed", ports.EventRefused: "Refused",
		ports.EventProbed: "Probed", ports.EventLearn: "Learn",
	}
	var list bytes.Buffer
	for _, ev := range events {
		list.WriteString(names[ev.Kind])
		if ev.Cause.Text != "" {
			list.WriteString(" (" + ev.Cause.Text + ")")
		}
		list.WriteByte(' ')
	}
	return list.String()
}

// copyReply copies what the suite looks at in a reply.
func copyReply(r ports.Reply) ports.Reply {
	switch r := r.(type) {
	case *ports.RawGetReply:
		kept := *r
		kept.Value = bytes.Clone(r.Value)
		return &kept
	case *ports.RawWriteReply:
		kept := *r
		return &kept
	}
	return r
}

func tok(n int) ports.Tok { return ports.Tok{Addr: ports.Addr(n), Gen: uint32(n)} }
