package check

import "github.com/tikvx/tikvx/ports"

// onExistence looks at what a prewrite promises of keys that must be absent (7): a key that is inserted is remembered
// until it is committed; one that is only checked must be absent now, if the prewrite was accepted. A prewrite that
// comes again when its transaction is committed is accepted without being looked at, and promises nothing.
func (m *Invariants) onExistence(t *watched, q *ports.PrewriteRequest, reply ports.Reply) {
	r, ok := reply.(*ports.PrewriteReply)
	accepted := ok && r.Fault == nil && len(r.Errors) == 0 && t.commit == 0
	for i := range q.Mutations {
		mutation := &q.Mutations[i]
		switch mutation.Kind {
		case ports.KindInsert:
			m.key(t, mutation.Key).inserted = true
		case ports.KindCheckNotExists:
			if at := m.livesBelow(mutation.Key, ports.MaxTimestamp); accepted && at != 0 {
				m.report("%d was promised that %q is absent, which is there since %d", t.start, mutation.Key, at)
			}
		default:
		}
	}
}

// livesBelow returns the commit timestamp of the version that is seen just below a timestamp, 0 when there is none or
// it is a deletion.
func (m *Invariants) livesBelow(key []byte, ts ports.Timestamp) ports.Timestamp {
	writes := m.data.Writes(key)
	for i := len(writes) - 1; i >= 0; i-- {
		switch w := &writes[i]; {
		case w.CommitTS >= ts || w.Kind != ports.KindPut && w.Kind != ports.KindDelete:
		case w.Kind == ports.KindPut:
			return w.CommitTS
		default:
			return 0
		}
	}
	return 0
}

// alive remembers how long the primary of a transaction was to live when it was seen last (17).
func (t *watched) alive(ttl uint64) {
	t.end = max(t.end, lifeEnd(t.start.Physical()+int64(ttl)))
}

// killed reports a transaction that others have rolled back before its time (17).
func (m *Invariants) killed(t *watched, q *ports.CheckTxnStatusRequest, r *ports.CheckTxnStatusReply) {
	if r.Action == ports.ActionTTLExpireRollback && int64(t.end) >= q.CurrentTS.Physical() {
		m.report("%d is rolled back at %d, and was to live until %d", t.start, q.CurrentTS.Physical(), t.end)
	}
}
