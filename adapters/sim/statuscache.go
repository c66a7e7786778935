package sim

import (
	"time"

	"github.com/tikvx/tikvx/ports"
)

// statusCache is what a store remembers of transactions without looking at its data
// (src/storage/txn/txn_status_cache.rs). TiKV keeps two, so that the many small transactions do not drive out the large
// ones; room is no concern here, and one does. A store that restarts has forgotten everything.
//
// It is asked in two places: the prewrite of a pessimistic transaction that is known to be committed counts as a
// retried one, and flushed locks hold the safe timestamp back no further than their transaction needs. Reads that meet
// a lock do not ask it.
type statusCache struct {
	known map[ports.Timestamp]knownStatus
	// order are the transactions by the time at which they were heard of, the first being the next to be forgotten.
	order []ports.Timestamp
	// heard is what was heard since the cache was last asked, which is seldom: it is taken over then.
	heard []knownStatus
}

// maxHeard bounds what waits to be taken over.
const maxHeard = 1 << 20

type knownStatus struct {
	ports.TxnStatus
	since ports.Instant
}

// statusKept is how long a status is kept at least (CACHE_ITEMS_REQUIRED_KEEP_TIME).
const statusKept = 30 * time.Second

// onBroadcast takes over what a client tells of transactions (src/storage/mod.rs: update_txn_status_cache). TiKV breaks
// down when one is said to be completed and yet alive; here it is alive.
func (w *World) onBroadcast(s *store, q *ports.BroadcastTxnStatusRequest) {
	for _, status := range q.Statuses {
		if !status.RolledBack && status.CommitTS == 0 {
			status.MinCommitTS = max(status.StartTS, status.MinCommitTS)
		}
		s.statuses.hear(status, w.now)
	}
}

// knows takes over that a transaction is committed, if it is (txn/scheduler.rs: known_txn_status).
func (w *World) knows(s *store, start, commit ports.Timestamp) {
	if commit != 0 {
		s.statuses.hear(ports.TxnStatus{StartTS: start, CommitTS: commit}, w.now)
	}
}

// knownCommitted reports whether a prewrite is that of a pessimistic transaction that is known to be committed
// (txn/commands/prewrite.rs: Prewriter::process_write).
func (w *World) knownCommitted(s *store, q *ports.PrewriteRequest) bool {
	if q.ForUpdateTS == 0 {
		return false
	}
	known := s.statuses.of(q.StartTS)
	return !known.RolledBack && known.CommitTS != 0
}

// hear lets the cache know a status.
func (c *statusCache) hear(status ports.TxnStatus, now ports.Instant) {
	c.heard = append(c.heard, knownStatus{status, now})
	if len(c.heard) == maxHeard {
		c.settle()
	}
}

// of returns what is known of a transaction, the zero status if nothing is.
func (c *statusCache) of(start ports.Timestamp) ports.TxnStatus {
	c.settle()
	return c.known[start].TxnStatus
}

func (c *statusCache) settle() {
	for _, s := range c.heard {
		c.upsert(s.TxnStatus, s.since)
	}
	c.heard = c.heard[:0]
}

// least returns the timestamp from which on a transaction may be committed, false when it has ended
// (components/resolved_ts/src/resolver.rs: lookup_min_commit_ts).
func (c *statusCache) least(start ports.Timestamp) (ports.Timestamp, bool) {
	known := c.of(start)
	return max(start, known.MinCommitTS), !known.RolledBack && known.CommitTS == 0
}

// upsert takes a status over, unless something final is known (txn_status_cache.rs: upsert). What is known of a large
// transaction that runs is not lowered.
func (c *statusCache) upsert(status ports.TxnStatus, now ports.Instant) {
	old, found := c.known[status.StartTS]
	running := status.CommitTS == 0 && !status.RolledBack
	switch {
	case !found:
		c.forget(now)
		c.order = append(c.order, status.StartTS)
	case old.RolledBack || old.CommitTS != 0:
		return
	case running && status.MinCommitTS > status.StartTS && status.MinCommitTS <= old.MinCommitTS:
		return
	}
	if c.known == nil {
		c.known = map[ports.Timestamp]knownStatus{}
	}
	c.known[status.StartTS] = knownStatus{status, now}
}

// forget makes room.
func (c *statusCache) forget(now ports.Instant) {
	for len(c.order) > 0 {
		first := c.order[0]
		if now.Sub(c.known[first].since) <= statusKept {
			return
		}
		delete(c.known, first)
		c.order = c.order[1:]
	}
}
