package check

import "github.com/tikvx/tikvx/ports"

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
