package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// The rules of this file are those of PD: pkg/gc/gc_state_manager.go. Left out is what serves versions of TiDB that do
// not know GC barriers yet: start timestamps in etcd, and service safe points.

// gcState is how far the garbage of one keyspace is collected.
type gcState struct {
	keyspace ports.KeyspaceID
	txn, gc  ports.Timestamp
	barriers barriers
}

// barriers are ordered by name.
type barriers []barrier

type barrier struct {
	name string
	ts   ports.Timestamp
	// expires is a second since 1970; the barrier holds during all of it.
	expires time.Time
	forever bool
}

// reservedBarrier is PD's own (pkg/utils/keypath: GCWorkerServiceSafePointID).
const reservedBarrier = "gc_worker"

// wallClock is PD's clock.
func (w *World) wallClock() time.Time {
	return time.UnixMilli(w.config.Epoch).Add(time.Duration(w.now)).UTC()
}

func (b *barrier) expired(now time.Time) bool { return !b.forever && now.After(b.expires) }

// describe names what is in the way as PD does (pkg/storage/endpoint/gc_states.go: String).
func (b *barrier) describe(kind string) string {
	expires := "<nil>"
	if !b.forever {
		expires = b.expires.String()
	}
	return fmt.Sprintf("%s { BarrierID: %+q, BarrierTS: %d, ExpirationTime: %+q }", kind, b.name, b.ts, expires)
}

// info is what PD tells of a barrier: what is left of its life, in whole seconds (server/gc_service.go:
// gcBarrierToProto).
func (b *barrier) info(now time.Time) ports.Barrier {
	told := ports.Barrier{Name: b.name, TS: b.ts, TTL: ports.Forever}
	if !b.forever {
		told.TTL = max(b.expires.Sub(now).Truncate(time.Second), 0)
	}
	return told
}

func (l *barriers) find(name string) (int, bool) {
	return slices.BinarySearchFunc(*l, name, func(b barrier, name string) int { return strings.Compare(b.name, name) })
}

func (l *barriers) set(b barrier) {
	i, found := l.find(b.name)
	if found {
		(*l)[i] = b
		return
	}
	*l = slices.Insert(*l, i, b)
}

// remove takes a barrier out and tells what it was.
func (l *barriers) remove(name string, now time.Time, a *ports.AdminReply) {
	i, found := l.find(name)
	if !found {
		return
	}
	a.Found, a.Barrier = true, (*l)[i].info(now)
	*l = slices.Delete(*l, i, i+1)
}

// lowest returns the barrier that is in the way of a target, the first of several, and forgets those that have expired.
func (l *barriers) lowest(target ports.Timestamp, now time.Time) *barrier {
	*l = slices.DeleteFunc(*l, func(b barrier) bool { return b.expired(now) })
	var found *barrier
	for i := range *l {
		if b := &(*l)[i]; b.ts < target {
			found, target = b, b.ts
		}
	}
	return found
}

// gcState returns the state of a keyspace, nil with the reason when there is none: one without a GC of its own shares
// that of the null keyspace, as long as it is not to manage it (redirectKeyspace).
func (w *World) gcState(id ports.KeyspaceID, manage bool) (*gcState, ports.AdminRefusal) {
	if id <= maxKeyspace {
		switch k := w.keyspaceByID(id); {
		case k == nil:
			return nil, ports.AdminRefusedNoKeyspace
		case !k.OwnGC && manage:
			return nil, ports.AdminRefusedSharedGC
		case k.OwnGC:
			return w.pd.gcState(id), ports.AdminAccepted
		}
	}
	return w.pd.gcState(ports.NullKeyspace), ports.AdminAccepted
}

func (d *driver) gcState(id ports.KeyspaceID) *gcState {
	for _, s := range d.states {
		if s.keyspace == id {
			return s
		}
	}
	s := &gcState{keyspace: id}
	d.states = append(d.states, s)
	return s
}

func (w *World) tellGCState(req *ports.AdminRequest, a *ports.AdminReply) {
	s, refusal := w.gcState(req.Keyspace, false)
	if s == nil {
		refused(a, refusal)
		return
	}
	a.GC = ports.GCState{Keyspace: s.keyspace, TxnSafePoint: s.txn, GCSafePoint: s.gc}
	if !req.Barriers {
		return
	}
	now := w.wallClock()
	for i := range s.barriers {
		a.GC.Barriers = append(a.GC.Barriers, s.barriers[i].info(now))
	}
}

// advanceTxnSafePoint moves the txn safe point as far as it may go: not beyond a barrier, and never back, also when a
// barrier lies behind it.
func (w *World) advanceTxnSafePoint(req *ports.AdminRequest, a *ports.AdminReply) {
	s, refusal := w.gcState(req.Keyspace, true)
	switch {
	case s == nil:
		refused(a, refusal)
		return
	case req.TS < s.txn:
		refused(a, ports.AdminRefusedDecreasing)
		return
	}
	now, target := w.wallClock(), req.TS
	if b := s.barriers.lowest(target, now); b != nil {
		target, a.Blocker = b.ts, b.describe("GCBarrier")
	}
	if b := w.pd.global.lowest(target, now); b != nil {
		target, a.Blocker = b.ts, b.describe("GlobalGCBarrier")
	}
	a.Old = s.txn
	s.txn = max(s.txn, target)
	a.New = s.txn
	w.safePointMoved(s)
}

func (w *World) advanceGCSafePoint(req *ports.AdminRequest, a *ports.AdminReply) {
	s, refusal := w.gcState(req.Keyspace, true)
	switch {
	case s == nil:
		refused(a, refusal)
	case req.TS < s.gc:
		refused(a, ports.AdminRefusedDecreasing)
	case req.TS > s.txn:
		refused(a, ports.AdminRefusedBeyondTxn)
	default:
		a.Old, a.New = s.gc, req.TS
		s.gc = req.TS
		w.safePointMoved(s)
	}
}

// newBarrier is what a request asks for; its end is rounded up to a second (NewGCBarrier), as is its life on the way to
// PD (pd/client: roundUpDurationToSeconds).
func newBarrier(req *ports.AdminRequest, now time.Time) barrier {
	ttl := roundTTL(req.TTL)
	b := barrier{name: req.Name, ts: req.TS, forever: ttl == ports.Forever}
	if !b.forever {
		b.expires = roundUp(now.Add(ttl))
	}
	return b
}

func roundTTL(ttl time.Duration) time.Duration {
	rest := ttl % time.Second
	switch {
	case rest == 0:
		return ttl
	case ttl > ports.Forever-(time.Second-rest):
		return ports.Forever
	}
	return ttl - rest + time.Second
}

func roundUp(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// setBarrier checks in the order in which PD does.
func (w *World) setBarrier(req *ports.AdminRequest, a *ports.AdminReply) {
	if req.TTL <= 0 {
		refused(a, ports.AdminRefusedArgument)
		return
	}
	s, refusal := w.gcState(req.Keyspace, false)
	switch {
	case s == nil:
		refused(a, refusal)
	case req.Name == reservedBarrier:
		refused(a, ports.AdminRefusedReserved)
	case req.Name == "":
		refused(a, ports.AdminRefusedArgument)
	case req.TS < s.txn:
		refused(a, ports.AdminRefusedBehindTxn)
	default:
		now := w.wallClock()
		b := newBarrier(req, now)
		s.barriers.set(b)
		a.Barrier, a.Found = b.info(now), true
	}
}

func (w *World) deleteBarrier(req *ports.AdminRequest, a *ports.AdminReply) {
	s, refusal := w.gcState(req.Keyspace, false)
	switch {
	case s == nil:
		refused(a, refusal)
	case req.Name == reservedBarrier:
		refused(a, ports.AdminRefusedReserved)
	case req.Name == "":
		refused(a, ports.AdminRefusedArgument)
	default:
		s.barriers.remove(req.Name, w.wallClock(), a)
	}
}

// setGlobalBarrier sets a barrier that no keyspace in service has passed; its name may be any.
func (w *World) setGlobalBarrier(req *ports.AdminRequest, a *ports.AdminReply) {
	switch {
	case req.TTL <= 0 || req.Name == "":
		refused(a, ports.AdminRefusedArgument)
	case req.TS < w.greatestTxnSafePoint():
		refused(a, ports.AdminRefusedBehindTxn)
	default:
		now := w.wallClock()
		b := newBarrier(req, now)
		w.pd.global.set(b)
		a.Barrier, a.Found = b.info(now), true
	}
}

func (w *World) deleteGlobalBarrier(req *ports.AdminRequest, a *ports.AdminReply) {
	if req.Name == "" {
		refused(a, ports.AdminRefusedArgument)
		return
	}
	w.pd.global.remove(req.Name, w.wallClock(), a)
}

// greatestTxnSafePoint is that of the enabled keyspaces and of the null keyspace (getMaxTxnSafePointAmongAllKeyspaces).
func (w *World) greatestTxnSafePoint() ports.Timestamp {
	var greatest ports.Timestamp
	for _, s := range w.pd.states {
		k := w.keyspaceByID(s.keyspace)
		if s.keyspace == ports.NullKeyspace || k != nil && k.State == ports.KeyspaceEnabled {
			greatest = max(greatest, s.txn)
		}
	}
	return greatest
}

// GCStates returns the GC states that PD keeps, without barriers.
func (w *World) GCStates() []ports.GCState {
	var list []ports.GCState
	for _, s := range w.pd.states {
		list = append(list, ports.GCState{Keyspace: s.keyspace, TxnSafePoint: s.txn, GCSafePoint: s.gc})
	}
	return list
}
