package check

import "github.com/tikvx/tikvx/ports"

// push is a lock whose least commit timestamp was pushed for a reader, and the reader's timestamp.
type push struct{ reader, lock ports.Timestamp }

// stop is a key at which a reader met a lock that had been pushed for it.
type stop struct {
	push
	key string
}

// maxStops is how often a reader may meet a lock on one key after it was told that the lock cannot commit below it: its
// request may have been under way, and a transaction may read a key again, which finds out anew.
const maxStops = 3

// pushedFor remembers what a reader was told of a lock.
func (m *Invariants) pushedFor(q *ports.CheckTxnStatusRequest, r *ports.CheckTxnStatusReply) {
	if r.Action == ports.ActionMinCommitTSPushed && q.CallerStartTS != ports.MaxTimestamp {
		m.pushed[push{q.CallerStartTS, q.LockTS}] = true
	}
}

// stopped reports a reader that meets a lock again and again although it knows that it may ignore it.
func (m *Invariants) stopped(reader ports.Timestamp, err *ports.KeyError) {
	if err == nil || err.Kind != ports.KeyLocked {
		return
	}
	p := push{reader, err.Lock.StartTS}
	if !m.pushed[p] {
		return
	}
	s := stop{p, string(err.Lock.Key)}
	if m.stops[s]++; m.stops[s] > maxStops {
		m.report("the read at %d meets the lock of %d on %q again, which may be ignored", reader, p.lock, s.key)
	}
}

func (m *Invariants) stoppedAt(reader ports.Timestamp, pairs []ports.Pair) {
	for i := range pairs {
		m.stopped(reader, pairs[i].Err)
	}
}

// Asked holds a question to PD against those that its client waits for: nobody asks twice at the same time for
// the same.
func (m *Invariants) Asked(client string, q *ports.Query, waiting bool) {
	if waiting {
		m.report("%s asks PD for %v of %q, and waits for that answer already", client, q.Kind, q.Key)
	}
}
