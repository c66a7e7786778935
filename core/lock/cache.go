package lock

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Cache is the hosted machine that remembers the final statuses of the last
// [sm.Knobs].TxnStatusEntries transactions that were learnt. The zero value is an
// empty cache. Not safe for concurrent use; its views are.
//
// Only final statuses are facts (ports.FactTxn), so that an entry never changes:
// a fact that contradicts one is counted and not believed.
type Cache struct {
	// buckets hold the entries by a hash of their start. A bucket is immutable:
	// whoever changes it replaces it, so that views share buckets with the cache.
	buckets [bucketCount][]cacheEntry `fp:"shared"`
	// order holds the starts in the order in which they came, a ring whose oldest
	// one is order[oldest].
	order  []ports.Timestamp
	oldest int

	contradictions int
	changed        bool
}

type cacheEntry struct {
	start, commit ports.Timestamp
}

// bucketCount makes an update copy about 1.5 KiB of directory and half a KiB of
// entries.
const bucketCount = 64

// Step moves the cache by one event; only EventLearn teaches it something.
func (c *Cache) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("lock.Cache", "serving", ev.Kind)
	if ev.Kind == ports.EventLearn && ev.Fact != nil && ev.Fact.Kind == ports.FactTxn {
		c.learn(ev.Fact.StartTS, ev.Fact.CommitTS, env.Knobs.TxnStatusEntries)
	}
}

// Len returns the number of statuses that are kept.
func (c *Cache) Len() int { return len(c.order) }

// learn adds a status; the oldest one makes room for it.
func (c *Cache) learn(start, commit ports.Timestamp, limit int) {
	if start == 0 || commit != 0 && commit <= start || limit < 1 {
		return
	}
	b := bucketOf(start)
	i, found := find(c.buckets[b], start)
	if found {
		if c.buckets[b][i].commit != commit {
			c.contradictions++
		}
		return
	}
	c.changed = true
	fresh := make([]cacheEntry, 0, len(c.buckets[b])+1)
	fresh = append(append(append(fresh, c.buckets[b][:i]...), cacheEntry{start, commit}), c.buckets[b][i:]...)
	c.buckets[b] = fresh
	if len(c.order) < limit {
		c.order = append(c.order, start)
		return
	}
	c.forget(c.order[c.oldest])
	c.order[c.oldest] = start
	c.oldest = (c.oldest + 1) % len(c.order)
}

func (c *Cache) forget(start ports.Timestamp) {
	b := bucketOf(start)
	if i, found := find(c.buckets[b], start); found {
		c.buckets[b] = slices.Delete(slices.Clone(c.buckets[b]), i, i+1)
	}
}

// bucketOf spreads starts, whose logical part is often small, by all their bits.
func bucketOf(start ports.Timestamp) int {
	return int(uint64(start) * 0x9e3779b97f4a7c15 >> 58)
}

func find(bucket []cacheEntry, start ports.Timestamp) (int, bool) {
	return slices.BinarySearchFunc(bucket, start, func(e cacheEntry, s ports.Timestamp) int {
		return cmp.Compare(e.start, s)
	})
}

// View returns an immutable snapshot, safe for concurrent use.
func (c *Cache) View() sm.TxnView {
	c.changed = false
	return &txnView{buckets: c.buckets}
}

// Changed reports whether the cache differs from the snapshot that View returned
// last.
func (c *Cache) Changed() bool { return c.changed }

// Contradictions returns how many facts contradicted what was known. It is 0 as
// long as the protocol holds.
func (c *Cache) Contradictions() int { return c.contradictions }

// Done implements [sm.Machine]: the cache never ends.
func (c *Cache) Done() bool { return false }

// CloneInto implements [sm.Cloneable]. Both caches share buckets from here on.
func (c *Cache) CloneInto(dst *Cache) {
	order := append(dst.order[:0], c.order...)
	*dst = *c
	dst.order = order
}

// Fingerprint implements [sm.Machine].
func (c *Cache) Fingerprint(h *sm.Hash) {
	for _, b := range c.buckets {
		h.Int(len(b))
		for _, e := range b {
			h.TS(e.start)
			h.TS(e.commit)
		}
	}
	h.Timestamps(c.order)
	h.Int(c.oldest)
	h.Int(c.contradictions)
	h.Bool(c.changed)
}

// String implements [sm.Machine].
func (c *Cache) String() string { return fmt.Sprintf("lock.Cache of %d transactions", len(c.order)) }

// txnView is a snapshot of a cache.
type txnView struct {
	buckets [bucketCount][]cacheEntry
}

// Status implements [sm.TxnView].
func (v *txnView) Status(start ports.Timestamp) (sm.TxnStatus, bool) {
	bucket := v.buckets[bucketOf(start)]
	i, found := find(bucket, start)
	if !found {
		return sm.TxnStatus{}, false
	}
	return sm.TxnStatus{CommitTS: bucket[i].commit}, true
}
