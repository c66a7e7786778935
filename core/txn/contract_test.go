package txn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// TestContracts: clones share nothing, and fingerprints cover every field.
func TestContracts(t *testing.T) {
	full := &Commit{}
	for name, script := range map[string]string{
		"idle":       "",
		"prewriting": "start",
		"resolving":  "start\nprewritten #1 locked a<p@T10\npresent #3 T5000",
		"regrouping": "start\nfault #1 EpochNotMatch 1:2.1/,b/11@1 3:2.1/b,m/31@1",
		"fetching":   "start\nprewritten #1\nprewritten #2",
		"deciding":   "start\nprewritten #1\nprewritten #2\npresent #4 T1010",
		"lagging": "start\nprewritten #1\nprewritten #2\npresent #4 T1010\ncommitted #5 expired a T1020\n" +
			"present #6 T1011",
		"sweeping":      "start\nprewritten #1\nprewritten #2\npresent #4 T1010\ncommitted #5",
		"rolling back":  "start\nprewritten #1\nprewritten #2 conflict x",
		"kept alive":    "start\nprewritten #1\ntimer #3",
		"with troubles": "start\nprewritten #1\nprewritten #2\npresent #4 T1010\ncommitted #5\ncommitted #6 abort",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(params(view(t, "put a 1", "insert b 2", "insert c 3", "delete c", "put x 4")))
			p.script(t, script)
			smtest.Contract(t, p.c) // its children with it
			p.c.CloneInto(full)     // what an earlier clone left does not matter
			require.Equal(t, fingerprint(p.c), fingerprint(full))
			require.NotEmpty(t, p.c.String())
		})
	}
}

// TestContractsOfChildren: each child keeps the contract by itself.
func TestContractsOfChildren(t *testing.T) {
	p := newPlay(params(view(t, "put a 1", "insert c 3", "delete c", "put x 4")))
	p.script(t, "start\nprewritten #1\ntimer #3")
	smtest.Contract(t, &p.c.prewrite)
	smtest.Contract(t, &p.c.heartbeat)
	p.script(t, "prewritten #2\npresent #5 T1010")
	smtest.Contract(t, &p.c.primary)
	p.script(t, "committed #6")
	smtest.Contract(t, &p.c.sweep)
}

// TestReuse: a machine that is used again behaves like a new one, whatever the
// transaction before left in it.
func TestReuse(t *testing.T) {
	first := params(view(t, "put a 1", "put b 2", "put x 4"))
	script := "start\nprewritten #1 locked a<p@T10\npresent #3 T5000\nstatus #4 rolledback\nremoved #5\nprewritten #2"
	for name, forget := range map[string]func(c *Commit){
		"at once": func(*Commit) {}, "forgotten in between": (*Commit).Forget,
	} {
		t.Run(name, func(t *testing.T) {
			used := newPlay(first)
			used.script(t, "start\nprewritten #1 locked a<p@T10\npresent #3 T5000\ncancel")
			forget(used.c)
			used.c.Init(first)
			fresh := &Commit{}
			fresh.Init(first)
			require.Equal(t, fingerprint(fresh), fingerprint(used.c))
			require.Equal(t, newRunner(fresh).Play(script), newRunner(used.c).Play(script))
		})
	}
}

// TestForget: memory stays, but refers to nothing, and what only a large
// transaction needed is let go of.
func TestForget(t *testing.T) {
	p := newPlay(params(view(t, "put a 1", "put x 4")))
	p.script(t, "start\nprewritten #1\nprewritten #2\npresent #4 T1010\ncommitted #5\ncommitted #6")
	p.c.Forget()
	workers := p.c.prewrite.workers[:cap(p.c.prewrite.workers)]
	require.NotEmpty(t, workers)
	for i := range workers {
		require.Zero(t, workers[i])
	}
	require.Empty(t, p.c.writes.keys)
	require.Nil(t, p.c.prewrite.plan.keys)
	require.Nil(t, p.c.sweep.plan.keys)
	require.Nil(t, forgetAll(make([]prewriteWorker, keepWorkers+1)))
	large := plan{stale: make([]span, keepSpans+1), queue: make([]span, keepSpans+1)}
	large.forget()
	require.Zero(t, large)
}

// store answers a one-key commit from memory that is made once.
type store struct {
	prewrite ports.PrewriteReply
	commit   ports.CommitReply
	events   []ports.Event
}

// commitOnce commits and returns the number of steps.
func (s *store) commitOnce(c *Commit, env *sm.Env, out *sm.Effects, p Params) int {
	c.Init(p)
	s.events = append(s.events[:0], ports.Event{Kind: ports.EventStart})
	steps := 0
	for ; len(s.events) > 0; steps++ {
		ev := s.events[0]
		s.events = append(s.events[:0], s.events[1:]...)
		ev.Now = began
		out.Reset()
		c.Step(env, &ev, out)
		for i := range out.List {
			switch e := &out.List[i]; e.Kind {
			case sm.EffectSend:
				answer := ports.Event{Kind: ports.EventReply, Tok: e.Tok, Reply: &s.prewrite}
				if e.Request.Verb() == ports.VerbCommit {
					answer.Reply = &s.commit
				}
				s.events = append(s.events, answer)
			case sm.EffectTimestamp:
				s.events = append(s.events, ports.Event{Kind: ports.EventTimestamp, Tok: e.Tok, TS: ms(1010)})
			case sm.EffectArm, sm.EffectQuery, sm.EffectProbe, sm.EffectAsk, sm.EffectLearn, sm.EffectTell,
				sm.EffectForget, sm.EffectAnswer:
			}
		}
	}
	return steps
}

// TestAllocations: committing one key costs at most 2 allocations in a machine that
// has been used, 12 in a new one.
func TestAllocations(t *testing.T) {
	p := params(view(t, "put k 1"))
	r := newRunner(&Commit{})
	var s store
	var out sm.Effects
	var used Commit
	require.Equal(t, 4, s.commitOnce(&used, &r.Env, &out, p))
	require.Equal(t, Committed, used.Outcome().Kind)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { s.commitOnce(&used, &r.Env, &out, p) }), 2.0)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		var fresh Commit
		s.commitOnce(&fresh, &r.Env, &out, p)
	}), 12.0)
}

func BenchmarkCommitOneKey(b *testing.B) {
	p := params(view(b, "put k 1"))
	r := newRunner(&Commit{})
	var s store
	var out sm.Effects
	var c Commit
	b.ReportAllocs()
	for b.Loop() {
		s.commitOnce(&c, &r.Env, &out, p)
	}
}

// TestBatches: batches are cut at the limit, keys and values counted in prewrite and
// keys alone after it; no more than the workers allow are under way; the batch with
// the primary goes first.
func TestBatches(t *testing.T) {
	p := newPlay(params(view(t, "put a 12345678", "put b 12345678", "put c 12345678", "put n 1")))
	knobs := *p.Env.Knobs
	knobs.CommitBatchBytes, knobs.Workers = 12, 2
	p.Env.Knobs = &knobs
	p.script(t, "start")
	require.Equal(t, []int{2, 1}, mutationsSent(p.Effects))
	p.script(t, "prewritten #1")
	require.Equal(t, []int{1}, mutationsSent(p.Effects))
	p.script(t, "prewritten #2\nprewritten #3")
	transcript := p.script(t, "present #5 T1010")
	require.Contains(t, transcript, `CommitRequest{Keys:["a" "b" "c"]`)
}

func mutationsSent(effects []sm.Effect) []int {
	var n []int
	for i := range effects {
		if r, ok := effects[i].Request.(*ports.PrewriteRequest); ok {
			n = append(n, len(r.Mutations))
		}
	}
	return n
}

// TestHeartbeatEnds: a transaction that is older than MaxTxnLife is not kept
// alive, and a beat that is due after the deadline is not sent.
func TestHeartbeatEnds(t *testing.T) {
	for name, shape := range map[string]func(p *Params){
		"too old":  func(p *Params) { p.Began = began.Add(-time.Hour) },
		"too late": func(p *Params) { p.Deadline = began.Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			p := params(view(t, "put a 1", "put z 2"))
			shape(&p)
			play := newPlay(p)
			transcript := play.script(t, "start\nprewritten #1\ntimer #3")
			require.NotContains(t, transcript, "HeartBeat")
			require.True(t, play.c.heartbeat.Done())
		})
	}
}

// TestSlots: 128 workers, or as many as the knobs allow.
func TestSlots(t *testing.T) {
	for allowed, want := range map[int]int{0: 1, 1: 1, 2: 2, 64: 64, 65: 65, 128: 128, 500: 128} {
		env := testEnv(sm.Clock{})
		env.Knobs.Workers = allowed
		var s slots
		n := 0
		for i := s.free(env); i >= 0; i = s.free(env) {
			require.Equal(t, n, i)
			require.False(t, s.taken(i))
			s.take(i)
			n++
		}
		require.Equal(t, want, n)
		s.release(n / 2)
		require.Equal(t, n/2, s.free(env))
		require.Equal(t, n == 1, s.idle())
	}
	require.False(t, (&slots{}).taken(200))
}
