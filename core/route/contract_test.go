package route

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

func TestContracts(t *testing.T) {
	t.Run("call", func(t *testing.T) { smtest.Contract(t, richCall()) })
	t.Run("empty call", func(t *testing.T) { smtest.Contract(t, &Call{}) })
	t.Run("groups", func(t *testing.T) { smtest.Contract(t, richGroups()) })
	t.Run("store table", func(t *testing.T) { smtest.Contract(t, richStoreTable()) })
	t.Run("region table", func(t *testing.T) { smtest.Contract(t, richRegionTable()) })
}

// richCall is a call that holds something everywhere.
func richCall() *Call {
	b := callIn(callPausing)
	c := &b.m.(*parent).call
	c.learnt, c.avoid = c.region, c.region
	c.newer = c.region.RegionVersion
	c.header.ResolvedLocks, c.header.CommittedLocks = []ports.Timestamp{1}, []ports.Timestamp{2}
	return c
}

func richGroups() *Groups {
	b := newBench(&Groups{})
	g := b.m.(*Groups)
	b.env.Regions = smtest.Regions{smtest.Entry("2:1.1 [a,c) 21@1*")}
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	g.Start(&b.env, b.now, keys, ports.RegionVersion{ID: 9}, ports.Never, &b.out)
	return g
}

func richStoreTable() *StoreTable {
	b := newBench(&StoreTable{})
	t := b.m.(*StoreTable)
	ask := func(id ports.StoreID) {
		b.feed(ports.Event{Kind: ports.EventAsk, Ask: &ports.Ask{Kind: ports.AskStore, Store: id, Deadline: ports.Never}})
	}
	ask(1)
	b.feed(ports.Event{Kind: ports.EventPlaced, Tok: b.out.List[1].Tok, Stores: []ports.Store{storeMeta(1)}})
	b.feed(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactStoreFailed, Store: 1}})
	ask(2)
	return t
}

// richRegionTable has entries, marks, free slots, a load and a waiter.
func richRegionTable() *RegionTable {
	b := newBench(&RegionTable{})
	t := b.m.(*RegionTable)
	for _, text := range []string{"2:1.1 [a,c) 21@1* 22@2", "3:1.1 [c,m) 31@1*", "4:1.1 [m,z) 41@1*", "5:2.1 [m,) 41@1*"} {
		r := parse(text)
		t.insert(&b.env, b.now, &r, r.Leader)
	}
	b.feed(ports.Event{Kind: ports.EventSweep, Marks: []uint64{5}})
	b.feed(ports.Event{Kind: ports.EventSweep, Marks: []uint64{2}})
	t.marks[0] |= 1
	b.feed(ports.Event{Kind: ports.EventAsk, Ask: &ports.Ask{
		Kind: ports.AskRegion, Key: []byte("A"), Until: []byte("B"), Deadline: ports.Never}})
	return t
}

// A clone goes its own way, whichever of the two moves on.
func TestRegionTableClones(t *testing.T) {
	b := newBench(&RegionTable{})
	a := b.m.(*RegionTable)
	insert := func(t *RegionTable, text string) {
		r := parse(text)
		t.insert(&b.env, b.now, &r, r.Leader)
	}
	insert(a, "2:1.1 [a,m) 21@1*")
	insert(a, "3:1.1 [m,z) 31@1*")
	var c RegionTable
	a.CloneInto(&c)
	view := a.View()
	insert(a, "2:2.1 [a,f) 21@1*")
	insert(&c, "3:5.1 [m,p) 31@1*")
	for _, look := range []struct {
		name string
		view sm.RegionView
		key  string
		want uint64
	}{
		{"original", a.View(), "b", 2}, {"original", a.View(), "n", 1}, {"original", a.View(), "g", 0},
		{"clone", c.View(), "b", 1}, {"clone", c.View(), "n", 5}, {"clone", c.View(), "q", 0},
		{"older view", view, "b", 1}, {"older view", view, "n", 1},
	} {
		got := uint64(0)
		if r := look.view.Find([]byte(look.key), b.now); r != nil {
			got = r.Epoch.Version
		}
		require.Equal(t, look.want, got, "%s at %s", look.name, look.key)
	}
}

func TestCallAgainAndPause(t *testing.T) {
	b := callIn(callSending)
	p := b.m.(*parent)
	p.again = 1
	p.call.Header().NotFillCache = true
	b.feed(ports.Event{Kind: ports.EventReply, Tok: b.last(), Reply: &ports.GetReply{}})
	require.Equal(t, Waiting, p.call.State())
	require.True(t, p.call.Retried())
	require.True(t, p.call.Header().NotFillCache, "what the parent set stays for the next attempt")
	require.True(t, p.call.Header().IsRetry)
	require.Equal(t, ports.RegionID(2), p.call.Region().ID)
	b.feed(ports.Event{Kind: ports.EventReply, Tok: b.last(), Reply: &ports.GetReply{}})
	require.Equal(t, Finished, p.call.State())

	b.out.Reset()
	p.call.Pause(&b.env, b.now, backoff.TxnLockFast, 3*time.Millisecond, &b.out)
	require.Equal(t, Waiting, p.call.State())
	require.Equal(t, b.now.Add(3*time.Millisecond), b.out.List[0].At, "the ceiling bounds the pause")
	require.Equal(t, "txnLockFast", b.out.List[0].Pause)
	b.feed(ports.Event{Kind: ports.EventTimer, Tok: b.last()})
	require.Equal(t, Waiting, p.call.State())
	require.Equal(t, callSending, p.call.state)
}

// TestCallMaxExecution: TiKV is told how long it may work. It gives up a write early
// enough for its answer to be heard (client-go: 20 s of 30).
func TestCallMaxExecution(t *testing.T) {
	for _, c := range []struct {
		spec       Spec
		want, sent time.Duration
	}{
		{Spec{Timeout: 30 * time.Second, Deadline: ports.Never}, 30 * time.Second, 30 * time.Second},
		{Spec{Timeout: 30 * time.Second, Deadline: ports.Never, Write: true}, 20 * time.Second, 30 * time.Second},
		{Spec{Timeout: 30 * time.Second, Deadline: ports.Instant(4 * time.Second), Write: true},
			2 * time.Second, 3 * time.Second},
		{Spec{Deadline: ports.Instant(time.Second + 1)}, time.Millisecond, 1},
		{Spec{Deadline: ports.Instant(time.Second + 1), Write: true}, time.Millisecond, 1},
	} {
		c.spec.Key = []byte("k")
		p := &parent{spec: c.spec}
		b := newBench(p)
		b.env.Regions = smtest.Regions{smtest.Entry("2:1.1 [a,z) 21@1*")}
		b.feed(ports.Event{Kind: ports.EventStart})
		require.Equal(t, c.want, p.call.Header().MaxExecution)
		require.Equal(t, c.sent, b.out.List[0].At.Sub(b.now))
	}
}

// Groups that wait for their next use hold nothing of the last one but memory.
func TestGroupsForget(t *testing.T) {
	g := richGroups()
	require.NotEmpty(t, g.List())
	g.Forget()
	require.Equal(t, &Groups{list: g.list}, g)
	require.Empty(t, g.List())
	require.NotZero(t, cap(g.list))
}
