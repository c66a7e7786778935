package check

import "github.com/tikvx/tikvx/ports"

// SafePointMoved looks at a GC state that somebody has changed (22): safe points never go back, the GC safe point is
// not beyond the txn safe point, and no lock of a transaction that old is left when the null keyspace's, by which
// stores drop data, has moved. Locks are all that there are.
//
// What is not checked is that nobody reads below the txn safe point: no client asks for it yet. Runs in which garbage
// is collected while clients know nothing of it are told so by their configuration (sim.Config.GCLife).
func (m *Invariants) SafePointMoved(now ports.GCState, locks []ports.Lock) {
	last := m.safePoints[now.Keyspace]
	m.safePoints[now.Keyspace] = now
	if now.TxnSafePoint < last.TxnSafePoint || now.GCSafePoint < last.GCSafePoint {
		m.report("safe points of keyspace %d went back from %d and %d to %d and %d", now.Keyspace, last.TxnSafePoint,
			last.GCSafePoint, now.TxnSafePoint, now.GCSafePoint)
	}
	if now.GCSafePoint > now.TxnSafePoint {
		m.report("GC safe point %d is beyond txn safe point %d", now.GCSafePoint, now.TxnSafePoint)
	}
	if now.GCSafePoint == last.GCSafePoint || now.Keyspace != ports.NullKeyspace {
		return
	}
	for i := range locks {
		m.garbage(&locks[i], now.GCSafePoint)
		for j := range locks[i].Shared {
			m.garbage(&locks[i].Shared[j], now.GCSafePoint)
		}
	}
}

// garbage reports a lock that the collection of garbage has left behind.
func (m *Invariants) garbage(l *ports.Lock, safePoint ports.Timestamp) {
	if l.StartTS != 0 && l.StartTS <= safePoint {
		m.report("GC safe point %d passed a lock of %d", safePoint, l.StartTS)
	}
}
