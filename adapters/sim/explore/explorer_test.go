package explore

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/adapters/sim/explore/ledger"
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

// smallEnough is the number of states up to which the tests search a committed configuration; `make explore`
// searches them all.
const smallEnough = 5_000

// found is what a search of a committed configuration has found.
type found struct {
	name string
	Result
}

// searched returns the committed table, and what is found in the configurations that are small enough.
var searched = sync.OnceValues(func() (*ledger.Table, []found) {
	table, err := ledger.Read("testdata/states.tsv")
	if err != nil {
		panic(err)
	}
	var list []found
	for _, c := range Configurations(true) {
		if table.States(c.Name) <= smallEnough {
			list = append(list, found{c.Name, New(c).Run()})
		}
	}
	return table, list
})

// Whatever happens in the small configurations, nothing is wrong.
func TestNothingIsWrong(t *testing.T) {
	_, list := searched()
	require.Greater(t, len(list), 15)
	for _, f := range list {
		require.Empty(t, f.Violation, f.name)
		require.True(t, f.Exhausted, f.name)
		require.Positive(t, f.Ends, f.name)
	}
}

// Every configuration has its number of states in the table, nothing else is there, and for the small ones it is right.
func TestStates(t *testing.T) {
	table, list := searched()
	var names []string
	for _, c := range Configurations(false) {
		names = append(names, c.Name)
	}
	require.ElementsMatch(t, names, table.Names())
	for _, f := range list {
		require.Empty(t, table.Check(f.name, f.States, f.Ends), f.name)
	}
}

// The set of fingerprints against a map.
func TestPrints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s prints
		model := map[uint64]bool{}
		for range rapid.IntRange(0, 500).Draw(t, "n") {
			v := rapid.Uint64Range(0, 600).Draw(t, "v") << rapid.SampledFrom([]int{0, 40}).Draw(t, "shift")
			if s.add(v) == model[v] {
				t.Fatalf("%d was there before: %v", v, model[v])
			}
			model[v] = true
			if s.Len() != len(model) {
				t.Fatalf("%d fingerprints, want %d", s.Len(), len(model))
			}
		}
	})
}

func TestBudgetNames(t *testing.T) {
	require.Equal(t, "calm", Budget{}.String())
	b := Budget{Lose: 1, Crash: 2, Late: 1}
	require.Equal(t, "lose+2 crash+late", b.String())
	require.Equal(t, "transfer", Transfer.String())
}

// The quick configurations are among all, and no two have the same name.
func TestConfigurations(t *testing.T) {
	all := map[string]bool{}
	for _, c := range Configurations(false) {
		require.False(t, all[c.Name], c.Name)
		all[c.Name] = true
		require.LessOrEqual(t, len(c.Clients), maxClients)
		require.Positive(t, c.Limit)
		require.Equal(t, c.Budget[Split] > 0, c.SplitAt != "")
		require.False(t, c.plain || c.forgetful || c.store != nil || c.event != nil)
	}
	for _, c := range Configurations(true) {
		require.True(t, all[c.Name], c.Name)
	}
}

// request sends a get of a key to the leader of a region as it was in a layout.
func get(x *Explorer, at *layout, region int, key string) *request {
	r := at.regions[region]
	leader, _ := r.Peer(r.Leader)
	hdr := &ports.Header{Region: r.RegionVersion, Peer: leader}
	return x.request(ports.Endpoint{Store: leader.Store}, hdr, &ports.GetRequest{Key: []byte(key), TS: 5})
}

// Stores admit what TiKV admits.
func TestAdmission(t *testing.T) {
	c := config(0, 0, Transfer, Split)
	x := New(c)
	whole := x.firstLayout()
	split := x.split(whole, "b")
	require.Nil(t, x.split(split, "b"), "there is a bound already")
	require.Same(t, split, x.split(whole, "b"), "layouts are kept once")
	moved := x.transfer(whole, 0)
	require.Same(t, whole, x.transfer(moved, 0))

	for name, c := range map[string]struct {
		world *layout
		req   *request
		want  ports.FaultKind
	}{
		"served":               {whole, get(x, whole, 0, "a"), ports.FaultNone},
		"served after a split": {split, get(x, split, 1, "b"), ports.FaultNone},
		"old leader":           {moved, get(x, whole, 0, "a"), ports.FaultNotLeader},
		"old epoch":            {split, get(x, whole, 0, "a"), ports.FaultEpochNotMatch},
		"another region's key": {split, get(x, split, 0, "b"), ports.FaultKeyNotInRegion},
		"unknown region":       {whole, get(x, split, 0, "a"), ports.FaultRegionNotFound},
	} {
		region, fault := c.world.admit(c.req)
		if c.want == ports.FaultNone {
			require.Nil(t, fault, name)
			require.Equal(t, c.req.header.Region, region.RegionVersion, name)
			continue
		}
		require.NotNil(t, fault, name)
		require.Equal(t, c.want, fault.Kind, name)
		done := x.execute(x.engine(&mvcc.Engine{}), c.req, c.world)
		require.True(t, done.refused, name)
		require.Equal(t, faultText(fault), done.reply.text)
	}
	_, fault := split.admit(get(x, whole, 0, "a"))
	require.Equal(t, []ports.Region{split.regions[1], split.regions[0]}, fault.Regions)
	_, fault = moved.admit(get(x, whole, 0, "a"))
	require.Equal(t, moved.regions[0].Leader, fault.Leader.ID)
}

// A view finds regions by a key and by an end.
func TestLayoutView(t *testing.T) {
	x := New(config(0, 0))
	l := x.firstLayout()
	a, b := mvcc.AppendEncoded(nil, []byte("a")), mvcc.AppendEncoded(nil, []byte("b"))
	require.Equal(t, ports.RegionID(1), l.Find(a, 0).ID)
	require.Equal(t, ports.RegionID(2), l.Find(b, 0).ID)
	require.Equal(t, ports.RegionID(1), l.FindByEnd(b, 0).ID)
	require.Equal(t, ports.RegionID(2), l.FindByEnd(nil, 0).ID)
	require.Nil(t, (&layout{}).Find(a, 0))
	require.Nil(t, (&layout{}).FindByEnd(nil, 0))
	require.True(t, l.newer(a, ports.RegionVersion{ID: 9}))
	require.False(t, l.newer(a, l.regions[0].RegionVersion))
	require.Nil(t, x.stores.Store(0))
	require.Nil(t, x.stores.Store(3))
	require.Equal(t, "store2", x.stores.Store(2).Address)
}

// What panics is a violation like any other.
func TestPanicsAreViolations(t *testing.T) {
	c := config(0, 0)
	c.event = func(ev *ports.Event) {
		if ev.Kind == ports.EventTimestamp {
			panic("sabotage")
		}
	}
	require.Equal(t, "c1: panic: sabotage", New(c).Run().Violation)

	c = config(0, 0)
	c.store = func(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
		if req.Verb() == ports.VerbCommit {
			panic("sabotage")
		}
		return Execute(e, x, hdr, req)
	}
	require.Equal(t, "panic in the store: sabotage", New(c).Run().Violation)
	require.Panics(t, func() { Execute(&mvcc.Engine{}, mvcc.Extent{}, nil, &ports.RawGetRequest{}) })
	require.Panics(t, func() { copyRequest(&ports.RawGetRequest{}) })
}

// A machine that goes on and on inside one step is found out, and so is one that wants what only tables may.
func TestSpinning(t *testing.T) {
	x := New(config(0, 0))
	for effect, want := range map[sm.EffectKind]string{
		sm.EffectAsk: "a machine spins: spinner", sm.EffectProbe: "an operation does what only tables do",
	} {
		turn := turn{x: x, edge: &edge{}, world: x.firstLayout(), stepped: true, c: &client{
			program: &x.config.Clients[0], machine: spinner{effect}, phase: running, layout: x.firstLayout(),
		}}
		turn.post(ports.Event{Kind: ports.EventStart})
		turn.run()
		require.Equal(t, want, turn.edge.wrong)
	}
}

// spinner wants something whenever it is stepped.
type spinner struct{ effect sm.EffectKind }

func (s spinner) Step(env *sm.Env, _ *ports.Event, out *sm.Effects) {
	out.List = append(out.List, sm.Effect{Kind: s.effect, Ask: &ports.Ask{}})
}
func (spinner) Done() bool           { return false }
func (spinner) Fingerprint(*sm.Hash) {}
func (spinner) String() string       { return "spinner" }

// A duplicate is executed after the request itself, is not answered, and is not made of what was refused.
func TestDuplicates(t *testing.T) {
	c := config(0, 0, Duplicate)
	x := New(c)
	s := x.first()
	play(t, x, &s, "c1 begins", "c1: prewrite a of T1, to be delivered twice → ok")
	items := s.clients[0].client.items
	require.Equal(t, []itemKind{replyItem, requestItem, lateItem}, []itemKind{items[0].kind, items[1].kind, items[2].kind})
	require.Equal(t, uint8(1), s.spent[Duplicate])
	play(t, x, &s, "c1: prewrite a of T1, late → ok")
	require.Len(t, s.clients[0].client.items, 2)

	x = New(config(0, 0, Duplicate, Split))
	s = x.first()
	play(t, x, &s, "c1 begins", "the region is split at b",
		"c1: prewrite a,b of T1, to be delivered twice → epoch not match")
	items = s.clients[0].client.items
	require.Len(t, items, 1)
	require.Equal(t, replyItem, items[0].kind)
}

// play takes steps by their names.
func play(t *testing.T, x *Explorer, s *state, names ...string) {
	t.Helper()
	for _, name := range names {
		list := x.enabled(s, nil)
		taken := false
		var offered []string
		for _, st := range list {
			offered = append(offered, x.name(s, list, st))
			if !taken && x.name(s, list, st) == name {
				taken = true
				require.Empty(t, x.apply(s, st))
			}
		}
		require.True(t, taken, "%s is none of\n%s", name, strings.Join(offered, "\n"))
	}
}

// Requests of a client that crashes go on alone; the rest of it is gone.
func TestCrash(t *testing.T) {
	x := New(config(0, 0, Crash))
	s := x.first()
	play(t, x, &s, "c1 begins", "c1: prewrite a of T1 → ok", "c1 crashes")
	c := s.clients[0].client
	require.Equal(t, crashed, c.phase)
	require.Nil(t, c.machine)
	require.Equal(t, []item{{kind: lateItem, request: c.items[0].request}}, c.items)
	require.Equal(t, "prewrite b of T1", c.items[0].request.text)
}

// A deadline that passes is noticed with the next event.
func TestDeadline(t *testing.T) {
	x := New(config(3, 0, Late, Lose))
	s := x.first()
	play(t, x, &s, "c2 begins", "c2's deadline passes", "c2 gives up waiting: get a at T1")
	require.Equal(t, finished, s.clients[1].client.phase)
	require.Empty(t, s.clients[1].client.reads)
}

func TestReplayRefusesWhatCannotHappen(t *testing.T) {
	_, err := New(config(0, 0)).Replay("c1 begins\nc1 flies")
	require.EqualError(t, err, `explore: nothing in this state is "c1 flies"`)
	violation, err := New(config(0, 0)).Replay("# a comment\nc1 begins\n")
	require.NoError(t, err)
	require.Empty(t, violation)
}

// A caller that leaves is told that the transaction is aborted, and the client goes on to roll back, wherever the
// region is by then and whoever leads it.
func TestCancel(t *testing.T) {
	x := New(config(0, 0, Split, Transfer, Expire, Cancel))
	s := x.first()
	play(t, x, &s, "c1 begins", "c1's caller leaves", "region 1 gets another leader", "the region is split at b",
		"every lock expires", "c1: rollback a,b of T1 → not leader")
	c := s.clients[0].client
	require.True(t, c.answered && c.left && c.phase == running)
	require.Equal(t, txn.Aborted, c.outcome)
}
