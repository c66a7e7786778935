package porttest

import (
	"reflect"
	"testing"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// AdminRig is a [ports.Admin] with a PD behind it whose GC states are all as they were in the beginning.
type AdminRig struct {
	Host
	Admin ports.Admin
	// Own is a keyspace with a GC of its own, Shared one without.
	Own, Shared ports.Keyspace
	// Regions are two regions that PD knows; both have leaders.
	Regions []ports.RegionID
	// Silence makes PD take requests and give no answers until Continue.
	Silence, Continue func()
	// Close closes the adapter.
	Close func()
}

// Admin runs the contract of [ports.Admin].
func Admin(t *testing.T, open func(t *testing.T) *AdminRig) {
	t.Helper()
	for _, c := range adminContract {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t)) })
	}
}

var adminContract = []clause[*AdminRig]{
	{"safe points only grow", safePointsGrow},
	{"the GC safe point stays behind the txn safe point", gcSafePointBehind},
	{"a barrier holds the txn safe point", barrierHolds},
	{"a barrier is told, replaced and deleted", barrierLife},
	{"barriers that make no sense are refused", barrierRefused},
	{"a global barrier holds in every keyspace", globalBarrierHolds},
	{"keyspaces have the GC state of their own, or share one", keyspaceStates},
	{"keyspaces are found by name and by id", keyspacesFound},
	{"regions are scattered", scatters},
	{"nothing of a request is kept", adminNotKept},
	{"a request ends at its deadline", adminDeadline},
	{"close answers everything", adminClose},
}

// do asks PD and expects an answer.
func (r *AdminRig) do(t *testing.T, req ports.AdminRequest) *ports.AdminReply {
	t.Helper()
	box := newInbox(t, r.Host)
	r.Admin.Administer(&req, r.Clock.Now().Add(long), tok(1), box)
	ev := box.awaitTok(tok(1))
	if ev.Kind != ports.EventPlaced || ev.Admin == nil {
		t.Fatalf("got %s instead of an answer", kinds([]ports.Event{ev}))
	}
	return ev.Admin
}

// accept asks PD and expects that it agrees.
func (r *AdminRig) accept(t *testing.T, req ports.AdminRequest) *ports.AdminReply {
	t.Helper()
	a := r.do(t, req)
	if a.Refusal != ports.AdminAccepted {
		t.Fatalf("PD refuses %+v: %d", req, a.Refusal)
	}
	return a
}

// refuse asks PD and expects a refusal, and nothing else.
func (r *AdminRig) refuse(t *testing.T, req ports.AdminRequest, why ports.AdminRefusal) {
	t.Helper()
	if a := r.do(t, req); !reflect.DeepEqual(a, &ports.AdminReply{Refusal: why}) {
		t.Fatalf("PD answers %+v to %+v instead of refusal %d", a, req, why)
	}
}

// expect compares a part of an answer.
func expect[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v instead of %+v", got, want)
	}
}

func advanceTxn(k ports.KeyspaceID, ts ports.Timestamp) ports.AdminRequest {
	return ports.AdminRequest{Kind: ports.AdminAdvanceTxnSafePoint, Keyspace: k, TS: ts}
}

func advanceGC(k ports.KeyspaceID, ts ports.Timestamp) ports.AdminRequest {
	return ports.AdminRequest{Kind: ports.AdminAdvanceGCSafePoint, Keyspace: k, TS: ts}
}

func setBarrier(k ports.KeyspaceID, name string, ts ports.Timestamp, ttl time.Duration) ports.AdminRequest {
	return ports.AdminRequest{Kind: ports.AdminSetBarrier, Keyspace: k, Name: name, TS: ts, TTL: ttl}
}

func (r *AdminRig) state(t *testing.T, k ports.KeyspaceID) ports.GCState {
	t.Helper()
	return r.accept(t, ports.AdminRequest{Kind: ports.AdminGCState, Keyspace: k, Barriers: true}).GC
}

func safePointsGrow(t *testing.T, r *AdminRig) {
	const null = ports.NullKeyspace
	expect(t, r.state(t, null), ports.GCState{Keyspace: null})
	a := r.accept(t, advanceTxn(null, 20))
	expect(t, [2]ports.Timestamp{a.Old, a.New}, [2]ports.Timestamp{0, 20})
	a = r.accept(t, advanceTxn(null, 20))
	expect(t, [2]ports.Timestamp{a.Old, a.New}, [2]ports.Timestamp{20, 20})
	r.refuse(t, advanceTxn(null, 19), ports.AdminRefusedDecreasing)
	a = r.accept(t, advanceGC(null, 10))
	expect(t, [2]ports.Timestamp{a.Old, a.New}, [2]ports.Timestamp{0, 10})
	r.accept(t, advanceGC(null, 10))
	r.refuse(t, advanceGC(null, 9), ports.AdminRefusedDecreasing)
	expect(t, r.state(t, null), ports.GCState{Keyspace: null, TxnSafePoint: 20, GCSafePoint: 10})
}

func gcSafePointBehind(t *testing.T, r *AdminRig) {
	const null = ports.NullKeyspace
	r.refuse(t, advanceGC(null, 1), ports.AdminRefusedBeyondTxn)
	r.accept(t, advanceTxn(null, 20))
	r.refuse(t, advanceGC(null, 21), ports.AdminRefusedBeyondTxn)
	r.accept(t, advanceGC(null, 20))
	expect(t, r.state(t, null), ports.GCState{Keyspace: null, TxnSafePoint: 20, GCSafePoint: 20})
}

func barrierHolds(t *testing.T, r *AdminRig) {
	const null = ports.NullKeyspace
	r.accept(t, setBarrier(null, "backup", 30, ports.Forever))
	r.accept(t, setBarrier(null, "cdc", 25, ports.Forever))
	a := r.accept(t, advanceTxn(null, 25))
	expect(t, [2]any{a.New, a.Blocker}, [2]any{ports.Timestamp(25), ""})
	if a = r.accept(t, advanceTxn(null, 40)); a.New != 25 || a.Old != 25 || a.Blocker == "" {
		t.Fatalf("the lower barrier does not hold: %+v", a)
	}
	r.accept(t, ports.AdminRequest{Kind: ports.AdminDeleteBarrier, Keyspace: null, Name: "cdc"})
	if a = r.accept(t, advanceTxn(null, 40)); a.New != 30 || a.Old != 25 || a.Blocker == "" {
		t.Fatalf("the higher barrier does not hold: %+v", a)
	}
	r.accept(t, ports.AdminRequest{Kind: ports.AdminDeleteBarrier, Keyspace: null, Name: "backup"})
	a = r.accept(t, advanceTxn(null, 40))
	expect(t, [2]any{a.New, a.Blocker}, [2]any{ports.Timestamp(40), ""})
}

func barrierLife(t *testing.T, r *AdminRig) {
	const null = ports.NullKeyspace
	expect(t, r.accept(t, setBarrier(null, "b", 5, ports.Forever)).Barrier,
		ports.Barrier{Name: "b", TS: 5, TTL: ports.Forever})
	a := r.accept(t, setBarrier(null, "a", 7, time.Hour-time.Millisecond))
	if b := a.Barrier; b.Name != "a" || b.TS != 7 || b.TTL < time.Hour || b.TTL > time.Hour+2*time.Second {
		t.Fatalf("a barrier of an hour is told as %+v", b)
	}
	got := r.state(t, null).Barriers
	if len(got) != 2 || got[0].Name != "a" || got[1] != (ports.Barrier{Name: "b", TS: 5, TTL: ports.Forever}) {
		t.Fatalf("the barriers are %+v", got)
	}
	without := r.accept(t, ports.AdminRequest{Kind: ports.AdminGCState, Keyspace: null})
	expect(t, without.GC, ports.GCState{Keyspace: null})

	r.accept(t, setBarrier(null, "b", 3, ports.Forever))
	remove := ports.AdminRequest{Kind: ports.AdminDeleteBarrier, Keyspace: null, Name: "b"}
	a = r.accept(t, remove)
	expect(t, [2]any{a.Found, a.Barrier}, [2]any{true, ports.Barrier{Name: "b", TS: 3, TTL: ports.Forever}})
	a = r.accept(t, remove)
	expect(t, [2]any{a.Found, a.Barrier}, [2]any{false, ports.Barrier{}})
}

func barrierRefused(t *testing.T, r *AdminRig) {
	const null = ports.NullKeyspace
	r.accept(t, advanceTxn(null, 20))
	r.refuse(t, setBarrier(null, "b", 19, ports.Forever), ports.AdminRefusedBehindTxn)
	r.accept(t, setBarrier(null, "b", 20, ports.Forever))
	r.refuse(t, setBarrier(null, "b", 30, 0), ports.AdminRefusedArgument)
	r.refuse(t, setBarrier(null, "", 30, ports.Forever), ports.AdminRefusedArgument)
	r.refuse(t, setBarrier(null, "gc_worker", 30, ports.Forever), ports.AdminRefusedReserved)
	for name, why := range map[string]ports.AdminRefusal{
		"": ports.AdminRefusedArgument, "gc_worker": ports.AdminRefusedReserved,
	} {
		r.refuse(t, ports.AdminRequest{Kind: ports.AdminDeleteBarrier, Keyspace: null, Name: name}, why)
	}
	for _, req := range []ports.AdminRequest{
		{Kind: ports.AdminSetGlobalBarrier, Name: "b", TS: 30, TTL: 0},
		{Kind: ports.AdminSetGlobalBarrier, TS: 30, TTL: ports.Forever},
		{Kind: ports.AdminDeleteGlobalBarrier},
	} {
		r.refuse(t, req, ports.AdminRefusedArgument)
	}
	r.refuse(t, ports.AdminRequest{
		Kind: ports.AdminSetGlobalBarrier, Name: "b", TS: 19, TTL: ports.Forever,
	}, ports.AdminRefusedBehindTxn)
}

func globalBarrierHolds(t *testing.T, r *AdminRig) {
	set := ports.AdminRequest{Kind: ports.AdminSetGlobalBarrier, Name: "all", TS: 30, TTL: ports.Forever}
	expect(t, r.accept(t, set).Barrier, ports.Barrier{Name: "all", TS: 30, TTL: ports.Forever})
	for _, k := range []ports.KeyspaceID{ports.NullKeyspace, r.Own.ID} {
		if a := r.accept(t, advanceTxn(k, 40)); a.New != 30 || a.Blocker == "" {
			t.Fatalf("keyspace %d is not held: %+v", k, a)
		}
		expect(t, r.state(t, k).Barriers, nil)
	}
	remove := ports.AdminRequest{Kind: ports.AdminDeleteGlobalBarrier, Name: "all"}
	a := r.accept(t, remove)
	expect(t, [2]any{a.Found, a.Barrier}, [2]any{true, ports.Barrier{Name: "all", TS: 30, TTL: ports.Forever}})
	expect(t, r.accept(t, remove).Found, false)
	expect(t, r.accept(t, advanceTxn(r.Own.ID, 40)).New, 40)
	set.TS = 39
	r.refuse(t, set, ports.AdminRefusedBehindTxn)
}

func keyspaceStates(t *testing.T, r *AdminRig) {
	r.accept(t, advanceTxn(r.Own.ID, 50))
	r.accept(t, advanceTxn(ports.NullKeyspace, 20))
	r.accept(t, setBarrier(r.Own.ID, "own", 60, ports.Forever))
	r.accept(t, setBarrier(r.Shared.ID, "shared", 30, ports.Forever))
	expect(t, r.state(t, r.Own.ID), ports.GCState{
		Keyspace: r.Own.ID, TxnSafePoint: 50, Barriers: []ports.Barrier{{Name: "own", TS: 60, TTL: ports.Forever}},
	})
	shared := ports.GCState{
		Keyspace: ports.NullKeyspace, TxnSafePoint: 20,
		Barriers: []ports.Barrier{{Name: "shared", TS: 30, TTL: ports.Forever}},
	}
	expect(t, r.state(t, r.Shared.ID), shared)
	expect(t, r.state(t, ports.NullKeyspace), shared)
	r.refuse(t, advanceTxn(r.Shared.ID, 60), ports.AdminRefusedSharedGC)
	r.refuse(t, advanceGC(r.Shared.ID, 1), ports.AdminRefusedSharedGC)
	const unknown = 0xABCDEF
	r.refuse(t, advanceTxn(unknown, 60), ports.AdminRefusedNoKeyspace)
	r.refuse(t, setBarrier(unknown, "b", 60, ports.Forever), ports.AdminRefusedNoKeyspace)
	r.refuse(t, ports.AdminRequest{Kind: ports.AdminGCState, Keyspace: unknown}, ports.AdminRefusedNoKeyspace)
	r.refuse(t, ports.AdminRequest{
		Kind: ports.AdminDeleteBarrier, Keyspace: unknown, Name: "b",
	}, ports.AdminRefusedNoKeyspace)
}

func keyspacesFound(t *testing.T, r *AdminRig) {
	for _, k := range []ports.Keyspace{r.Own, r.Shared} {
		expect(t, r.accept(t, ports.AdminRequest{Kind: ports.AdminKeyspace, Name: k.Name}).Keyspace, k)
		expect(t, r.accept(t, ports.AdminRequest{Kind: ports.AdminKeyspaceByID, Keyspace: k.ID}).Keyspace, k)
	}
	r.refuse(t, ports.AdminRequest{Kind: ports.AdminKeyspace, Name: "nobody"}, ports.AdminRefusedNoKeyspace)
	r.refuse(t, ports.AdminRequest{Kind: ports.AdminKeyspaceByID, Keyspace: 0xABCDEF}, ports.AdminRefusedNoKeyspace)
}

func scatters(t *testing.T, r *AdminRig) {
	const unknown = 999_999_999
	expect(t, r.accept(t, ports.AdminRequest{Kind: ports.AdminScatter, Regions: r.Regions}).Failed, nil)
	for _, id := range r.Regions {
		for r.accept(t, ports.AdminRequest{Kind: ports.AdminScattering, Region: id}).Scattering {
		}
	}
	some := []ports.RegionID{r.Regions[0], unknown}
	expect(t, r.accept(t, ports.AdminRequest{
		Kind: ports.AdminScatter, Regions: some, Group: "g",
	}).Failed, []ports.RegionID{unknown})
	r.refuse(t, ports.AdminRequest{
		Kind: ports.AdminScatter, Regions: []ports.RegionID{unknown},
	}, ports.AdminRefusedNoRegion)
	expect(t, r.accept(t, ports.AdminRequest{Kind: ports.AdminScattering, Region: unknown}).Scattering, false)
}

func adminNotKept(t *testing.T, r *AdminRig) {
	box := newInbox(t, r.Host)
	req := &ports.AdminRequest{Kind: ports.AdminScatter, Regions: []ports.RegionID{r.Regions[0], r.Regions[1]}}
	r.Admin.Administer(req, r.Clock.Now().Add(long), tok(1), box)
	clear(req.Regions)
	*req = ports.AdminRequest{}
	ev := box.awaitTok(tok(1))
	if ev.Kind != ports.EventPlaced || len(ev.Admin.Failed) != 0 {
		t.Fatalf("got %s", kinds([]ports.Event{ev}))
	}
}

func adminDeadline(t *testing.T, r *AdminRig) {
	box := newInbox(t, r.Host)
	r.state(t, ports.NullKeyspace)
	r.Silence()
	deadline := r.Clock.Now().Add(short)
	const n = 20
	for i := range n {
		r.Admin.Administer(&ports.AdminRequest{Kind: ports.AdminGCState}, deadline, tok(i), box)
	}
	for i := range n {
		ev := box.awaitTok(tok(i))
		refused(t, ev, ports.CauseTimeout)
		if late := ev.Now.Sub(deadline); late > time.Second {
			t.Fatalf("refused %s after the deadline", late)
		}
	}
	r.Continue()
	r.state(t, ports.NullKeyspace)
}

func adminClose(t *testing.T, r *AdminRig) {
	const n = 20
	box := newInbox(t, r.Host)
	r.Silence()
	for i := range n {
		r.Admin.Administer(&ports.AdminRequest{Kind: ports.AdminGCState}, r.Clock.Now().Add(long), tok(i), box)
	}
	r.Close()
	for i := range n {
		if ev := box.awaitTok(tok(i)); ev.Kind != ports.EventPlaced {
			refused(t, ev, ports.CauseClosed)
		}
	}
	r.Admin.Administer(&ports.AdminRequest{Kind: ports.AdminGCState}, r.Clock.Now().Add(long), tok(n), box)
	refused(t, box.awaitTok(tok(n)), ports.CauseClosed)
	r.Continue()
}
