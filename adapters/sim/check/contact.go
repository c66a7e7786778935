package check

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// lifeEnd is the millisecond behind which a lock is expired (src/storage/txn/actions/check_txn_status.rs).
type lifeEnd int64

// sighted remembers when the locks end that clients are shown: of each transaction, the first.
func (m *Invariants) sighted(l *ports.Lock) {
	for i := range l.Shared {
		m.sighted(&l.Shared[i])
	}
	if len(l.Shared) > 0 {
		return
	}
	end := lifeEnd(l.StartTS.Physical() + int64(l.TTL))
	if first, ok := m.lives[l.StartTS]; !ok || end < first {
		m.lives[l.StartTS] = end
	}
}

// met takes the lock of an error, if it is about one.
func (m *Invariants) met(err *ports.KeyError) {
	if err != nil && err.Kind == ports.KeyLocked {
		m.sighted(&err.Lock)
	}
}

func (m *Invariants) metIn(pairs []ports.Pair) {
	for i := range pairs {
		m.met(pairs[i].Err)
	}
}

// locksShown remembers the locks in a reply.
func (m *Invariants) locksShown(reply ports.Reply) {
	switch r := reply.(type) {
	case *ports.GetReply:
		m.met(r.Err)
	case *ports.BatchGetReply:
		m.met(r.Err)
		m.metIn(r.Pairs)
	case *ports.ScanReply:
		m.met(r.Err)
		m.metIn(r.Pairs)
	case *ports.PrewriteReply:
		for i := range r.Errors {
			m.met(&r.Errors[i])
		}
	case *ports.ScanLockReply:
		for i := range r.Locks {
			m.sighted(&r.Locks[i])
		}
	default:
	}
}

// condemned reports an order to roll back a transaction that is not found, of which no lock has expired: its primary
// may be on its way (client-go: getTxnStatusFromLock).
func (m *Invariants) condemned(q *ports.CheckTxnStatusRequest) {
	if !q.RollbackIfNotExist {
		return
	}
	if end, ok := m.lives[q.LockTS]; !ok || int64(end) >= m.allocated().Physical() {
		m.report("%d is to be rolled back unless it is found, and nobody has seen an expired lock of it", q.LockTS)
	}
}

// Locking reports a prewrite whose locks would be older than their life when they are written: whoever met one could
// roll its transaction back at once (client-go: keepAlive and txnLockTTL). at is the instant at which it is sent.
func (m *Invariants) Locking(q *ports.PrewriteRequest, at ports.Instant) {
	t := m.txn(q.StartTS)
	if t.began == 0 {
		t.began = at
	}
	if age := at.Sub(t.began).Milliseconds(); int64(q.TTL) < age {
		m.report("%d locks keys for %d ms after its start, which is %d ms ago", q.StartTS, q.TTL, age)
	}
}

// unbeaten is how much longer than its locks live a transaction may take before it has asked for a longer life: it may
// have to look for its primary first.
const unbeaten = 600 * time.Millisecond

// Locked notes that the locks of a prewrite are written: from then on those of a primary are to be kept alive.
func (m *Invariants) Locked(q *ports.PrewriteRequest, r *ports.PrewriteReply, at ports.Instant) {
	t := m.txn(q.StartTS)
	holds := func(mu ports.Mutation) bool { return string(mu.Key) == string(q.Primary) }
	if t.locked == 0 && r.Region() == nil && len(r.Errors) == 0 && slices.ContainsFunc(q.Mutations, holds) {
		t.locked, t.life = at, time.Duration(q.TTL)*time.Millisecond
	}
}

// Beaten notes that a transaction asks for a longer life.
func (m *Invariants) Beaten(start ports.Timestamp) { m.txn(start).beaten = true }

// Working reports a transaction that goes on although its locks may have expired, and has never asked for more
// (client-go: ttlManager.keepAlive).
func (m *Invariants) Working(start ports.Timestamp, at ports.Instant) {
	t := m.txn(start)
	if t.locked != 0 && !t.beaten && at.Sub(t.locked) > t.life+unbeaten {
		m.report("%d has locked its primary for %v, %v ago, and does not keep it alive", start, t.life, at.Sub(t.locked))
	}
}
