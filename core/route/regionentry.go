package route

import (
	"bytes"
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// insert takes over a region, led by the given peer as far as the source knows (0
// when it does not), and reports whether the table now holds it.
func (t *RegionTable) insert(env *sm.Env, now ports.Instant, r *ports.Region, leader ports.PeerID) bool {
	leading := leaderOf(r, leader)
	if leading < 0 || r.ID == 0 || r.Range.Empty() {
		return false
	}
	switch old := t.rival(now, r); {
	case old == nil:
	case old.RegionVersion == r.RegionVersion && !gone(old):
		// What calls have learnt about this very version is newer than what
		// anybody lists; a live entry is not disturbed.
		return true
	case old.RegionVersion == r.RegionVersion:
	default:
		return false
	}
	t.evict(r.Range)
	e := &sm.Region{
		Region: *r, Leading: leading, FailEpoch: storeEpoch(env, r.Peers[leading].Store),
		Slot: t.slot(), Expiry: t.expiry(env, now),
	}
	t.shareBounds(e)
	t.index.insert(e)
	t.changed = true
	return true
}

// leaderOf returns the index of the peer that leads or, when nobody knows, of one
// that may; -1 when no peer of the region can lead.
func leaderOf(r *ports.Region, leader ports.PeerID) int {
	if i := peerIndex(r.Peers, leader); i >= 0 && canLead(&r.Peers[i]) {
		return i
	}
	best := -1
	for i := range r.Peers {
		p := &r.Peers[i]
		if !canLead(p) || p.Store == 0 {
			continue
		}
		if !p.Witness && !slices.Contains(r.Down, p.ID) {
			return i
		}
		if best < 0 {
			best = i
		}
	}
	return best
}

func canLead(p *ports.Peer) bool { return p.Role != ports.RoleLearner }

func peerIndex(peers []ports.Peer, id ports.PeerID) int {
	if id == 0 {
		return -1
	}
	return slices.IndexFunc(peers, func(p ports.Peer) bool { return p.ID == id })
}

// rival returns an entry that stands against a region: a newer one that overlaps
// it, or the one of the same version; nil when there is none.
func (t *RegionTable) rival(now ports.Instant, r *ports.Region) *sm.Region {
	for at, ok := t.firstOverlap(r.Range); ok; at, ok = t.index.chunks.after(at) {
		old := t.index.chunks.at(at)
		if !overlap(old.Range, r.Range) {
			break
		}
		if dead(old, now) {
			continue
		}
		if old.RegionVersion == r.RegionVersion || old.Epoch.Version > r.Epoch.Version ||
			old.ID == r.ID && old.Epoch.ConfVer > r.Epoch.ConfVer {
			return old
		}
	}
	return nil
}

// firstOverlap returns the place of the first entry that may overlap a range.
func (t *RegionTable) firstOverlap(rng ports.KeyRange) (place, bool) {
	at, ok := t.index.chunks.floor(rng.Start)
	if !ok {
		return place{}, len(t.index.chunks) > 0
	}
	if !overlap(t.index.chunks.at(at).Range, rng) {
		return t.index.chunks.after(at)
	}
	return at, true
}

// evict removes every entry that overlaps a range.
func (t *RegionTable) evict(rng ports.KeyRange) {
	for {
		at, ok := t.firstOverlap(rng)
		if !ok || !overlap(t.index.chunks.at(at).Range, rng) {
			return
		}
		t.drop(at)
	}
}

// drop removes an entry and gives its slot back.
func (t *RegionTable) drop(at place) {
	t.free = append(t.free, t.index.chunks.at(at).Slot)
	t.index.remove(at)
	t.changed = true
}

// slot returns a slot that no entry has, unmarked.
func (t *RegionTable) slot() uint32 {
	s := t.slots
	if n := len(t.free); n > 0 {
		s, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.slots++
	}
	if word := int(s / 64); word < len(t.marks) {
		t.marks[word] &^= 1 << (s % 64)
	}
	return s
}

// shareBounds lets neighbours share the bytes of the bound between them.
func (t *RegionTable) shareBounds(e *sm.Region) {
	at, ok := t.index.chunks.floor(e.Range.Start)
	if ok {
		if before := t.index.chunks.at(at); bytes.Equal(before.Range.End, e.Range.Start) {
			e.Range.Start = before.Range.End
		}
		at, ok = t.index.chunks.after(at)
	} else {
		ok = len(t.index.chunks) > 0
	}
	if ok {
		if behind := t.index.chunks.at(at); bytes.Equal(behind.Range.Start, e.Range.End) {
			e.Range.End = behind.Range.Start
		}
	}
}

// storeEpoch returns a store's fail epoch; a store that is not known has not failed.
func storeEpoch(env *sm.Env, id ports.StoreID) uint32 {
	if s := env.Stores.Store(id); s != nil {
		return s.FailEpoch
	}
	return 0
}
