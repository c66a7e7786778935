package check

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// push is a lock whose least commit timestamp was pushed for a reader, and the reader's timestamp.
type push struct{ reader, lock ports.Timestamp }

// stop is a key at which a reader met a lock that had been pushed for it, so often since it last got past that key.
type stop struct {
	lock ports.Timestamp
	key  string
	n    int
}

// maxStops is how often a read may meet a lock on one key after it was told that the lock cannot commit below it: its
// request may have been under way. A transaction that reads the key again may find out anew.
const maxStops = 3

// pushedFor remembers what a reader was told of a lock.
func (m *Invariants) pushedFor(q *ports.CheckTxnStatusRequest, r *ports.CheckTxnStatusReply) {
	if r.Action == ports.ActionMinCommitTSPushed && q.CallerStartTS != ports.MaxTimestamp {
		m.pushed[push{q.CallerStartTS, q.LockTS}] = true
	}
}

// stopped reports a reader that meets a lock again and again although it knows that it may ignore it.
func (m *Invariants) stopped(reader ports.Timestamp, key []byte, err *ports.KeyError) {
	if err == nil {
		m.passed(reader, key)
		return
	}
	if err.Kind != ports.KeyLocked || !m.pushed[push{reader, err.Lock.StartTS}] {
		return
	}
	list := m.stops[reader]
	at := slices.IndexFunc(list, func(s stop) bool { return s.lock == err.Lock.StartTS && s.key == string(err.Lock.Key) })
	if at < 0 {
		at = len(list)
		list = append(list, stop{lock: err.Lock.StartTS, key: string(err.Lock.Key)})
	}
	if list[at].n++; list[at].n > maxStops {
		m.report("the read at %d meets the lock of %d on %q again, which may be ignored", reader, list[at].lock, list[at].key)
	}
	m.stops[reader] = list
}

// stoppedBatch does so for each key of a batch; those without a pair are absent.
func (m *Invariants) stoppedBatch(q *ports.BatchGetRequest, r *ports.BatchGetReply) {
	if len(m.stops[q.TS]) > 0 {
		for _, k := range q.Keys {
			held := func(p ports.Pair) bool { return p.Err != nil && string(p.Err.Lock.Key) == string(k) }
			if !slices.ContainsFunc(r.Pairs, held) {
				m.passed(q.TS, k)
			}
		}
	}
	for i := range r.Pairs {
		if r.Pairs[i].Err != nil {
			m.stopped(q.TS, r.Pairs[i].Key, r.Pairs[i].Err)
		}
	}
}

// stoppedScan does so for each key of a page. A page without a lock has passed all of them.
func (m *Invariants) stoppedScan(q *ports.ScanRequest, r *ports.ScanReply) {
	past := true
	for i := range r.Pairs {
		past = past && r.Pairs[i].Err == nil
		m.stopped(q.TS, r.Pairs[i].Key, r.Pairs[i].Err)
	}
	if past {
		delete(m.stops, q.TS)
	}
}

// passed forgets the stops of a reader at a key.
func (m *Invariants) passed(reader ports.Timestamp, key []byte) {
	if list := m.stops[reader]; len(list) > 0 {
		m.stops[reader] = slices.DeleteFunc(list, func(s stop) bool { return s.key == string(key) })
	}
}

// Asked holds a question to PD against those that its client waits for: nobody asks twice at the same time for
// the same.
func (m *Invariants) Asked(client string, q *ports.Query, waiting bool) {
	if waiting {
		m.report("%s asks PD for %v of %q, and waits for that answer already", client, q.Kind, q.Key)
	}
}
