package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// asks puts questions for so many keys to a new table and returns the queries.
func asks(b *bench, from, to int) (queries []sm.Effect) {
	for i := from; i < to; i++ {
		b.feed(ports.Event{Kind: ports.EventAsk, Ask: &ports.Ask{
			Key: fmt.Appendf(nil, "%03d", i), Waiter: ports.Waiter{Op: uint64(i)}, Deadline: ports.Instant(time.Minute)}})
		queries = append(queries, ofKind(b, sm.EffectQuery)...)
	}
	return queries
}

func ofKind(b *bench, kind sm.EffectKind) (list []sm.Effect) {
	for _, e := range b.out.List {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

// single returns the region that holds one key only.
func single(key []byte) ports.Region {
	return ports.Region{
		RegionVersion: ports.RegionVersion{ID: 2, Epoch: ports.Epoch{Version: 1}},
		Range:         ports.KeyRange{Start: key, End: append(key[:len(key):len(key)], 0)},
		Peers:         []ports.Peer{{ID: 1, Store: 1}},
	}
}

// TestRegionTableQueryLimit asks for more keys at once than PD is to be bothered with.
func TestRegionTableQueryLimit(t *testing.T) {
	b := newBench(&RegionTable{})
	queries := asks(b, 0, 100)
	require.Len(t, queries, maxQueries)
	told := map[uint64]bool{}
	for len(queries) > 0 {
		q := queries[0]
		b.feed(ports.Event{Kind: ports.EventPlaced, Tok: q.Tok, Regions: []ports.Region{single(q.Query.Key)}})
		for _, e := range ofKind(b, sm.EffectTell) {
			told[e.Waiter.Op] = true
		}
		queries = append(queries[1:], ofKind(b, sm.EffectQuery)...)
		require.LessOrEqual(t, len(queries), maxQueries)
	}
	require.Len(t, told, 100)
}

// TestRegionTableLoadLimit lets PD fail: pauses are not piled up without end, and
// everybody is told in time.
func TestRegionTableLoadLimit(t *testing.T) {
	b := newBench(&RegionTable{})
	table := b.m.(*RegionTable)
	queries := asks(b, 0, 100)
	for len(queries) > 0 {
		b.feed(ports.Event{Kind: ports.EventRefused, Tok: queries[0].Tok, Cause: ports.Cause{Kind: ports.CauseConnection}})
		queries = append(queries[1:], ofKind(b, sm.EffectQuery)...)
		require.LessOrEqual(t, len(table.loads), maxLoads)
	}
	require.Len(t, table.loads, maxLoads)
	require.Contains(t, table.String(), "loading: 0 regions, 64 loads, 100 waiters")
	b.now = ports.Instant(time.Minute)
	b.feed(ports.Event{Kind: ports.EventTimer, Tok: ports.Tok{Gen: table.waiters.alarm}})
	require.Len(t, ofKind(b, sm.EffectTell), 100)
	require.Empty(t, table.loads, "nobody waits for them")
}

// TestRegionTableTTL: the jitter spreads the ends of lives, so that a client does not
// ask for all its regions in one second.
func TestRegionTableTTL(t *testing.T) {
	b := newBench(&RegionTable{})
	table := b.m.(*RegionTable)
	ends := map[ports.Instant]bool{}
	for i := range 1000 {
		r := single(fmt.Appendf(nil, "%03d", i))
		require.True(t, table.insert(&b.env, b.now, &r, 0))
		e := table.View().Find(r.Range.Start, b.now)
		life := e.Expiry.Sub(b.now)
		require.GreaterOrEqual(t, life, 600*time.Second)
		require.Less(t, life, 660*time.Second)
		ends[e.Expiry] = true
		require.NotNil(t, table.View().Find(r.Range.Start, e.Expiry-1))
		require.Nil(t, table.View().Find(r.Range.Start, e.Expiry))
	}
	require.Greater(t, len(ends), 900)
	b.env.Knobs.RegionTTLJitter = 0
	require.Equal(t, b.now.Add(600*time.Second), table.expiry(&b.env, b.now))
}

// TestRegionTableSweep: one sweep visits a part of a large table, and a few of them all
// of it, from wherever the first one began.
func TestRegionTableSweep(t *testing.T) {
	const n = 40 * chunkSize
	b := fill(n)
	table := b.m.(*RegionTable)
	b.env.Knobs.RegionTTLJitter = 0
	sweep := func(marks []uint64) {
		b.feed(ports.Event{Kind: ports.EventSweep, Marks: marks})
	}
	used := make([]uint64, n/64)
	for i := range used {
		used[i] = ^uint64(0)
	}
	b.now = b.now.Add(9 * time.Minute)
	sweep(used)
	sweep(nil)
	for i := range n {
		e := table.View().Find(rowBound(i), b.now)
		require.GreaterOrEqual(t, e.Expiry, b.now.Add(10*time.Minute), "entry %d was used", i)
	}
	b.now = b.now.Add(11 * time.Minute)
	sweep(nil)
	require.NotZero(t, table.Len(), "not all at once")
	sweep(nil)
	require.Zero(t, table.Len())
	sweep(nil)
}

// TestRegionTableView: a view is made once for each change.
func TestRegionTableView(t *testing.T) {
	b := newBench(&RegionTable{})
	table := b.m.(*RegionTable)
	require.True(t, table.Changed(), "no view has been taken yet")
	view := table.View()
	require.False(t, table.Changed())
	require.Same(t, view, table.View())
	require.Nil(t, view.Find([]byte("k"), b.now))
	require.Nil(t, view.FindByEnd(nil, b.now))
	require.False(t, table.Done())
	require.Zero(t, table.Len())
	require.Contains(t, table.String(), "idle")
	r := single([]byte("k"))
	table.insert(&b.env, b.now, &r, 0)
	require.True(t, table.Changed())
	require.Nil(t, view.Find([]byte("k"), b.now))
	require.NotNil(t, table.View().Find([]byte("k"), b.now))
	require.Equal(t, 1, table.Len())
}

// tableIn brings a region table into each of its states.
var tablesIn = map[string]func(b *bench){
	"idle":    func(b *bench) { asks(b, 0, 0) },
	"loading": func(b *bench) { asks(b, 0, 2) },
	"pausing": func(b *bench) {
		q := asks(b, 0, 2)
		b.feed(ports.Event{Kind: ports.EventRefused, Tok: q[1].Tok})
	},
	"full": func(b *bench) {
		for i := range 3 {
			r := single(fmt.Appendf(nil, "%03d", i))
			b.m.(*RegionTable).insert(&b.env, b.now, &r, 0)
		}
		asks(b, 10, 100)
	},
}

// TestRegionTableTransitions feeds every event to a table in every state. Whatever
// comes, whoever waits is told at the deadline at the latest, and every load waits for
// something that is under way.
func TestRegionTableTransitions(t *testing.T) {
	for state, bring := range tablesIn {
		for i := range everyEvent(ports.Tok{}) {
			b := newBench(&RegionTable{})
			table := b.m.(*RegionTable)
			bring(b)
			tok := ports.Tok{Gen: 99}
			if n := len(table.loads); n > 0 {
				tok.Gen = table.loads[n-1].gen
			}
			ev := everyEvent(tok)[i]
			b.feed(ev)
			name := state + ": " + describe(&ev)
			for j := range table.loads {
				require.Contains(t, b.open, table.loads[j].gen, name)
			}
			for j := range table.waiters.list {
				require.NotZero(t, table.waiters.alarm, name)
				require.LessOrEqual(t, table.waiters.at, table.waiters.list[j].Deadline, name)
			}
			if len(table.waiters.list) > 0 {
				require.Contains(t, b.open, table.waiters.alarm, name)
				require.NotEmpty(t, table.loads, "%s: nobody loads", name)
			}
		}
	}
}

// TestStoreTableTransitions does the same for stores: whoever waits is told, and a store
// that is not well is probed until it answers.
func TestStoreTableTransitions(t *testing.T) {
	ask := func(b *bench, id ports.StoreID) {
		b.feed(ports.Event{Kind: ports.EventAsk, Ask: &ports.Ask{Kind: ports.AskStore, Store: id, Deadline: ports.Never}})
	}
	known := func(b *bench) {
		ask(b, 1)
		b.feed(ports.Event{Kind: ports.EventPlaced, Tok: b.last(), Stores: []ports.Store{storeMeta(1)}})
	}
	suspect := func(b *bench) {
		known(b)
		b.feed(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactStoreFailed, Store: 1}})
	}
	for state, bring := range map[string]func(b *bench){
		"empty": func(*bench) {}, "asked": func(b *bench) { ask(b, 1) }, "known": known, "suspect": suspect,
		"pausing": func(b *bench) {
			ask(b, 1)
			b.feed(ports.Event{Kind: ports.EventRefused, Tok: b.last()})
		},
		"unreachable": func(b *bench) {
			suspect(b)
			b.feed(ports.Event{Kind: ports.EventProbed, Tok: ofKind(b, sm.EffectProbe)[0].Tok,
				Cause: ports.Cause{Kind: ports.CauseTimeout}})
		},
	} {
		for i := range everyEvent(ports.Tok{}) {
			for _, kind := range []string{"query", "probe", "rest", "stranger"} {
				b := newBench(&StoreTable{})
				table := b.m.(*StoreTable)
				bring(b)
				tok := ports.Tok{Gen: 99}
				if len(table.stores) > 0 {
					s := &table.stores[0]
					tok.Gen = map[string]uint32{"query": s.query, "probe": s.probe, "rest": s.rest, "stranger": 99}[kind]
				}
				ev := everyEvent(tok)[i]
				b.feed(ev)
				checkStores(t, b, table, fmt.Sprintf("%s, to %s: %s", state, kind, describe(&ev)))
			}
		}
	}
}

func checkStores(t *testing.T, b *bench, table *StoreTable, name string) {
	t.Helper()
	for i := range table.stores {
		s := &table.stores[i]
		if s.query != 0 {
			require.Contains(t, b.open, s.query, name)
		}
		if s.probe != 0 {
			require.Contains(t, b.open, s.probe, name)
		}
		if s.rest != 0 {
			require.Contains(t, b.open, s.rest, name)
		}
		if s.resolved && s.entry.State != ports.StoreTombstone && s.entry.Liveness != sm.Reachable {
			require.NotZero(t, s.probe+s.rest, "%s: nobody finds out about store %d", name, s.entry.ID)
		}
		if table.wanted(s.entry.ID) {
			require.NotZero(t, s.query, "%s: nobody asks for store %d", name, s.entry.ID)
		}
	}
	for _, ask := range table.waiters.list {
		require.Contains(t, b.open, table.waiters.alarm, name)
		require.LessOrEqual(t, table.waiters.at, ask.Deadline, name)
	}
	require.False(t, table.Done())
	require.NotEmpty(t, table.String())
}

// TestGroupsTransitions: whatever comes, keys are split or a failure says why not.
func TestGroupsTransitions(t *testing.T) {
	for state, regions := range map[string]smtest.Regions{
		"asking": {}, "done": {smtest.Entry("2:1.1 [,) 21@1*")},
	} {
		for i := range everyEvent(ports.Tok{}) {
			g := &Groups{}
			b := newBench(g)
			b.env.Regions = regions
			g.Start(&b.env, b.now, [][]byte{[]byte("a"), []byte("b")}, ports.RegionVersion{}, ports.Instant(time.Minute), &b.out)
			for _, e := range b.out.List {
				b.open[e.Tok.Gen] = e.Kind
			}
			require.Equal(t, state, groupsStates[g.state])
			ev := everyEvent(b.last())[i]
			b.feed(ev)
			if g.Done() {
				require.True(t, g.Failure().Failed() || len(g.List()) == 1)
			} else {
				require.Contains(t, b.open, g.wait, describe(&ev))
			}
			require.NotEmpty(t, g.String())
		}
	}
	var idle Groups
	idle.Step(&newBench(&idle).env, &ports.Event{Kind: ports.EventTell}, &sm.Effects{})
	require.False(t, idle.Done())
}
