package route

import (
	"fmt"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// RegionTable is the hosted machine that knows where keys live. It answers
// questions from what it knows or loads it from PD, a few loads at a time, each of
// which serves everybody who waits for the same range.
//
//	ask ──known──▶ tell
//	 │
//	 └─unknown─▶ load ──placed──▶ insert ──▶ tell whoever is served
//	              ▲  │                 └──▶ pause (PD knows nothing newer, or a gap)
//	              │  └──refused──▶ pause
//	              └──────timer───────┘           (at a question's deadline: tell timeout)
//
// Entries do not overlap. A newer region replaces every entry that it touches; a
// region older than an entry that it touches is refused (TiKV: an epoch's version
// grows with every split and merge of a key's regions, so that of two regions that
// hold the same key the one with the greater version is the newer).
//
// The zero value is an empty table. Not safe for concurrent use; its views are.
type RegionTable struct {
	index   regionIndex
	view    *regionView `fp:"-"`
	changed bool        `fp:"-"`
	loads   []load
	waiters waiters
	// Slots number the entries for access marks; those below slots that no entry
	// has are in free.
	slots uint32
	free  []uint32
	// marks holds the bits of entries that were used since the sweep saw them last.
	marks []uint64
	// cursor is the chunk at which the next sweep goes on.
	cursor int
}

// Step implements [sm.Machine].
func (t *RegionTable) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("route.RegionTable", t.stateName(), ev.Kind)
	switch ev.Kind {
	case ports.EventAsk:
		t.onAsk(env, ev, out)
	case ports.EventLearn:
		t.onLearn(env, ev, out)
	case ports.EventPlaced:
		t.onPlaced(env, ev, out)
	case ports.EventRefused:
		t.onRefused(env, ev, out)
	case ports.EventTimer:
		t.onTimer(env, ev, out)
	case ports.EventSweep:
		t.onSweep(env, ev)
	case ports.EventStart, ports.EventReply, ports.EventLost, ports.EventUnsent, ports.EventTimestamp,
		ports.EventProbed, ports.EventCancel, ports.EventTell:
	}
}

// View returns an immutable snapshot, safe for concurrent use.
func (t *RegionTable) View() sm.RegionView {
	if t.view == nil || t.changed {
		t.view, t.changed = t.index.snapshot(), false
	}
	return t.view
}

// Changed reports whether the table differs from the snapshot that View returned
// last.
func (t *RegionTable) Changed() bool { return t.view == nil || t.changed }

// Len returns the number of entries.
func (t *RegionTable) Len() int { return t.index.count }

// Done implements [sm.Machine]: a table never ends.
func (t *RegionTable) Done() bool { return false }

func (t *RegionTable) onAsk(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	ask := ev.Ask
	if ask == nil || ask.Kind == ports.AskStore {
		return
	}
	if t.served(ask, ev.Now) {
		out.Tell(ask.Waiter, ports.Cause{})
		return
	}
	if ask.Deadline <= ev.Now {
		out.Tell(ask.Waiter, ports.Cause{Kind: ports.CauseTimeout})
		return
	}
	t.waiters.add(env, ask, out)
	t.loadFor(env, ev.Now, &t.waiters.list[len(t.waiters.list)-1], out)
}

// served reports whether the table holds what a question asks for.
func (t *RegionTable) served(ask *ports.Ask, now ports.Instant) bool {
	var r *sm.Region
	switch ask.Kind {
	case ports.AskRegion:
		r = t.index.chunks.find(ask.Key, now)
	case ports.AskRegionByEnd:
		r = t.index.chunks.findByEnd(ask.Key, now)
	case ports.AskStore:
	}
	return r != nil && newer(r.RegionVersion, ask.Newer)
}

// newer reports whether v has taken the place of the version that failed. Of two
// regions that hold the same key, the one with the greater version is the newer.
func newer(v, failed ports.RegionVersion) bool {
	switch {
	case failed == ports.RegionVersion{}:
		return true
	case v.ID == failed.ID:
		return v.Epoch.Newer(failed.Epoch)
	}
	return v.Epoch.Version > failed.Epoch.Version
}

func (t *RegionTable) onLearn(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	f := ev.Fact
	if f == nil {
		return
	}
	switch f.Kind {
	case ports.FactLeader:
		if t.onLeader(env, ev.Now, f) {
			t.settle(env, ev.Now, out)
		}
	case ports.FactEpoch:
		t.onEpoch(env, ev.Now, f)
		t.settle(env, ev.Now, out)
	case ports.FactRegionGone:
		t.onGone(ev.Now, f)
	case ports.FactStoreFailed, ports.FactStoreAlive, ports.FactStoreMismatch, ports.FactStoreBusy,
		ports.FactTxn, ports.FactTimestamp:
	}
}

// entry returns the entry of exactly the version that a fact is about.
func (t *RegionTable) entry(f *ports.Fact) (place, *sm.Region) {
	at, ok := t.index.chunks.floor(f.Key)
	if !ok {
		return at, nil
	}
	r := t.index.chunks.at(at)
	if r.RegionVersion != f.Region {
		return at, nil
	}
	return at, r
}

// onLeader notes who leads. The peer's store is believed again from here on: the
// fact was learnt under its present fail epoch. An entry that was to be loaded anew
// is good again, for the region's own peers speak of it; reports that.
func (t *RegionTable) onLeader(env *sm.Env, now ports.Instant, f *ports.Fact) (revived bool) {
	at, old := t.entry(f)
	if old == nil {
		return false
	}
	leading := peerIndex(old.Peers, f.Peer.ID)
	if leading < 0 {
		return false
	}
	epoch := storeEpoch(env, old.Peers[leading].Store)
	if leading == old.Leading && epoch == old.FailEpoch && !gone(old) {
		return false
	}
	r := *old
	r.Leading, r.FailEpoch = leading, epoch
	if gone(old) {
		r.Expiry = t.expiry(env, now)
	}
	t.index.replace(at, &r)
	t.changed = true
	return gone(old)
}

// expiry returns the end of a life that begins now.
func (t *RegionTable) expiry(env *sm.Env, now ports.Instant) ports.Instant {
	limit := uint64(max(env.Knobs.RegionTTLJitter, 0))
	return now.Add(env.Knobs.RegionTTL + time.Duration(env.Rand.Below(limit)))
}

// onEpoch takes over the regions that a store knows in place of the one that
// failed, which is gone unless they say more about it.
func (t *RegionTable) onEpoch(env *sm.Env, now ports.Instant, f *ports.Fact) {
	known := false
	for i := range f.Regions {
		r := &f.Regions[i]
		known = known || r.ID == f.Region.ID
		leader := ports.PeerID(0)
		if p, ok := r.PeerOn(f.Store); ok {
			leader = p.ID
		}
		t.insert(env, now, r, leader)
	}
	if !known {
		t.onGone(now, f)
	}
}

// onGone invalidates an entry: it is loaded anew before it is used again. For a while
// it stays in its place, so that what is older is refused: it is what PD knew before
// it heard of the change. If PD goes on saying so, that is what there is.
func (t *RegionTable) onGone(now ports.Instant, f *ports.Fact) {
	at, old := t.entry(f)
	if old == nil {
		return
	}
	for i := range t.loads {
		t.loads[i].doubt(old.Range)
	}
	if gone(old) {
		return
	}
	r := *old
	r.Expiry = -min(old.Expiry, now.Add(newerTime))
	t.index.replace(at, &r)
	t.changed = true
}

// gone reports whether an entry was invalidated: its expiry is then negative, so that
// every comparison with the present finds it expired.
func gone(r *sm.Region) bool { return r.Expiry < 0 }

// dead reports whether an entry protects its range from older answers no more.
func dead(r *sm.Region, now ports.Instant) bool { return max(r.Expiry, -r.Expiry) <= now }

func (t *RegionTable) onTimer(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if t.waiters.onTimer(env, ev, out) {
		t.settle(env, ev.Now, out)
		return
	}
	t.onLoadTimer(env, ev, out)
}

func (t *RegionTable) stateName() string {
	if len(t.loads) > 0 {
		return "loading"
	}
	return "idle"
}

// CloneInto implements [sm.Cloneable]. Both tables share chunks from here on, and
// neither changes one that the other may see.
func (t *RegionTable) CloneInto(dst *RegionTable) {
	t.index.snapshot()
	loads, free, marks := dst.loads[:0], dst.free[:0], dst.marks[:0]
	waiting := dst.waiters
	t.waiters.cloneInto(&waiting)
	*dst = *t
	dst.loads = loads
	for i := range t.loads {
		dst.loads = append(dst.loads, t.loads[i].clone())
	}
	dst.waiters = waiting
	dst.free = append(free, t.free...)
	dst.marks = append(marks, t.marks...)
}

// Fingerprint implements [sm.Machine].
func (t *RegionTable) Fingerprint(h *sm.Hash) {
	h.Int(len(t.index.chunks))
	for _, c := range t.index.chunks {
		c.fingerprint(h)
	}
	h.Int(len(t.loads))
	for i := range t.loads {
		t.loads[i].fingerprint(h)
	}
	t.waiters.fingerprint(h)
	h.Uint(uint64(t.slots))
	h.Int(len(t.free))
	for _, s := range t.free {
		h.Uint(uint64(s))
	}
	h.Int(len(t.marks))
	for _, m := range t.marks {
		h.Uint(m)
	}
	h.Int(t.cursor)
}

// String implements [sm.Machine].
func (t *RegionTable) String() string {
	return fmt.Sprintf("route.RegionTable %s: %d regions, %d loads, %d waiters",
		t.stateName(), t.index.count, len(t.loads), len(t.waiters.list))
}
