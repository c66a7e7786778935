package sim

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

func (s *station) administer(req ports.AdminRequest) ports.Event {
	s.t.Helper()
	tok := s.tok()
	s.c.Administer(&req, s.w.now.Add(3*time.Second), tok, s)
	return s.await(tok.Gen)
}

// TestBarriersExpire: a barrier holds during the second in which it ends, which is rounded up twice, and is told until
// somebody is in its way (PD: pkg/storage/endpoint/gc_states.go: NewGCBarrier, IsExpired).
func TestBarriersExpire(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.w.now = ports.Instant(1300 * time.Millisecond)
	set := ports.AdminRequest{
		Kind: ports.AdminSetBarrier, Keyspace: ports.NullKeyspace, Name: "b", TS: 10, TTL: 1500 * time.Millisecond,
	}
	// Until 1.3 s + 2 s = 3.3 s, and so until 4 s.
	require.Equal(t, 2*time.Second, s.w.administer(&set).Barrier.TTL)
	global := set
	global.Kind, global.TS = ports.AdminSetGlobalBarrier, 20
	s.w.administer(&global)
	advance := &ports.AdminRequest{Kind: ports.AdminAdvanceTxnSafePoint, Keyspace: ports.NullKeyspace, TS: 30}
	s.w.now = ports.Instant(4 * time.Second)
	a := s.w.administer(advance)
	require.EqualValues(t, 10, a.New)
	const blocker = `GCBarrier { BarrierID: "b", BarrierTS: 10, ExpirationTime: "2026-01-01 00:00:04 +0000 UTC" }`
	require.Equal(t, blocker, a.Blocker)
	s.w.now++
	state := &ports.AdminRequest{Kind: ports.AdminGCState, Keyspace: ports.NullKeyspace, Barriers: true}
	require.Equal(t, []ports.Barrier{{Name: "b", TS: 10}}, s.w.administer(state).GC.Barriers, "expired, not forgotten")
	a = s.w.administer(advance)
	require.EqualValues(t, 30, a.New, "neither barrier holds any more")
	require.Empty(t, a.Blocker)
	require.Empty(t, s.w.administer(state).GC.Barriers)

	set.TS, set.TTL = 40, ports.Forever-1
	require.Equal(t, ports.Forever, s.w.administer(&set).Barrier.TTL)
	advance.TS = 50
	require.Contains(t, s.w.administer(advance).Blocker, `ExpirationTime: "<nil>"`)
	s.w.administer(&ports.AdminRequest{Kind: ports.AdminDeleteBarrier, Keyspace: ports.NullKeyspace, Name: "b"})
	global.TS, global.TTL = 45, ports.Forever
	s.w.administer(&global)
	require.Contains(t, s.w.administer(advance).Blocker, `GlobalGCBarrier { BarrierID: "b", BarrierTS: 45`)
}

// TestBarrierBehindTheSafePoint: a barrier that PD would not take any more keeps the safe point where it is.
func TestBarrierBehindTheSafePoint(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	state := s.w.pd.gcState(ports.NullKeyspace)
	state.txn = 30
	state.barriers.set(barrier{name: "old", ts: 20, forever: true})
	a := s.w.administer(&ports.AdminRequest{
		Kind: ports.AdminAdvanceTxnSafePoint, Keyspace: ports.NullKeyspace, TS: 40,
	})
	require.Equal(t, [2]ports.Timestamp{30, 30}, [2]ports.Timestamp{a.Old, a.New})
}

// TestChangesOutliveTheirAnswers: PD may have done what a client hears nothing of.
func TestChangesOutliveTheirAnswers(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteOracleDelay: {0, 15}}})
	tok := s.tok()
	advance := ports.AdminRequest{Kind: ports.AdminAdvanceTxnSafePoint, Keyspace: ports.NullKeyspace, TS: 30}
	s.c.Administer(&advance, s.w.now+8*travelTime, tok, s)
	require.Equal(t, ports.EventRefused, s.await(tok.Gen).Kind)
	require.Equal(t, []ports.GCState{{Keyspace: ports.NullKeyspace, TxnSafePoint: 30}}, s.w.GCStates())
	s.w.SilencePD(ports.Forever)
	advance.TS = 40
	require.Equal(t, ports.EventRefused, s.administer(advance).Kind)
	require.EqualValues(t, 30, s.w.GCStates()[0].TxnSafePoint, "a silent PD does nothing")
}

func TestKeyspaces(t *testing.T) {
	spaces := []ports.Keyspace{{ID: 0xFFFFFF, Name: "z"}, {ID: 2, Name: "a"}}
	s := newStation(t, Config{Chooser: Boring{}, Keyspaces: spaces})
	byName := func(name string) *ports.AdminReply {
		return s.administer(ports.AdminRequest{Kind: ports.AdminKeyspace, Name: name}).Admin
	}
	require.Equal(t, ports.Keyspace{Name: "DEFAULT"}, byName("DEFAULT").Keyspace)
	var bounds []string
	for _, r := range s.w.Regions()[1:] {
		bounds = append(bounds, fmt.Sprintf("%x", r.Range.Start))
	}
	require.Equal(t, []string{
		"7800000200000000fb", "7800000300000000fb", "78ffffff00000000fb", "7900000000000000fb",
	}, bounds, "each keyspace has a region of its own")

	// PD: pkg/keyspace/util.go: stateTransitionTable.
	for _, step := range []struct {
		to ports.KeyspaceState
		ok bool
	}{
		{ports.KeyspaceArchived, false}, {ports.KeyspaceTombstone, false}, {ports.KeyspaceEnabled, true},
		{ports.KeyspaceDisabled, true}, {ports.KeyspaceTombstone, false}, {ports.KeyspaceEnabled, true},
		{ports.KeyspaceDisabled, true}, {ports.KeyspaceDisabled, true}, {ports.KeyspaceArchived, true},
		{ports.KeyspaceEnabled, false}, {ports.KeyspaceArchived, true}, {ports.KeyspaceTombstone, true},
		{ports.KeyspaceArchived, false}, {ports.KeyspaceTombstone, true},
	} {
		err := s.w.SetKeyspaceState(2, step.to)
		if step.ok {
			require.NoError(t, err)
			require.Equal(t, step.to, byName("a").Keyspace.State)
		} else {
			require.ErrorIs(t, err, ErrKeyspace)
		}
	}
	require.ErrorIs(t, s.w.SetKeyspaceState(0, ports.KeyspaceDisabled), ErrKeyspace)
	require.ErrorIs(t, s.w.SetKeyspaceState(9, ports.KeyspaceDisabled), ErrKeyspace)
	for _, list := range [][]ports.Keyspace{
		{{ID: 0, Name: "a"}}, {{ID: 0x1000000, Name: "a"}}, {{ID: 1}}, {{ID: 1, Name: "a b"}},
		{{ID: 1, Name: "a23456789012345678901"}}, {{ID: 1, Name: "a"}, {ID: 1, Name: "b"}},
		{{ID: 1, Name: "a"}, {ID: 2, Name: "a"}}, {{ID: 1, Name: "DEFAULT"}},
	} {
		_, err := New(Config{Keyspaces: list})
		require.ErrorIs(t, err, ErrConfig, "%v", list)
	}
}

// TestGreatestKeyspace: the ids behind it are the null keyspace's.
func TestGreatestKeyspace(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Keyspaces: []ports.Keyspace{{ID: 0xFFFFFF, Name: "z", OwnGC: true}}})
	for id, want := range map[ports.KeyspaceID]ports.KeyspaceID{0xFFFFFF: 0xFFFFFF, 0x1000000: ports.NullKeyspace} {
		got := s.w.administer(&ports.AdminRequest{Kind: ports.AdminGCState, Keyspace: id})
		require.Equal(t, want, got.GC.Keyspace)
	}
}

// TestDisabledKeyspacesCountForNothing: a global barrier may lie behind the safe point of a keyspace out of service.
func TestDisabledKeyspacesCountForNothing(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Keyspaces: []ports.Keyspace{{ID: 2, Name: "a", OwnGC: true}}})
	s.w.administer(&ports.AdminRequest{Kind: ports.AdminAdvanceTxnSafePoint, Keyspace: 2, TS: 30})
	set := &ports.AdminRequest{Kind: ports.AdminSetGlobalBarrier, Name: "b", TS: 20, TTL: ports.Forever}
	require.Equal(t, ports.AdminRefusedBehindTxn, s.w.administer(set).Refusal)
	require.NoError(t, s.w.SetKeyspaceState(2, ports.KeyspaceDisabled))
	require.Equal(t, ports.AdminAccepted, s.w.administer(set).Refusal)
}

func TestScatter(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteScatter: {1}}, Splits: [][]byte{[]byte("m")}})
	r := s.w.regions.ordered[0]
	scatter := func(group string, regions ...ports.RegionID) *ports.AdminReply {
		return s.w.administer(&ports.AdminRequest{Kind: ports.AdminScatter, Group: group, Regions: regions})
	}
	scattering := func() bool {
		return s.w.administer(&ports.AdminRequest{Kind: ports.AdminScattering, Region: r.ID}).Scattering
	}
	led := r.Leader
	require.Empty(t, scatter("g", r.ID).Failed)
	require.True(t, scattering())
	require.Empty(t, scatter("g", r.ID).Failed, "once more for the same reason")
	require.Equal(t, []ports.RegionID{r.ID}, scatter("h", r.ID).Failed, "it is being scattered for another reason")
	r.Epoch.Version++
	require.Equal(t, []ports.RegionID{r.ID}, scatter("g", r.ID).Failed, "the region has changed meanwhile")
	require.Equal(t, led, r.Leader)
	s.rest()
	require.False(t, scattering())
	require.Equal(t, r.Peers[1].ID, r.Leader, "the next peer leads")
	require.Empty(t, scatter("g", r.ID).Failed)
	require.False(t, scattering(), "it lies well now")

	s.w.Crash(r.Peers[1].Store)
	require.Equal(t, []ports.RegionID{r.ID}, scatter("g", r.ID).Failed, "a region without a leader")
	require.Equal(t, ports.AdminRefusedNoRegion, scatter("").Refusal)
	require.Equal(t, ports.AdminRefusedNoRegion, scatter("", 999).Refusal)
	require.Equal(t, ports.AdminRefusedOther, scatter("", 998, 999).Refusal)
}

func TestStoreRecords(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	labels := []ports.Label{{Key: "zone", Value: "z1"}}
	s.w.SetStoreRecord(1, StoreRecord{State: ports.StoreOffline, Labels: labels})
	s.w.SetStoreRecord(2, StoreRecord{NoAddress: true})
	s.w.SetStoreRecord(3, StoreRecord{State: ports.StoreTombstone})
	offline := ports.Store{ID: 1, Address: "store-1:20160", State: ports.StoreOffline, Labels: labels}
	require.Equal(t, []ports.Store{offline, {ID: 2}}, s.ask(ports.Query{Kind: ports.QueryStores}).Stores)
	tombstone := s.ask(ports.Query{Kind: ports.QueryStore, Store: 3}).Stores
	require.Equal(t, []ports.Store{{ID: 3, Address: "store-3:20160", State: ports.StoreTombstone}}, tombstone)
	s.w.SetStoreRecord(2, StoreRecord{})
	require.Equal(t, "store-2:20160", s.ask(ports.Query{Kind: ports.QueryStore, Store: 2}).Stores[0].Address)
}

// gcModel is what PD does about GC, in as few words as possible: one map for each thing.
type gcModel struct {
	txn, gc map[ports.KeyspaceID]ports.Timestamp
	// held is by keyspace and name; global barriers belong to everyKeyspace.
	held map[modelBarrier]modelHold
}

type modelBarrier struct {
	keyspace ports.KeyspaceID
	name     string
}

type modelHold struct {
	ts    ports.Timestamp
	until int64 // the last second of its life
}

const everyKeyspace ports.KeyspaceID = 1 << 30

// limit is the lowest timestamp that a keyspace is held at.
func (m *gcModel) limit(k ports.KeyspaceID, nanos int64) ports.Timestamp {
	limit := ports.MaxTimestamp
	for b, h := range m.held {
		if (b.keyspace == k || b.keyspace == everyKeyspace) && nanos <= h.until*1e9 {
			limit = min(limit, h.ts)
		}
	}
	return limit
}

// TestGCStatesAgainstModel: whatever is asked of PD, in whatever order and however late, its safe points and what it
// refuses are those of the model.
func TestGCStatesAgainstModel(t *testing.T) {
	spaces := []ports.Keyspace{
		{ID: 1, Name: "own", OwnGC: true}, {ID: 2, Name: "other", OwnGC: true}, {ID: 3, Name: "not"},
	}
	rapid.Check(t, func(t *rapid.T) {
		w, err := New(Config{Chooser: Boring{}, Keyspaces: spaces})
		require.NoError(t, err)
		m := &gcModel{
			txn: map[ports.KeyspaceID]ports.Timestamp{}, gc: map[ports.KeyspaceID]ports.Timestamp{},
			held: map[modelBarrier]modelHold{},
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.now += ports.Instant(rapid.IntRange(0, 3).Draw(t, "pause")) * ports.Instant(700*time.Millisecond)
			m.step(t, w)
		}
	})
}

func (m *gcModel) step(t *rapid.T, w *World) {
	asked := rapid.SampledFrom([]ports.KeyspaceID{1, 2, 3, ports.NullKeyspace, 0x1000000}).Draw(t, "keyspace")
	k := asked
	if k > 2 {
		k = ports.NullKeyspace
	}
	req := &ports.AdminRequest{
		Kind: rapid.SampledFrom([]ports.AdminKind{
			ports.AdminGCState, ports.AdminAdvanceTxnSafePoint, ports.AdminAdvanceGCSafePoint, ports.AdminSetBarrier,
			ports.AdminDeleteBarrier, ports.AdminSetGlobalBarrier, ports.AdminDeleteGlobalBarrier,
		}).Draw(t, "kind"),
		Keyspace: asked, Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"),
		TS: ports.Timestamp(rapid.IntRange(0, 20).Draw(t, "ts")), TTL: 2 * time.Second,
	}
	nanos := w.config.Epoch*1e6 + int64(w.now)
	got := w.administer(req)
	why := ports.AdminAccepted
	switch req.Kind {
	case ports.AdminAdvanceTxnSafePoint:
		switch {
		case asked == 3:
			why = ports.AdminRefusedSharedGC
		case req.TS < m.txn[k]:
			why = ports.AdminRefusedDecreasing
		default:
			m.txn[k] = max(m.txn[k], min(req.TS, m.limit(k, nanos)))
			require.Equal(t, m.txn[k], got.New)
			require.Equal(t, got.Blocker != "", m.limit(k, nanos) < req.TS)
		}
	case ports.AdminAdvanceGCSafePoint:
		switch {
		case asked == 3:
			why = ports.AdminRefusedSharedGC
		case req.TS < m.gc[k]:
			why = ports.AdminRefusedDecreasing
		case req.TS > m.txn[k]:
			why = ports.AdminRefusedBeyondTxn
		default:
			m.gc[k] = req.TS
		}
	case ports.AdminSetBarrier, ports.AdminSetGlobalBarrier:
		behind := m.txn[k]
		if req.Kind == ports.AdminSetGlobalBarrier {
			k, behind = everyKeyspace, slices.Max(append(slices.Collect(maps.Values(m.txn)), 0))
		}
		if req.TS < behind {
			why = ports.AdminRefusedBehindTxn
			break
		}
		m.held[modelBarrier{k, req.Name}] = modelHold{req.TS, (nanos + 2e9 + 1e9 - 1) / 1e9}
	case ports.AdminDeleteBarrier, ports.AdminDeleteGlobalBarrier:
		if req.Kind == ports.AdminDeleteGlobalBarrier {
			k = everyKeyspace
		}
		delete(m.held, modelBarrier{k, req.Name})
	default:
		require.Equal(t, ports.GCState{Keyspace: k, TxnSafePoint: m.txn[k], GCSafePoint: m.gc[k]}, got.GC)
	}
	require.Equal(t, why, got.Refusal)
	for _, s := range w.GCStates() {
		require.LessOrEqual(t, s.GCSafePoint, s.TxnSafePoint)
	}
}

// TestScatterMovesPeers: where there are more stores than peers, one of them moves, and that takes its time.
func TestScatterMovesPeers(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteScatter: {3}}, Stores: 4})
	r := s.w.regions.ordered[0]
	scatter := &ports.AdminRequest{Kind: ports.AdminScatter, Regions: []ports.RegionID{r.ID}}
	scattering := func() bool {
		return s.w.administer(&ports.AdminRequest{Kind: ports.AdminScattering, Region: r.ID}).Scattering
	}
	require.Empty(t, s.w.administer(scatter).Failed)
	require.True(t, scattering())
	_, there := r.PeerOn(4)
	require.False(t, there)
	s.rest()
	require.False(t, scattering())
	_, there = r.PeerOn(4)
	require.True(t, there)
	_, there = r.PeerOn(2)
	require.False(t, there, "the peer behind the leader has gone")

	require.True(t, s.w.MovePeer(r.ID, 4, 2))
	require.Equal(t, scatter.Regions, s.w.administer(scatter).Failed, "PD moves a peer for a reason of its own")
}
