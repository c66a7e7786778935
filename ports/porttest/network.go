package porttest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tikvx/tikvx/ports"
)

var networkContract = []clause[*NetworkRig]{
	{"a reply answers a request", serves},
	{"every request has one answer", oneAnswerEach},
	{"requests come from many goroutines", manySubmitters},
	{"a sink may submit", submitWithinPost},
	{"nothing of a request is kept", nothingKept},
	{"a reply stands until it is released", repliesStand},
	{"a request that is never answered is lost at its deadline", lostAtDeadline},
	{"a deadline that has passed", deadlinePassed},
	{"a store that hangs is given up", hungGivenUp},
	{"a request that cannot be sent is unsent", unsentNowhere},
	{"a store that serves is alive", probeAlive},
	{"a store that does not listen is not alive", probeNowhere},
	{"a store that hangs is not alive", probeHung},
	{"forgotten connections answer, and are made anew", forget},
	{"close answers everything", closeAnswers},
}

func (r *NetworkRig) put(key, value string, deadline time.Duration, tok ports.Tok, sink ports.Sink) {
	req := &ports.RawPutRequest{Key: []byte("porttest/" + key), Value: []byte(value)}
	r.Network.Submit(r.Endpoint, &r.Header, req, r.Clock.Now().Add(deadline), tok, sink)
}

func (r *NetworkRig) get(key string, deadline time.Duration, tok ports.Tok, sink ports.Sink) {
	req := &ports.RawGetRequest{Key: []byte("porttest/" + key)}
	r.Network.Submit(r.Endpoint, &r.Header, req, r.Clock.Now().Add(deadline), tok, sink)
}

// value expects a reply to a get and returns the value, "" when there is none.
func value(t *testing.T, ev ports.Event) string {
	t.Helper()
	reply, ok := ev.Reply.(*ports.RawGetReply)
	if ev.Kind != ports.EventReply || !ok || reply.Fault != nil || reply.Text != "" {
		t.Fatalf("not a value but %s %T", kinds([]ports.Event{ev}), ev.Reply)
	}
	if reply.NotFound {
		return ""
	}
	return string(reply.Value)
}

// written expects a reply to a put.
func written(t *testing.T, ev ports.Event) {
	t.Helper()
	reply, ok := ev.Reply.(*ports.RawWriteReply)
	if ev.Kind != ports.EventReply || !ok || reply.Fault != nil || reply.Text != "" {
		t.Fatalf("not written but %s %T", kinds([]ports.Event{ev}), ev.Reply)
	}
	if reply.Verb() != ports.VerbRawPut {
		t.Fatalf("a put was answered as verb %d", reply.Verb())
	}
}

// unanswered expects Lost or Unsent, with a reason and in time.
func unanswered(t *testing.T, ev ports.Event, kind ports.EventKind, deadline ports.Instant) {
	t.Helper()
	if ev.Kind != kind || ev.Cause.Kind == ports.CauseNone || ev.Cause.Text == "" {
		t.Fatalf("got %s with cause %d", kinds([]ports.Event{ev}), ev.Cause.Kind)
	}
	if late := ev.Now.Sub(deadline); late > time.Second {
		t.Fatalf("answered %s after the deadline", late)
	}
}

func serves(t *testing.T, r *NetworkRig) {
	before := r.Clock.Now()
	box := newInbox(t, r.Host)
	r.put("a", "1", long, tok(1), box)
	written(t, box.awaitTok(tok(1)))
	r.get("a", long, tok(2), box)
	ev := box.awaitTok(tok(2))
	if got := value(t, ev); got != "1" {
		t.Fatalf("read %q", got)
	}
	r.get("absent", long, tok(3), box)
	if got := value(t, box.awaitTok(tok(3))); got != "" {
		t.Fatalf("read %q", got)
	}
	if ev.Now < before || ev.Now > r.Clock.Now() {
		t.Fatalf("answered at %d, between %d and %d", ev.Now, before, r.Clock.Now())
	}
}

func oneAnswerEach(t *testing.T, r *NetworkRig) {
	const n = 300
	box := newInbox(t, r.Host)
	for i := range n {
		r.put(fmt.Sprint(i), fmt.Sprint("value ", i), long, tok(i), box)
	}
	for i := range n {
		written(t, box.awaitTok(tok(i)))
	}
	for i := range n {
		r.get(fmt.Sprint(i), long, tok(n+i), box)
	}
	for i := range n {
		if got := value(t, box.awaitTok(tok(n+i))); got != fmt.Sprint("value ", i) {
			t.Fatalf("key %d holds %q", i, got)
		}
	}
	if got := len(box.all()); got != 2*n {
		t.Fatalf("%d answers to %d requests", got, 2*n)
	}
}

func manySubmitters(t *testing.T, r *NetworkRig) {
	if r.Step != nil {
		t.Log("this host has one goroutine")
	}
	const workers, each = 8, 50
	box := newInbox(t, r.Host)
	var done sync.WaitGroup
	for w := range workers {
		submit := func() {
			for i := range each {
				n := w*each + i
				r.put(fmt.Sprint(n), fmt.Sprint(n), long, tok(n), box)
			}
		}
		if r.Step != nil {
			submit()
			continue
		}
		done.Go(submit)
	}
	done.Wait()
	box.await(workers * each)
	for n := range workers * each {
		written(t, box.awaitTok(tok(n)))
	}
}

func submitWithinPost(t *testing.T, r *NetworkRig) {
	const n = 50
	box := newInbox(t, r.Host)
	box.then = func(ev ports.Event) {
		if next := int(ev.Tok.Gen) + 1; next < n {
			r.put("chain", fmt.Sprint(next), long, tok(next), box)
		}
	}
	r.put("chain", "0", long, tok(0), box)
	for i := range n {
		written(t, box.awaitTok(tok(i)))
	}
}

func nothingKept(t *testing.T, r *NetworkRig) {
	box := newInbox(t, r.Host)
	key, val := []byte("porttest/kept"), bytes.Repeat([]byte("v"), 1000)
	hdr := r.Header
	hdr.RequestSource = "porttest"
	req := &ports.RawPutRequest{Key: key, Value: val}
	r.Network.Submit(r.Endpoint, &hdr, req, r.Clock.Now().Add(long), tok(1), box)
	for i := range val {
		val[i] = 'x'
	}
	copy(key, "garbage!/")
	*req = ports.RawPutRequest{Key: []byte("other")}
	hdr = ports.Header{}
	written(t, box.awaitTok(tok(1)))
	r.get("kept", long, tok(2), box)
	if got := value(t, box.awaitTok(tok(2))); got != string(bytes.Repeat([]byte("v"), 1000)) {
		t.Fatalf("the store got %q", got)
	}
}

func repliesStand(t *testing.T, r *NetworkRig) {
	const n = 64
	box := newInbox(t, r.Host)
	for i := range n {
		r.put(fmt.Sprint(i), fmt.Sprint("standing ", i), long, tok(i), box)
		written(t, box.awaitTok(tok(i)))
	}
	held := newInbox(t, r.Host)
	held.holds = true
	for round := range 3 {
		for i := range n {
			r.get(fmt.Sprint(i), long, tok(round*n+i), held)
		}
		held.await((round + 1) * n)
	}
	for _, ev := range held.all() {
		if got, want := value(t, ev), fmt.Sprint("standing ", int(ev.Tok.Gen)%n); got != want {
			t.Fatalf("a reply that was lent turned from %q into %q", want, got)
		}
	}
	for _, ev := range held.all() {
		if ev.Lease != nil {
			ev.Lease.Release()
		}
	}
}

func lostAtDeadline(t *testing.T, r *NetworkRig) {
	box := newInbox(t, r.Host)
	r.get("warm", long, tok(1), box)
	box.awaitTok(tok(1))
	r.Hang()
	deadline := r.Clock.Now().Add(short)
	r.put("late", "1", short, tok(2), box)
	ev := box.awaitTok(tok(2))
	unanswered(t, ev, ports.EventLost, deadline)
	if ev.Cause.Kind != ports.CauseTimeout && ev.Cause.Kind != ports.CauseHung {
		t.Fatalf("lost because of %d", ev.Cause.Kind)
	}
	if ev.Cause.Kind == ports.CauseTimeout && ev.Now < deadline {
		t.Fatalf("timed out %s before the deadline", deadline.Sub(ev.Now))
	}
	r.Continue()
	// The store answers in order: whatever it still says about the lost request comes before this answer.
	serveAgain(t, r, box, 10)
	if got := len(box.answers(tok(2))); got != 1 {
		t.Fatalf("%d answers to the lost request", got)
	}
}

// serveAgain expects that the store can be reached again before long.
func serveAgain(t *testing.T, r *NetworkRig, box *inbox, from int) {
	t.Helper()
	end := r.Clock.Now().Add(patience)
	for n := from; r.Clock.Now() < end; n++ {
		r.get("warm", 5*time.Second, tok(n), box)
		if ev := box.awaitTok(tok(n)); ev.Kind == ports.EventReply {
			return
		}
		pause(t, r.Host, 20*time.Millisecond)
	}
	t.Fatal("the store is not reached any more")
}

// pause lets time pass on the host's clock.
func pause(t *testing.T, host Host, d time.Duration) {
	box := newInbox(t, host)
	host.Clock.Arm(host.Clock.Now().Add(d), tok(0), box)
	box.awaitTok(tok(0))
}

func deadlinePassed(t *testing.T, r *NetworkRig) {
	box := newInbox(t, r.Host)
	r.get("warm", long, tok(1), box)
	box.awaitTok(tok(1))
	r.Hang()
	r.put("passed", "1", -time.Millisecond, tok(2), box)
	ev := box.awaitTok(tok(2))
	if ev.Kind != ports.EventLost && ev.Kind != ports.EventUnsent {
		t.Fatalf("got %s", kinds([]ports.Event{ev}))
	}
	unanswered(t, ev, ev.Kind, r.Clock.Now())
	r.Continue()
}

// hungGivenUp: requests to a hung store do not wait for their deadlines, neither those that it has taken nor new ones.
func hungGivenUp(t *testing.T, r *NetworkRig) {
	const n = 3
	box := newInbox(t, r.Host)
	r.get("warm", long, tok(0), box)
	box.awaitTok(tok(0))
	r.Hang()
	for round := range 2 {
		limit := r.Clock.Now().Add(2*ports.SilenceLimit + ports.SilenceLimit/2)
		for i := range n {
			r.put("hung", "1", long, tok(1+round*n+i), box)
		}
		for i := range n {
			ev := box.awaitTok(tok(1 + round*n + i))
			if ev.Kind != ports.EventLost && ev.Kind != ports.EventUnsent || ev.Now > limit {
				t.Fatalf("got %s %s after the limit", kinds([]ports.Event{ev}), ev.Now.Sub(limit))
			}
			if round == 0 && (ev.Kind != ports.EventLost || ev.Cause.Kind != ports.CauseHung) {
				t.Fatalf("got %s with cause %d", kinds([]ports.Event{ev}), ev.Cause.Kind)
			}
		}
	}
	r.Continue()
	serveAgain(t, r, box, 100)
	for n := range 2 * n {
		if got := len(box.answers(tok(1 + n))); got != 1 {
			t.Fatalf("%d answers to a request that was given up", got)
		}
	}
}

func unsentNowhere(t *testing.T, r *NetworkRig) {
	box := newInbox(t, r.Host)
	deadline := r.Clock.Now().Add(10 * time.Second)
	for i := range 10 {
		req := &ports.RawPutRequest{Key: []byte("porttest/nowhere"), Value: []byte("1")}
		r.Network.Submit(r.Nowhere, &r.Header, req, deadline, tok(i), box)
	}
	for i := range 10 {
		unanswered(t, box.awaitTok(tok(i)), ports.EventUnsent, deadline)
	}
}

func (r *NetworkRig) probe(to ports.Endpoint, d time.Duration, tok ports.Tok, box *inbox) ports.Event {
	box.t.Helper()
	deadline := r.Clock.Now().Add(d)
	r.Network.Probe(to, deadline, tok, box)
	ev := box.awaitTok(tok)
	if ev.Kind != ports.EventProbed {
		box.t.Fatalf("a probe was answered by %s", kinds([]ports.Event{ev}))
	}
	if late := ev.Now.Sub(deadline); late > time.Second {
		box.t.Fatalf("probed %s after the deadline", late)
	}
	return ev
}

func probeAlive(t *testing.T, r *NetworkRig) {
	box := newInbox(t, r.Host)
	for i := range 3 {
		if ev := r.probe(r.Endpoint, 5*time.Second, tok(i), box); ev.Cause.Kind != ports.CauseNone {
			t.Fatalf("not alive: %s", ev.Cause.Text)
		}
	}
}

func probeNowhere(t *testing.T, r *NetworkRig) {
	if ev := r.probe(r.Nowhere, time.Second, tok(1), newInbox(t, r.Host)); ev.Cause.Kind == ports.CauseNone {
		t.Fatal("alive")
	}
}

func probeHung(t *testing.T, r *NetworkRig) {
	box := newInbox(t, r.Host)
	r.Hang()
	if ev := r.probe(r.Endpoint, short, tok(1), box); ev.Cause.Kind == ports.CauseNone {
		t.Fatal("alive")
	}
	r.Continue()
	if ev := r.probe(r.Endpoint, 5*time.Second, tok(2), box); ev.Cause.Kind != ports.CauseNone {
		t.Fatalf("not alive: %s", ev.Cause.Text)
	}
}

func forget(t *testing.T, r *NetworkRig) {
	box := newInbox(t, r.Host)
	r.Network.Forget(r.Nowhere)
	r.get("warm", long, tok(1), box)
	box.awaitTok(tok(1))
	r.Hang()
	deadline := r.Clock.Now().Add(10 * time.Second)
	r.put("forgotten", "1", 10*time.Second, tok(2), box)
	r.Network.Forget(r.Endpoint)
	ev := box.awaitTok(tok(2))
	if ev.Kind != ports.EventLost && ev.Kind != ports.EventUnsent {
		t.Fatalf("got %s", kinds([]ports.Event{ev}))
	}
	unanswered(t, ev, ev.Kind, deadline)
	r.Continue()
	serveAgain(t, r, box, 10)
	if got := len(box.answers(tok(2))); got != 1 {
		t.Fatalf("%d answers to the request on the forgotten connection", got)
	}
}

func closeAnswers(t *testing.T, r *NetworkRig) {
	if r.Close == nil {
		t.Log("this adapter has no end of its own")
		return
	}
	const n = 20
	box := newInbox(t, r.Host)
	r.get("warm", long, tok(0), box)
	box.awaitTok(tok(0))
	r.Hang()
	for i := range n {
		r.put("closed", "1", long, tok(1+i), box)
	}
	r.Network.Probe(r.Endpoint, r.Clock.Now().Add(long), tok(100), box)
	r.Close()
	for i := range n {
		ev := box.awaitTok(tok(1 + i))
		if ev.Kind != ports.EventLost && ev.Kind != ports.EventUnsent || ev.Cause.Kind != ports.CauseClosed {
			t.Fatalf("got %s with cause %d", kinds([]ports.Event{ev}), ev.Cause.Kind)
		}
	}
	if ev := box.awaitTok(tok(100)); ev.Kind != ports.EventProbed || ev.Cause.Kind == ports.CauseNone {
		t.Fatalf("the probe: %s", kinds([]ports.Event{ev}))
	}
	r.put("after", "1", long, tok(101), box)
	if ev := box.awaitTok(tok(101)); ev.Kind != ports.EventUnsent || ev.Cause.Kind != ports.CauseClosed {
		t.Fatalf("after close: %s", kinds([]ports.Event{ev}))
	}
	r.Network.Probe(r.Endpoint, r.Clock.Now().Add(long), tok(102), box)
	if ev := box.awaitTok(tok(102)); ev.Kind != ports.EventProbed || ev.Cause.Kind != ports.CauseClosed {
		t.Fatalf("after close: %s", kinds([]ports.Event{ev}))
	}
	r.Continue()
	if got := len(box.all()); got != n+4 {
		t.Fatalf("%d answers to %d questions", got, n+4)
	}
}
