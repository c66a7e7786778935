package mvcc

import (
	"encoding/binary"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Snapshot is what a read sees: the versions at TS, without the locks of the Resolved transactions and with those of
// the Committed ones.
type Snapshot struct {
	TS                  ports.Timestamp
	Resolved, Committed []ports.Timestamp
	Isolation           ports.Isolation
}

// read returns the value of a key, nil when it has none, or the error of a lock that is in the way
// (mvcc/reader/point_getter.rs: get).
func (e *Engine) read(s *Snapshot, at *entry[columns]) (value []byte, found bool, err *ports.KeyError) {
	if l := at.value.lock; l != nil {
		switch effect, err := s.meets(at.key, l); effect {
		case ignoreLock:
		case useLock:
			// load_data_from_lock: locks that carry no data were ignored already.
			return l.Value, l.Kind == ports.KindPut, nil
		case blockedByLock:
			return nil, false, err
		}
	}
	if n := len(at.value.writes); s.Isolation == ports.IsolationRCCheckTS && n > 0 {
		// A record of any kind will do (point_getter.rs: load_data). TiKV names the key in its stored form.
		if newest := at.value.writes[n-1].CommitTS; newest > s.TS {
			stored := binary.BigEndian.AppendUint64(AppendEncoded(nil, at.key), ^uint64(newest))
			err := writeConflict(stored, nil, s.TS, &Write{CommitTS: newest}, ports.ConflictRCCheckTS)
			return nil, false, err
		}
	}
	if w := at.value.visible(s.TS); w != nil {
		return w.Value, true, nil
	}
	return nil, false, nil
}

// meets says what a lock means to a read, and the error if it is in the way. That its transaction is known to be
// committed helps a read that minds locks of any age, too (point_getter.rs: load_and_check_lock).
func (s *Snapshot) meets(key []byte, l *Lock) (lockEffect, *ports.KeyError) {
	switch s.Isolation {
	case ports.IsolationSI:
		effect := s.conflict(key, l)
		if effect == blockedByLock {
			return effect, keyIsLocked(key, l)
		}
		return effect, nil
	case ports.IsolationRCCheckTS:
		err := s.lockedAnew(key, l)
		switch {
		case err == nil:
		case slices.Contains(s.Committed, l.StartTS):
			return useLock, nil
		default:
			return blockedByLock, err
		}
	case ports.IsolationRC:
	}
	return ignoreLock, nil
}

// lockedAnew is the error of a read that wants to know of anything newer than its timestamp: of a lock that may carry
// data, whenever its transaction began (components/txn_types/src/lock.rs: check_ts_conflict_rc_check_ts).
func (s *Snapshot) lockedAnew(key []byte, l *Lock) *ports.KeyError {
	if !l.mayWrite() || slices.Contains(s.Resolved, l.StartTS) {
		return nil
	}
	return writeConflict(key, l.Primary, s.TS, &Write{StartTS: l.StartTS}, ports.ConflictRCCheckTS)
}

type lockEffect uint8

const (
	ignoreLock lockEffect = iota
	useLock
	blockedByLock
)

// conflict says what a lock means to a read (components/txn_types/src/lock.rs: check_ts_conflict_si).
func (s *Snapshot) conflict(key []byte, l *Lock) lockEffect {
	switch {
	case l.StartTS > s.TS || !l.mayWrite():
		return ignoreLock
	case l.MinCommitTS > s.TS:
		return ignoreLock
	case slices.Contains(s.Resolved, l.StartTS):
		return ignoreLock
	case s.TS == ports.MaxTimestamp && string(key) == string(l.Primary) && !l.AsyncCommit:
		return ignoreLock
	case slices.Contains(s.Committed, l.StartTS):
		return useLock
	}
	return blockedByLock
}

// Get reads one key (server/service/kv.rs: future_get).
func (e *Engine) Get(key []byte, s *Snapshot, reply *ports.GetReply) {
	at := e.keys.get(key)
	if at == nil {
		reply.NotFound = true
		return
	}
	value, found, err := e.read(s, at)
	reply.Value, reply.NotFound, reply.Err = value, !found && err == nil, err
}

// BatchGet reads keys; each has an answer of its own, and one without a value has none (src/storage/mod.rs: batch_get).
func (e *Engine) BatchGet(keys [][]byte, s *Snapshot, reply *ports.BatchGetReply) {
	for _, key := range keys {
		at := e.keys.get(key)
		if at == nil {
			continue
		}
		if value, found, err := e.read(s, at); found || err != nil {
			reply.Pairs = append(reply.Pairs, pair(at.key, value, err))
		}
	}
}

// pair is what became of one key; an error names it itself (src/storage/errors.rs: entry_result_to_kv_pair).
func pair(key, value []byte, err *ports.KeyError) ports.Pair {
	if err != nil {
		return ports.Pair{Err: err}
	}
	return ports.Pair{Key: key, Value: value}
}

// Scan reads at most Limit pairs inside the extent; a key whose lock is in the way is a pair with an error and counts
// (txn/store.rs: Scanner::scan).
func (e *Engine) Scan(req *ports.ScanRequest, x Extent, s *Snapshot, reply *ports.ScanReply) {
	take := func(at *entry[columns]) bool {
		value, found, err := e.read(s, at)
		if err != nil && err.Kind != ports.KeyLocked {
			// Of the errors of a key only locks leave the others readable (server/service/kv.rs: future_scan).
			reply.Err = err
			reply.Pairs = append(reply.Pairs[:0], ports.Pair{Err: err})
			return false
		}
		if found && req.KeyOnly {
			value = nil
		}
		if found || err != nil {
			reply.Pairs = append(reply.Pairs, pair(at.key, value, err))
		}
		return len(reply.Pairs) < int(req.Limit)
	}
	if req.Limit == 0 {
		return
	}
	if req.Reverse {
		scanDown(&e.keys, req.Range, x.Contains, x.txnEnd, take)
	} else {
		scanUp(&e.keys, req.Range, x.Contains, x.txnStart, take)
	}
}

// txnStart and txnEnd report whether a transactional key is not below the extent's start, or its end.
func (x Extent) txnStart(key []byte) bool { return compareEncoded(key, x.Start) >= 0 }

func (x Extent) txnEnd(key []byte) bool { return len(x.End) > 0 && compareEncoded(key, x.End) >= 0 }

// scanUp walks the entries that lie in the range and in the region, upwards, until take returns false. from is true
// from the region's start on.
func scanUp[T any](
	o *ordered[T], r ports.KeyRange, inRegion func([]byte) bool, from func([]byte) bool, take func(*entry[T]) bool,
) {
	at := o.seekFunc(from)
	if first, _ := o.seek(r.Start); first.chunk > at.chunk || first.chunk == at.chunk && first.index > at.index {
		at = first
	}
	for ; ; at = o.next(at) {
		e := o.at(at)
		if e == nil || !r.Contains(e.key) || !inRegion(e.key) || !take(e) {
			return
		}
	}
}

// scanDown is scanUp downwards. beyond is true from the region's end on.
func scanDown[T any](
	o *ordered[T], r ports.KeyRange, inRegion func([]byte) bool, beyond func([]byte) bool, take func(*entry[T]) bool,
) {
	at := o.seekFunc(beyond)
	if len(r.End) > 0 {
		if last, _ := o.seek(r.End); last.chunk < at.chunk || last.chunk == at.chunk && last.index < at.index {
			at = last
		}
	}
	for {
		var ok bool
		if at, ok = o.previous(at); !ok {
			return
		}
		e := o.at(at)
		if !r.Contains(e.key) || !inRegion(e.key) || !take(e) {
			return
		}
	}
}
