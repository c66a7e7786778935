package route

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// StoreTable is the hosted machine that knows stores: where they are and how they
// fare. Each store is a record of its own:
//
//	                 failed                   probe fails
//	  Reachable ──────────────────▶ Suspect ──────────────▶ Unreachable ◀─┐
//	      ▲                            │                        │  probe   │
//	      └──── probe answers, or ─────┴────────────────────────┘  fails ──┘
//	            the store served a request
//
//	unresolved ──placed──▶ resolved ──mismatch──▶ unresolved     placed: tombstone, for ever
//
// A failure makes a store Suspect: calls avoid it at once, a probe finds out about it,
// and PD is asked for its address anew. If the probe answers, nothing has happened. If
// it fails, the store's fail epoch moves, so that every region entry with a peer there
// learns of it without being touched; from then on the store is probed every
// Knobs.ProbeInterval until it answers. Requests never wait for a probe.
//
// The zero value is an empty table. Not safe for concurrent use; its views are.
type StoreTable struct {
	// stores are sorted by id.
	stores  []store
	waiters waiters
	view    *storeView `fp:"-"`
	changed bool       `fp:"-"`
}

// storeView is an immutable snapshot, sorted by id.
type storeView struct {
	stores []*sm.Store
}

// Store implements [sm.StoreView].
func (v *storeView) Store(id ports.StoreID) *sm.Store {
	lo, hi := 0, len(v.stores)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if v.stores[mid].ID < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(v.stores) && v.stores[lo].ID == id {
		return v.stores[lo]
	}
	return nil
}

// Step implements [sm.Machine].
func (t *StoreTable) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("route.StoreTable", t.stateName(), ev.Kind)
	switch ev.Kind {
	case ports.EventAsk:
		t.onAsk(env, ev, out)
	case ports.EventLearn:
		t.onLearn(env, ev, out)
	case ports.EventPlaced:
		t.onPlaced(env, ev, out)
	case ports.EventRefused:
		t.onRefused(env, ev, out)
	case ports.EventProbed:
		t.onProbed(env, ev, out)
	case ports.EventTimer:
		t.onTimer(env, ev, out)
	case ports.EventStart, ports.EventReply, ports.EventLost, ports.EventUnsent, ports.EventTimestamp,
		ports.EventCancel, ports.EventTell, ports.EventSweep:
	}
}

// View returns an immutable snapshot, safe for concurrent use.
func (t *StoreTable) View() sm.StoreView {
	if t.Changed() {
		v := &storeView{stores: make([]*sm.Store, 0, len(t.stores))}
		for i := range t.stores {
			if s := &t.stores[i]; s.resolved {
				v.stores = append(v.stores, s.entry)
			}
		}
		t.view, t.changed = v, false
	}
	return t.view
}

// Changed reports whether the table differs from the snapshot that View returned
// last.
func (t *StoreTable) Changed() bool { return t.view == nil || t.changed }

// Done implements [sm.Machine]: a table never ends.
func (t *StoreTable) Done() bool { return false }

func (t *StoreTable) onAsk(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	ask := ev.Ask
	if ask == nil || ask.Kind != ports.AskStore {
		return
	}
	s := t.record(ask.Store)
	switch {
	case s.resolved:
		out.Tell(ask.Waiter, ports.Cause{})
	case ask.Deadline <= ev.Now:
		out.Tell(ask.Waiter, ports.Cause{Kind: ports.CauseTimeout})
	default:
		t.waiters.add(env, ask, out)
		if s.query == 0 {
			s.resolve(env, ev.Now, out)
		}
	}
}

// record returns the record of a store, a new one if there is none.
func (t *StoreTable) record(id ports.StoreID) *store {
	i, ok := t.find(id)
	if !ok {
		t.stores = slices.Insert(t.stores, i, store{entry: &sm.Store{Store: ports.Store{ID: id}}})
	}
	return &t.stores[i]
}

func (t *StoreTable) find(id ports.StoreID) (int, bool) {
	return slices.BinarySearchFunc(t.stores, id, func(s store, id ports.StoreID) int {
		return cmp.Compare(s.entry.ID, id)
	})
}

func (t *StoreTable) onLearn(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	f := ev.Fact
	if f == nil {
		return
	}
	i, ok := t.find(f.Store)
	if !ok || !t.stores[i].resolved || t.stores[i].entry.State == ports.StoreTombstone {
		return
	}
	s := &t.stores[i]
	before := s.entry
	switch f.Kind {
	case ports.FactStoreFailed:
		s.onFailed(env, ev.Now, f.FailEpoch, out)
	case ports.FactStoreAlive:
		s.onAlive()
	case ports.FactStoreMismatch:
		t.changed = s.onMismatch(env, ev.Now, f.FailEpoch, out) || t.changed
	case ports.FactStoreBusy:
		s.onBusy(ev.Now.Add(f.Wait))
	case ports.FactLeader, ports.FactEpoch, ports.FactRegionGone, ports.FactTxn, ports.FactTimestamp:
	}
	t.changed = t.changed || s.entry != before
}

func (t *StoreTable) onPlaced(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	i := t.awaited(ev, func(s *store) uint32 { return s.query })
	if i < 0 {
		return
	}
	s := &t.stores[i]
	before, known := s.entry, s.resolved
	for j := range ev.Stores {
		if meta := &ev.Stores[j]; meta.ID == s.entry.ID && usable(meta) {
			s.onMeta(env, ev.Now, meta, out)
			t.changed = t.changed || !known || s.entry != before
			t.tell(s.entry.ID, ports.Cause{}, out)
			return
		}
	}
	// PD names no address when it does not know the store's meta data yet.
	t.retry(env, ev.Now, s, out)
}

func (t *StoreTable) onRefused(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	i := t.awaited(ev, func(s *store) uint32 { return s.query })
	if i < 0 {
		return
	}
	s := &t.stores[i]
	switch ev.Cause.Kind {
	case ports.CauseNotFound:
		t.changed = s.onUnknown(out) || t.changed
		t.tell(s.entry.ID, ev.Cause, out)
	case ports.CauseClosed, ports.CauseRejected, ports.CauseMalformed:
		s.query = 0
		t.tell(s.entry.ID, ev.Cause, out)
	case ports.CauseNone, ports.CauseTimeout, ports.CauseConnection, ports.CauseHung:
		t.retry(env, ev.Now, s, out)
	}
}

// retry waits for the next query when somebody waits for the store. A store that
// is known already is asked for again when its probes go on failing.
func (t *StoreTable) retry(env *sm.Env, now ports.Instant, s *store, out *sm.Effects) {
	if t.wanted(s.entry.ID) {
		s.pause(env, now, out)
	} else {
		s.query = 0
	}
}

func (t *StoreTable) onProbed(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	i := t.awaited(ev, func(s *store) uint32 { return s.probe })
	if i < 0 {
		return
	}
	s := &t.stores[i]
	before := s.entry
	if ev.Cause.Kind == ports.CauseNone {
		s.onAlive()
	} else {
		s.onUnreachable(env, ev.Now, out)
	}
	t.changed = t.changed || s.entry != before
}

func (t *StoreTable) onTimer(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if t.waiters.onTimer(env, ev, out) {
		return
	}
	if i := t.awaited(ev, func(s *store) uint32 { return s.rest }); i >= 0 {
		t.stores[i].again(env, ev.Now, out)
		return
	}
	i := t.awaited(ev, func(s *store) uint32 { return s.query })
	if i < 0 {
		return
	}
	s := &t.stores[i]
	if t.wanted(s.entry.ID) {
		s.resolve(env, ev.Now, out)
	} else {
		s.query = 0
	}
}

// awaited returns the store that awaits an event under the generation that gen
// picks, -1 if none does.
func (t *StoreTable) awaited(ev *ports.Event, gen func(*store) uint32) int {
	for i := range t.stores {
		if g := gen(&t.stores[i]); g != 0 && g == ev.Tok.Gen {
			return i
		}
	}
	return -1
}

// wanted reports whether somebody waits for a store.
func (t *StoreTable) wanted(id ports.StoreID) bool {
	return slices.ContainsFunc(t.waiters.list, func(a ports.Ask) bool { return a.Store == id })
}

// tell answers everybody who waits for a store.
func (t *StoreTable) tell(id ports.StoreID, cause ports.Cause, out *sm.Effects) {
	kept := t.waiters.list[:0]
	for _, ask := range t.waiters.list {
		if ask.Store == id {
			out.Tell(ask.Waiter, cause)
			continue
		}
		kept = append(kept, ask)
	}
	t.waiters.truncate(len(kept))
}

func (t *StoreTable) stateName() string {
	name := "calm"
	for i := range t.stores {
		switch s := &t.stores[i]; {
		case s.probe != 0:
			return "probing"
		case s.rest != 0:
			return "between probes"
		case s.query != 0:
			name = "resolving"
		}
	}
	return name
}

// CloneInto implements [sm.Cloneable].
func (t *StoreTable) CloneInto(dst *StoreTable) {
	stores := append(dst.stores[:0], t.stores...)
	waiting := dst.waiters
	t.waiters.cloneInto(&waiting)
	*dst = *t
	dst.stores, dst.waiters = stores, waiting
}

// Fingerprint implements [sm.Machine].
func (t *StoreTable) Fingerprint(h *sm.Hash) {
	h.Int(len(t.stores))
	for i := range t.stores {
		t.stores[i].fingerprint(h)
	}
	t.waiters.fingerprint(h)
}

// String implements [sm.Machine].
func (t *StoreTable) String() string {
	return fmt.Sprintf("route.StoreTable %s: %d stores, %d waiters", t.stateName(), len(t.stores), len(t.waiters.list))
}
