package route

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// A sweep visits this many chunks, or a sixteenth of them if that is more, so that
// a sweep a second sees every entry long before its life could end unnoticed.
const sweepChunks = 32

// onSweep renews the life of entries that were used and removes those whose life
// has ended. Marks that come with the event are kept until the sweep gets there.
func (t *RegionTable) onSweep(env *sm.Env, ev *ports.Event) {
	t.mark(ev.Marks)
	visits := min(len(t.index.chunks), max(sweepChunks, len(t.index.chunks)/16))
	for range visits {
		if t.cursor >= len(t.index.chunks) {
			t.cursor = 0
		}
		before := len(t.index.chunks)
		t.sweepChunk(env, ev.Now, t.cursor)
		if len(t.index.chunks) == before {
			t.cursor++
		}
		if len(t.index.chunks) == 0 {
			return
		}
	}
}

// mark adds access marks; those beyond the table's slots are of nobody.
func (t *RegionTable) mark(marks []uint64) {
	words := min(len(marks), int(t.slots+63)/64)
	for len(t.marks) < words {
		t.marks = append(t.marks, 0)
	}
	for i := range words {
		t.marks[i] |= marks[i]
	}
}

// sweepChunk visits the entries of one chunk, from the last to the first so that
// removal does not move those ahead. A chunk that loses most of its entries may
// swallow the next one; the next sweep sees its entries.
func (t *RegionTable) sweepChunk(env *sm.Env, now ports.Instant, chunk int) {
	for i := len(t.index.chunks[chunk].regions) - 1; i >= 0; i-- {
		at := place{chunk, i}
		old := t.index.chunks.at(at)
		if dead(old, now) {
			t.drop(at)
			continue
		}
		if !t.unmark(old.Slot) || gone(old) || !renewable(env, old) {
			continue
		}
		// An entry that has its whole time to live ahead is not worth a copy.
		if old.Expiry > now.Add(env.Knobs.RegionTTL) {
			continue
		}
		r := *old
		r.Expiry = t.expiry(env, now)
		t.index.replace(at, &r)
		t.changed = true
	}
}

// unmark clears an entry's mark and reports whether it was set.
func (t *RegionTable) unmark(slot uint32) bool {
	word, bit := int(slot/64), uint64(1)<<(slot%64)
	if word >= len(t.marks) || t.marks[word]&bit == 0 {
		return false
	}
	t.marks[word] &^= bit
	return true
}

// renewable reports whether use prolongs an entry's life. An entry whose leader has
// failed since, or with a peer that is down or on a store that is not well, must end
// at its time, or a busy region would never hear of the peers that have taken over.
func renewable(env *sm.Env, r *sm.Region) bool {
	if len(r.Down) > 0 {
		return false
	}
	for i := range r.Peers {
		s := env.Stores.Store(r.Peers[i].Store)
		if s != nil && (s.Liveness != sm.Reachable || i == r.Leading && s.FailEpoch != r.FailEpoch) {
			return false
		}
	}
	return true
}
