package txn

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// TestOutcomeIsTrue runs commits against a store that loses, delays and refuses as
// it likes, and compares what the caller was told with what the store holds after
// everything that was under way has arrived.
func TestOutcomeIsTrue(t *testing.T) {
	told := map[OutcomeKind]int{}
	for range 10 {
		rapid.Check(t, func(t *rapid.T) { oneCommit(t, told) })
	}
	for kind := Unknown; kind <= Aborted; kind++ {
		if told[kind] == 0 {
			t.Errorf("nobody was told outcome %d: the test shows nothing about it", kind)
		}
	}
}

func oneCommit(t *rapid.T, told map[OutcomeKind]int) {
	w := newToy(drawParams(t))
	drawForeign(t, w)
	w.deaf = rapid.IntRange(0, 7).Draw(t, "deaf") == 0
	w.feed(ports.Event{Kind: ports.EventStart})
	cancelled := false
	for range rapid.IntRange(0, 40).Draw(t, "steps") {
		if w.c.Done() {
			break
		}
		disturb(t, w, &cancelled)
	}
	if !w.settle() {
		t.Fatalf("not done: %s, %d pending", w.c, len(w.pending))
	}
	if own := w.own(); own > 0 && w.c.Outcome().Kind != Unknown && w.c.Trouble() == nil && len(w.late) == 0 {
		t.Fatalf("%d locks were left behind", own)
	}
	for i := range w.pending {
		if w.pending[i].kind == sm.EffectSend {
			w.late = append(w.late, w.pending[i])
		}
	}
	for i := range w.late {
		w.deliver(&w.late[i])
	}
	w.resolve()
	told[w.c.Outcome().Kind]++
	verify(t, w)
}

func drawParams(t *rapid.T) Params {
	var b buffer.Buffer
	for i := range rapid.IntRange(1, 5).Draw(t, "keys") {
		k := []byte(fmt.Sprint(string(rune('a'+rapid.IntRange(0, 7).Draw(t, "key"))), i))
		switch rapid.IntRange(0, 3).Draw(t, "verb") {
		case 0, 1:
			b.Put(k, []byte("v"))
		case 2:
			b.Insert(k, []byte("v"))
		case 3:
			b.Delete(k)
		}
	}
	p := params(b.View())
	p.Deadline = began.Add(time.Duration(rapid.IntRange(1, 8).Draw(t, "seconds")) * time.Second)
	return p
}

// drawForeign leaves a lock or a record of somebody else on the way, sometimes.
func drawForeign(t *rapid.T, w *toy) {
	k := string(w.c.writes.keys[len(w.c.writes.keys)-1])
	switch rapid.IntRange(0, 5).Draw(t, "foreign") {
	case 0: // dead
		w.locks[k] = toyLock{start: ms(500), ttl: 100, primary: "p"}
	case 1: // alive for a while
		w.locks[k] = toyLock{start: ms(900), ttl: 1000, primary: "p"}
		w.locks["p"] = w.locks[k]
	case 2: // committed, but not on this key yet
		w.locks[k] = toyLock{start: ms(900), ttl: 1000, primary: "p"}
		w.finish("p", ms(900), ms(950))
	case 3: // a version that this transaction did not see
		w.finish(k, ms(1001), ms(1002))
	default:
	}
}

// disturb lets one thing happen, good or bad.
func disturb(t *rapid.T, w *toy, cancelled *bool) {
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0:
		w.now = w.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
	case 1:
		w.split(string(rune('a' + rapid.IntRange(1, 7).Draw(t, "at"))))
	case 2:
		w.push()
	case 3:
		w.kill()
	case 4:
		if n := len(w.late); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(t, "late")
			w.deliver(&w.late[i])
			w.late = append(w.late[:i], w.late[i+1:]...)
		}
	case 5:
		if !*cancelled && rapid.IntRange(0, 3).Draw(t, "cancel") == 0 {
			*cancelled = true
			w.inDoubt = w.inDoubt || w.c.Committing()
			w.feed(ports.Event{Kind: ports.EventCancel})
		}
	default:
		if n := len(w.pending); n > 0 {
			respond(t, w, rapid.IntRange(0, n-1).Draw(t, "pending"))
		}
	}
}

// respond decides what becomes of a pending effect.
func respond(t *rapid.T, w *toy, i int) {
	p := w.pending[i]
	if p.kind != sm.EffectSend {
		if p.kind == sm.EffectTimestamp && rapid.IntRange(0, 9).Draw(t, "refused") == 9 {
			w.remove(i)
			w.feed(ports.Event{Kind: ports.EventRefused, Tok: p.tok, Cause: ports.Cause{Kind: ports.CauseConnection}})
			return
		}
		w.answer(i)
		return
	}
	lost := ports.Event{Kind: ports.EventLost, Tok: p.tok, Cause: ports.Cause{Kind: ports.CauseConnection}}
	switch rapid.IntRange(0, 10).Draw(t, "fault") {
	case 10: // TiKV is not well for a moment
		if p.decides() {
			w.remove(i)
			abort := &ports.KeyError{Kind: ports.KeyAbort}
			w.feed(ports.Event{Kind: ports.EventReply, Tok: p.tok, Reply: &ports.CommitReply{Err: abort}})
			return
		}
		w.answer(i)
	case 0: // the request is lost
		w.inDoubt = w.inDoubt || p.decides()
		w.remove(i)
		w.feed(lost)
	case 1: // the reply is lost
		w.inDoubt = w.inDoubt || p.decides()
		w.remove(i)
		w.deliver(&p)
		w.feed(lost)
	case 2: // the request comes late
		w.inDoubt = w.inDoubt || p.decides()
		w.remove(i)
		w.late = append(w.late, p)
		w.feed(lost)
	case 3:
		w.remove(i)
		w.feed(ports.Event{Kind: ports.EventUnsent, Tok: p.tok, Cause: ports.Cause{Kind: ports.CauseConnection}})
	case 4:
		w.remove(i)
		w.feedFault(p.tok, ports.FaultMaxTimestampNotSynced)
	case 5: // the proposal was dropped from the books, and is applied later
		w.inDoubt = w.inDoubt || p.decides()
		w.remove(i)
		w.late = append(w.late, p)
		w.feedFault(p.tok, ports.FaultStaleCommand)
	case 6:
		w.inDoubt = w.inDoubt || p.decides()
		w.remove(i)
		w.deliver(&p)
		w.feedFault(p.tok, ports.FaultUndeterminedResult)
	default:
		w.answer(i)
	}
}

func (w *toy) feedFault(tok ports.Tok, kind ports.FaultKind) {
	f := &ports.RegionFault{Kind: kind}
	w.feed(ports.Event{
		Kind: ports.EventReply, Tok: tok, Reply: &ports.CommitReply{ReplyHeader: ports.ReplyHeader{Fault: f}},
	})
}

// verify compares what was told with what is.
func verify(t *rapid.T, w *toy) {
	o, start := w.c.Outcome(), w.c.terms.start
	if w.broken != "" {
		t.Fatal(w.broken)
	}
	if w.answers != 1 || !w.c.Answered() {
		t.Fatalf("answered %d times", w.answers)
	}
	committed, at := 0, ports.Timestamp(0)
	for _, k := range w.c.writes.locked {
		if ts, ok := w.commits[string(k)][start]; ok {
			if committed > 0 && ts != at {
				t.Fatalf("committed at %d and at %d", at, ts)
			}
			committed, at = committed+1, ts
		}
	}
	if committed != 0 && committed != len(w.c.writes.locked) {
		t.Fatalf("%d of %d keys are committed", committed, len(w.c.writes.locked))
	}
	switch o.Kind {
	case Committed:
		if o.CommitTS != at {
			t.Fatalf("told committed at %d, is %d", o.CommitTS, at)
		}
	case Aborted:
		if committed > 0 {
			t.Fatalf("told aborted (%s), is committed", failureText(&o.Failure))
		}
	case Unknown:
		if !w.inDoubt {
			t.Fatalf("told unknown (%s), though no request that decides was lost", failureText(&o.Failure))
		}
	}
	if o.Kind != Committed && !o.Failure.Failed() {
		t.Fatal("no reason given")
	}
}
