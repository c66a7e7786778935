package lock

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// situation is a resolver in a state, reached by a script; the newest effect is
// what it waits for.
type situation struct {
	purpose Purpose
	script  string
	state   string
}

var situations = map[string]situation{
	"new":                {Read, "", "resolved"},
	"dating":             {Read, "meet k<p@T10", "dating"},
	"dating, no answer":  {Read, "meet k<p@T10\nrefused #1 timeout", "dating"},
	"checking":           {Write, "meet k<p@T10\npresent #1 T50", "settling"},
	"checking, absent":   {Write, "meet k<p@T10\npresent #1 T50\nstatus #2 absent", "settling"},
	"cleaning":           {Write, "meet k<p@T10\npresent #1 T50\nstatus #2 committed T20", "settling"},
	"rolling back":       {Write, "meet k<p@T10,pessimistic\npresent #1 T5000\nstatus #2 mismatch", "settling"},
	"cleaning behind":    {Read, "meet k<p@T10\npresent #1 T50\nstatus #2 committed T20", "resolved"},
	"resolved and done":  {Write, "meet k<p@T10\npresent #1 T50\nstatus #2 alive 3000", "resolved"},
	"failed":             {Write, "meet k<p@T10\npresent #1 T50\nstatus #2 error", "resolved"},
	"failed, more to do": {Read, "meet a<p@T10 b<q@T11\npresent #1 T50\nstatus #3 error\n", "resolved"},
}

func (s situation) reach(t testing.TB) *play {
	p := newPlay(s.purpose)
	p.script(t, s.script)
	require.Equal(t, s.state, resolverStates[p.caller.resolver.state])
	return p
}

// Every kind of event in every situation, from the effect that is awaited and from
// nowhere. What is not listed leaves the round as it is and wants nothing.
func TestResolverTransitions(t *testing.T) {
	moves := map[string]map[ports.EventKind]string{
		"dating": {
			ports.EventTimestamp: "settling", ports.EventRefused: "dating", ports.EventCancel: "resolved",
		},
		"dating, no answer": {ports.EventTimer: "dating", ports.EventCancel: "resolved"},
		"checking": {
			ports.EventReply: "resolved", ports.EventLost: "settling", ports.EventUnsent: "settling",
			ports.EventCancel: "resolved",
		},
		"checking, absent": {ports.EventTimer: "settling", ports.EventCancel: "resolved"},
		"cleaning": {
			ports.EventReply: "resolved", ports.EventLost: "settling", ports.EventUnsent: "settling",
			ports.EventCancel: "resolved",
		},
		"rolling back": {
			ports.EventReply: "resolved", ports.EventLost: "settling", ports.EventUnsent: "settling",
			ports.EventCancel: "resolved",
		},
		"cleaning behind": {
			ports.EventReply: "resolved", ports.EventLost: "resolved", ports.EventUnsent: "resolved",
		},
	}
	for name, s := range situations {
		for kind := range ports.EventKind(ports.EventKinds) {
			if kind == ports.EventStart {
				continue // the caller's, not the resolver's
			}
			for _, mine := range []bool{true, false} {
				p := s.reach(t)
				ev := ports.Event{Kind: kind, TS: ms(50), Reply: &ports.GetReply{}}
				ev.Cause.Kind = ports.CauseTimeout
				if sent, ok := p.Sent(p.Pending()); ok {
					ev.Tok = sent.Tok
				}
				if !mine {
					ev.Tok.Gen = 99
				}
				want, moved := moves[name][kind]
				if !moved || !mine && kind != ports.EventCancel {
					want = s.state
				}
				p.Feed(ev)
				require.Equal(t, want, resolverStates[p.caller.resolver.state], "%s on %d, mine %v", name, kind, mine)
				if !moved || !mine {
					require.Empty(t, p.Effects, "%s on %d, mine %v", name, kind, mine)
				}
			}
		}
	}
}

// An event whose address names a worker that does not exist, is free, or does
// something else finds nobody.
func TestResolverIgnoresWrongAddresses(t *testing.T) {
	p := situations["checking"].reach(t)
	sent, _ := p.Sent(2)
	before := p.caller.resolver.String()
	for hop := range 256 {
		for stage := range 4 {
			addr := ports.Addr(0).With(0, 1).With(1, uint8(hop)).With(2, uint8(stage)).With(3, hopCall)
			if addr == sent.Tok.Addr {
				continue
			}
			tok := ports.Tok{Addr: addr, Gen: sent.Tok.Gen}
			p.Feed(ports.Event{Kind: ports.EventReply, Tok: tok, Reply: &ports.GetReply{}})
			require.Empty(t, p.Effects)
			require.Equal(t, before, p.caller.resolver.String())
		}
	}
}

// Whatever ends a child without a result ends the round, with the child's failure.
func TestEveryFailureOfAChildEndsTheRound(t *testing.T) {
	for name, purpose := range map[string]Purpose{
		"dating": Read, "checking": Write, "cleaning": Write, "rolling back": Write,
	} {
		for cause := ports.CauseNone; cause <= ports.CauseHung; cause++ {
			p := situations[name].reach(t)
			p.Now = p.caller.spec.Deadline
			sent, _ := p.Sent(p.Pending())
			kind := ports.EventLost
			if name == "dating" {
				kind = ports.EventRefused
			}
			p.Feed(ports.Event{Kind: kind, Tok: sent.Tok, Cause: ports.Cause{Kind: cause}})
			r := &p.caller.resolver
			require.True(t, r.Resolved(), "%s, %v, cause %d", name, purpose, cause)
			require.True(t, r.Result().Failure.Failed(), "%s, cause %d", name, cause)
			require.Zero(t, r.Result().Wait)
			require.True(t, r.Done())
		}
	}
}

// A caller that has gone is told what was tried, if it asks by an event.
func TestCancelledRoundsCarryTheirHistory(t *testing.T) {
	for text, attempts := range map[string]int{
		"meet k<p@T10\nrefused #1 connection":                                               1,
		"meet k<p@T10\npresent #1 T50\nlost #2 connection":                                  1,
		"meet k<p@T10\npresent #1 T50\nstatus #2 committed T20":                             0,
		"meet k<p@T10 l<q@T11\npresent #1 T50\nstatus #2 committed T20\nlost #3 connection": 1,
	} {
		p := newPlay(Write)
		p.script(t, text)
		p.Feed(ports.Event{Kind: ports.EventCancel})
		f := p.caller.resolver.Result().Failure
		require.Equal(t, sm.FailCancelled, f.Code, text)
		require.Equal(t, attempts, f.History.Count, text)
		require.True(t, p.caller.resolver.Done())
		p.Feed(ports.Event{Kind: ports.EventCancel})
		require.Equal(t, f, p.caller.resolver.Result().Failure, "the round is over")
	}
}

// Without an event the round ends without a result; a reader's removals go on.
func TestCancelWithoutAnEvent(t *testing.T) {
	p := newPlay(Read)
	p.script(t, "meet a<p@T10 z<q@T11\npresent #1 T50\nstatus #2 rolledback none")
	p.caller.resolver.Cancel()
	require.Equal(t, Result{Failure: sm.Failure{Code: sm.FailCancelled}}, *p.caller.resolver.Result())
	require.False(t, p.caller.resolver.Done())
	p.script(t, "removed #4")
	require.True(t, p.caller.resolver.Done())
}

// A round after the deadline asks nobody.
func TestResolverAfterTheDeadline(t *testing.T) {
	p := newPlay(Write)
	p.Now = p.caller.spec.Deadline
	p.script(t, "meet k<p@T10")
	require.Equal(t, sm.FailDeadline, p.caller.resolver.Result().Failure.Code)
	require.Empty(t, p.Effects)

	p = newPlay(Write)
	p.script(t, "meet k<p@T10")
	p.Now = p.caller.spec.Deadline
	p.script(t, "present #1 T50")
	require.Equal(t, sm.FailDeadline, p.caller.resolver.Result().Failure.Code, "the status was not asked for any more")

	p = newPlay(Write)
	p.Env.Txns = smtest.Txns{ms(10): {CommitTS: ms(20)}}
	p.Now = p.caller.spec.Deadline
	p.script(t, "meet k<p@T10")
	require.Equal(t, sm.FailDeadline, p.caller.resolver.Result().Failure.Code, "nothing is removed any more")
}

func TestZeroResolver(t *testing.T) {
	var r Resolver
	require.True(t, r.Resolved())
	require.True(t, r.Done())
	require.Empty(t, r.ResolvedLocks())
	require.Empty(t, r.CommittedLocks())
	require.Zero(t, *r.Result())
	r.Cancel()
	require.Zero(t, *r.Result(), "there was no round to be cancelled")
	require.LessOrEqual(t, unsafe.Sizeof(r), uintptr(512), "reads that meet no lock embed it")
	require.Zero(t, testing.AllocsPerRun(100, func() { r.Cancel(); _ = r.ResolvedLocks() }))
}

// What was handed out stays as it is, whatever later rounds bring.
func TestListsAreNeverOverwritten(t *testing.T) {
	p := newPlay(Read)
	p.script(t, "meet k<p@T10 l<q@T11\npresent #1 T50\nstatus #2 alive 3000 pushed\nstatus #3 committed T20")
	p.script(t, "removed #4")
	ignore, through := p.caller.resolver.ResolvedLocks(), p.caller.resolver.CommittedLocks()
	var clone Resolver
	p.caller.resolver.CloneInto(&clone)
	p.script(t, "meet k<p@T12 l<q@T13\npresent #5 T50\nstatus #6 rolledback none\nstatus #7 committed T20")
	p.script(t, "reading T300\nmeet k<p@T14\npresent #10 T310\nstatus #11 alive 3000 pushed")
	require.Equal(t, []ports.Timestamp{ms(14)}, p.caller.resolver.ResolvedLocks())
	require.Empty(t, p.caller.resolver.CommittedLocks())
	require.Equal(t, []ports.Timestamp{ms(10)}, ignore)
	require.Equal(t, []ports.Timestamp{ms(11)}, through)
	require.Equal(t, ignore, clone.ResolvedLocks())
	require.Equal(t, cap(ignore), len(ignore), "who appends to the list gets memory of his own")
}

// The locks and the answers are lent: nothing that is kept shares their memory.
func TestResolverKeepsNothingLent(t *testing.T) {
	p := newPlay(Write)
	l := lock("k")
	p.caller.locks = []ports.Lock{l}
	p.Feed(ports.Event{Kind: ports.EventStart})
	l.Key[0], l.Primary[0] = '!', '!'
	p.script(t, "present #1 T50")
	require.Equal(t, "p", string(p.Effects[1].Request.(*ports.CheckTxnStatusRequest).Primary))
	p.script(t, "status #2 committed T20")
	require.Equal(t, "k", string(p.Effects[1].Request.(*ports.ResolveLockRequest).Keys[0]))

	reply := &ports.ResolveLockReply{Err: &ports.KeyError{Kind: ports.KeyAbort, Key: []byte("k")}}
	sent, _ := p.Sent(3)
	p.Feed(ports.Event{Kind: ports.EventReply, Tok: sent.Tok, Reply: reply})
	reply.Err.Key[0], reply.Err.Kind = '!', 0
	kept := p.caller.resolver.Result().Failure.KeyError
	require.Equal(t, &ports.KeyError{Kind: ports.KeyAbort, Key: []byte("k")}, kept)
}

// A set of shared locks whose members name no key lies on the set's key.
func TestSharedMembersWithoutAKey(t *testing.T) {
	member := lock("")
	member.Key = nil
	jobs, ok := collect([]ports.Lock{{Key: []byte("k"), Shared: []ports.Lock{member}}})
	require.True(t, ok)
	require.Equal(t, [][]byte{[]byte("k")}, jobs[0].keys)
}

// The longest life and the largest size that were reported count.
func TestJobsTakeTheMostCautiousReport(t *testing.T) {
	a, b := lock("a"), lock("b")
	a.TTL, a.TxnSize, b.IsTxnFile, b.ForUpdateTS = 9000, 7, true, ms(11)
	jobs, _ := collect([]ports.Lock{b, a})
	require.Len(t, jobs, 1, "the statements of a prewritten transaction do not matter")
	require.Equal(t, uint64(9000), jobs[0].ttl)
	require.Equal(t, uint64(7), jobs[0].size)
	require.True(t, jobs[0].txnFile)
	require.Equal(t, [][]byte{[]byte("a"), []byte("b")}, jobs[0].keys)
}

// However many transactions are met, and however often a reader goes away, no more
// than so many requests are out.
func TestWorkersAreBounded(t *testing.T) {
	p := newPlay(Read)
	for i := range 300 {
		l := lock("k")
		l.StartTS = ms(int64(10 + i))
		p.caller.locks = append(p.caller.locks, l)
	}
	known := smtest.Txns{}
	p.Env.Txns = known
	p.Feed(ports.Event{Kind: ports.EventStart})
	p.script(t, "present #1 T500")
	w := p.caller.resolver.work
	require.Len(t, w.workers, maxWorkers, "questions")
	for _, l := range p.caller.locks {
		known[l.StartTS] = sm.TxnStatus{}
	}
	for range 5 {
		p.Feed(ports.Event{Kind: ports.EventCancel})
		// Locks that the reader may pass and meets again are removed in the foreground.
		p.Feed(ports.Event{Kind: ports.EventStart})
		require.LessOrEqual(t, len(w.workers), 2*maxWorkers)
	}
	require.Len(t, w.workers, 2*maxWorkers)
	require.LessOrEqual(t, hopWorkers+2*maxWorkers, 255, "every worker has an address")
}

func TestResolverContract(t *testing.T) {
	for name, s := range situations {
		t.Run(name, func(t *testing.T) { smtest.Contract(t, &s.reach(t).caller.resolver) })
	}
	p := newPlay(Read)
	p.caller.spec.RequestSource = "x"
	p.script(t, "meet a<p@T10 b<q@T11 c<q@T12 d<q@T13,pessimistic\npresent #1 T50\nstatus #2 committed T20\n"+
		"status #3 rolledback none\nstatus #4 alive 3000")
	smtest.Contract(t, &p.caller.resolver)
}

func TestStringsNameWhatIsAwaitedWithoutKeys(t *testing.T) {
	for name, want := range map[string]string{
		"new":      "lock.Resolver resolved",
		"dating":   "lock.Resolver dating; ts.Fetch asked; 1 queued",
		"checking": "lock.Resolver settling; lock.check asking: route.Call sending, region 2:1.1, attempt 1 at store 2",
		"cleaning": "lock.Resolver settling; lock.clean removing: route.Call sending, region 1:1.1, attempt 1 at store 1",
	} {
		require.Equal(t, want, situations[name].reach(t).caller.resolver.String())
	}
}

// Locks of one transaction end up in one job, whatever order they are met in.
func TestJobsDoNotDependOnTheOrder(t *testing.T) {
	var locks []ports.Lock
	for _, text := range []string{
		"c<p@T10,pessimistic,fu=T12", "d<p@T10", "e<q@T10,pessimistic,fu=T12", "a<p@T10,pessimistic,fu=T13",
		"b<p@T10", "b<p@T9", "a<p@T10,pessimistic,fu=T12",
	} {
		l, err := parseLock(text)
		require.NoError(t, err)
		locks = append(locks, l)
	}
	want, _ := collect(locks)
	require.Len(t, want, 5)
	for range locks {
		locks = append(locks[1:], locks[0])
		jobs, ok := collect(locks)
		require.True(t, ok)
		require.Equal(t, want, jobs)
	}
}
