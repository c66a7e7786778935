package lock

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// fate is what a dumb server knows of one transaction.
type fate struct {
	commit  ports.Timestamp // 0: not committed
	alive   bool
	ttl     uint64
	pushed  bool
	primary string
}

// dumbServer answers whatever a resolver asks, and notes which keys it was told to
// remove, and how.
type dumbServer struct {
	fates   map[ports.Timestamp]fate
	present ports.Timestamp
	removed map[string]ports.Timestamp
	learnt  map[ports.Timestamp]ports.Timestamp
}

func (s *dumbServer) reply(e *sm.Effect) ports.Event {
	ev := ports.Event{Tok: e.Tok}
	switch e.Kind {
	case sm.EffectTimestamp:
		ev.Kind, ev.TS = ports.EventTimestamp, s.present
	case sm.EffectArm:
		ev.Kind = ports.EventTimer
	case sm.EffectAsk:
		ev.Kind = ports.EventTell
	case sm.EffectSend:
		ev.Kind = ports.EventReply
		switch req := e.Request.(type) {
		case *ports.CheckTxnStatusRequest:
			ev.Reply = s.status(req)
		case *ports.ResolveLockRequest:
			for _, k := range req.Keys {
				s.removed[fmt.Sprintf("%s@%d", k, req.StartTS)] = req.CommitTS
			}
			ev.Reply = &ports.ResolveLockReply{}
		}
	case sm.EffectQuery, sm.EffectProbe, sm.EffectLearn, sm.EffectTell, sm.EffectForget, sm.EffectAnswer:
	}
	return ev
}

func (s *dumbServer) status(req *ports.CheckTxnStatusRequest) ports.Reply {
	f := s.fates[req.LockTS]
	r := &ports.CheckTxnStatusReply{CommitTS: f.commit}
	if f.alive {
		r.TTL, r.Lock = f.ttl, &ports.Lock{}
		if f.pushed && req.CallerStartTS != 0 {
			r.Action = ports.ActionMinCommitTSPushed
		}
	}
	return r
}

// expect says in the simplest way what a round must bring.
func (s *dumbServer) expect(purpose Purpose, caller ports.Timestamp) (
	ignore, through []ports.Timestamp, wait time.Duration) {
	for start, f := range s.fates {
		switch {
		case f.alive && f.pushed && purpose == Read:
			ignore = append(ignore, start)
		case f.alive:
			left := max(ts.Until(start, f.ttl, s.present), time.Millisecond)
			if wait == 0 || left < wait {
				wait = left
			}
		case purpose == Write:
		case f.commit != 0 && f.commit <= caller:
			through = append(through, start)
		default:
			ignore = append(ignore, start)
		}
	}
	slices.Sort(ignore)
	slices.Sort(through)
	return ignore, through, wait
}

func drawFate(t *rapid.T, start ports.Timestamp) fate {
	f := fate{primary: rapid.SampledFrom([]string{"a", "n"}).Draw(t, "primary")}
	switch rapid.IntRange(0, 2).Draw(t, "fate") {
	case 0:
		f.commit = start + ports.Timestamp(rapid.Uint64Range(1, 200<<ports.LogicalBits).Draw(t, "commit"))
	case 1:
		f.alive, f.ttl, f.pushed = true, rapid.Uint64Range(0, 500).Draw(t, "ttl"), rapid.Bool().Draw(t, "pushed")
	}
	return f
}

// One round over any locks, with answers in any order, lost and repeated: it ends,
// and brings what the simplest reading of the rules brings; what has ended is
// removed with its own verdict, and nothing else is.
func TestRoundsAgainstADumbServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		purpose := rapid.SampledFrom([]Purpose{Read, Write}).Draw(t, "purpose")
		p := newPlay(purpose)
		p.caller.spec.Deadline = ports.Never
		knobs := *p.Env.Knobs
		knobs.Workers = rapid.IntRange(1, 4).Draw(t, "workers")
		p.Env.Knobs = &knobs
		s := &dumbServer{
			fates: map[ports.Timestamp]fate{}, present: ms(300), removed: map[string]ports.Timestamp{},
			learnt: map[ports.Timestamp]ports.Timestamp{},
		}
		for range rapid.IntRange(1, 8).Draw(t, "locks") {
			start := ms(int64(rapid.IntRange(10, 14).Draw(t, "start")))
			if _, known := s.fates[start]; !known {
				s.fates[start] = drawFate(t, start)
			}
			l := lock(rapid.SampledFrom([]string{"a", "b", "n", "z"}).Draw(t, "key"))
			l.StartTS, l.Primary = start, []byte(s.fates[start].primary)
			p.caller.locks = append(p.caller.locks, l)
		}
		converse(t, p, s)
		s.check(t, p, purpose)
	})
}

// server answers what a resolver asks, and hears what it tells the client's cache.
type server interface {
	reply(e *sm.Effect) ports.Event
	learn(f *ports.Fact)
}

// converse answers until nothing is awaited. An answer that is lost may have been given.
func converse(t *rapid.T, p *play, s server) {
	var pending []sm.Effect
	feed := func(ev ports.Event) {
		p.Feed(ev)
		for _, e := range p.Effects {
			if e.Kind == sm.EffectLearn {
				s.learn(e.Fact)
			}
			if e.Tok != (ports.Tok{}) {
				pending = append(pending, kept(e))
			}
		}
	}
	feed(ports.Event{Kind: ports.EventStart})
	for steps := 0; len(pending) > 0; steps++ {
		if steps > 500 {
			t.Fatalf("no end: %s", p.caller)
		}
		n := rapid.IntRange(0, len(pending)-1).Draw(t, "which")
		e := pending[n]
		pending = slices.Delete(pending, n, n+1)
		ev := ports.Event{Kind: ports.EventLost, Tok: e.Tok, Cause: ports.Cause{Kind: ports.CauseConnection}}
		lost := 0
		if e.Kind == sm.EffectSend {
			lost = rapid.IntRange(0, 19).Draw(t, "lost")
		}
		if lost < 19 {
			answer := s.reply(&e)
			if lost < 18 {
				ev = answer
			}
		}
		feed(ev)
		if ev.Kind != ports.EventLost && rapid.Bool().Draw(t, "again") {
			feed(ev)
		}
	}
}

// kept is an effect whose request and header stay what they are.
func kept(e sm.Effect) sm.Effect {
	switch req := e.Request.(type) {
	case *ports.CheckTxnStatusRequest:
		copied := *req
		e.Request = &copied
	case *ports.ResolveLockRequest:
		copied := *req
		e.Request = &copied
	case *ports.PessimisticRollbackRequest:
		copied := *req
		e.Request = &copied
	}
	if e.Header != nil {
		copied := *e.Header
		e.Header = &copied
	}
	return e
}

// learn notes what the client remembers of a transaction.
func (s *dumbServer) learn(fact *ports.Fact) {
	if fact.Kind == ports.FactTxn {
		s.learnt[fact.StartTS] = fact.CommitTS
	}
}

func (s *dumbServer) check(t *rapid.T, p *play, purpose Purpose) {
	r := &p.caller.resolver
	if !r.Done() || r.Result().Failure.Failed() {
		t.Fatalf("%s: %+v", r, r.Result())
	}
	ignore, through, wait := s.expect(purpose, p.caller.spec.CallerTS)
	gotIgnore := slices.Sorted(slices.Values(r.ResolvedLocks()))
	gotThrough := slices.Sorted(slices.Values(r.CommittedLocks()))
	if !slices.Equal(gotIgnore, ignore) || !slices.Equal(gotThrough, through) || r.Result().Wait != wait {
		t.Fatalf("ignore %v, read through %v, wait %v; want %v, %v, %v", gotIgnore, gotThrough, r.Result().Wait,
			ignore, through, wait)
	}
	for start, commit := range s.learnt {
		if f := s.fates[start]; f.alive || f.commit != commit {
			t.Fatalf("T%d is remembered as committed at %d; it is %+v", start.Physical(), commit, f)
		}
	}
	met := map[ports.Timestamp]map[string]bool{}
	for _, l := range p.caller.locks {
		if met[l.StartTS] == nil {
			met[l.StartTS] = map[string]bool{}
		}
		met[l.StartTS][string(l.Key)] = true
	}
	for start, keys := range met {
		f := s.fates[start]
		for k := range keys {
			commit, gone := s.removed[fmt.Sprintf("%s@%d", k, start)]
			onlyPrimary := len(keys) == 1 && k == f.primary
			if want := !f.alive && !onlyPrimary; gone != want || gone && commit != f.commit {
				t.Fatalf("lock %s of T%d: removed %v at %d, want %v at %d", k, start.Physical(), gone, commit,
					want, f.commit)
			}
		}
	}
}
