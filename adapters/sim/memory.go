package sim

import (
	"bytes"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// memoryLocks are the prewrites with async commit or 1PC that a store has decided and not applied yet. Their locks
// stand in its memory, where reads meet them, and nobody else can write their keys (components/concurrency_manager;
// txn/latch.rs). They are lost with the process.
//
//	prewrite ──▶ commit timestamp chosen, locks in memory ──▶ applied, locks in the data, memory free ──▶ answered
type memoryLocks []heldPrewrite

type heldPrewrite struct {
	call  *call
	locks []mvcc.MemoryLock
	// maxTS is the timestamp above which the commit timestamp was chosen.
	maxTS ports.Timestamp
	until ports.Instant
}

// hold lets the locks of a prewrite stand in memory for a while, and reports whether it does.
func (w *World) hold(h *happening) bool {
	c, s := h.call, h.store
	q, ok := c.req.(*ports.PrewriteRequest)
	if !ok || h.duplicate || s.applying || !q.UseAsyncCommit && !q.TryOnePC {
		return false
	}
	n := w.choose(SiteMemoryLock, 8)
	if n == 0 {
		return false
	}
	locks := w.engine.Prepare(w.terms(s, &c.hdr, q), q)
	if len(locks) == 0 {
		return false
	}
	until := w.now + executeTime<<n
	s.memory = append(s.memory, heldPrewrite{call: c, locks: locks, maxTS: s.maxTS, until: until})
	c.underway = true
	later := *h
	*w.plan(c, until, happenExecute) = later
	return true
}

// terms are what a prewrite finds at a store; one that is applied now found it earlier.
func (w *World) terms(s *store, hdr *ports.Header, q *ports.PrewriteRequest) mvcc.Terms {
	maxTS := s.maxTS
	if s.applying {
		maxTS = s.chosen
	}
	return mvcc.Terms{MaxTS: maxTS, Retry: hdr.IsRetry || w.knownCommitted(s, q)}
}

// release takes the locks of a call from memory, since it is applied now, or never.
func (s *store) release(c *call) {
	s.applying, s.chosen = false, 0
	for i := range s.memory {
		if held := &s.memory[i]; held.call == c {
			s.applying, s.chosen = true, held.maxTS
			s.memory = append(s.memory[:i], s.memory[i+1:]...)
			return
		}
	}
}

// latched returns when the keys that a request writes will be free, 0 when they are.
func (m memoryLocks) latched(c *call) ports.Instant {
	var until ports.Instant
	for i := range m {
		if held := &m[i]; held.call != c && writesAny(c.req, held.locks) {
			until = max(until, held.until)
		}
	}
	return until
}

// writesAny reports whether a command writes one of the keys.
func writesAny(req ports.Request, locks []mvcc.MemoryLock) bool {
	var keys [][]byte
	var mutations []ports.Mutation
	switch q := req.(type) {
	case *ports.PrewriteRequest:
		mutations = q.Mutations
	case *ports.FlushRequest:
		mutations = q.Mutations
	case *ports.PessimisticLockRequest:
		mutations = q.Mutations
	case *ports.CommitRequest:
		keys = q.Keys
	case *ports.BatchRollbackRequest:
		keys = q.Keys
	case *ports.ResolveLockRequest:
		keys = q.Keys
	case *ports.PessimisticRollbackRequest:
		keys = q.Keys
	case *ports.CheckSecondaryLocksRequest:
		keys = q.Keys
	case *ports.CheckTxnStatusRequest:
		return holds(locks, q.Primary)
	case *ports.TxnHeartBeatRequest:
		return holds(locks, q.Primary)
	}
	for _, key := range keys {
		if holds(locks, key) {
			return true
		}
	}
	for i := range mutations {
		if holds(locks, mutations[i].Key) {
			return true
		}
	}
	return false
}

func holds(locks []mvcc.MemoryLock, key []byte) bool {
	for i := range locks {
		if bytes.Equal(locks[i].Key, key) {
			return true
		}
	}
	return false
}

// oldest returns the start of the oldest transaction that has locks in memory.
func (m memoryLocks) oldest() ports.Timestamp {
	oldest := ports.MaxTimestamp
	for i := range m {
		for j := range m[i].locks {
			oldest = min(oldest, m[i].locks[j].StartTS)
		}
	}
	return oldest
}

// meets answers a read that meets a lock in memory, and reports whether it does: the whole read fails
// (src/storage/mod.rs: prepare_snap_ctx, scan, scan_lock).
func (m memoryLocks) meets(hdr *ports.Header, req ports.Request, b *replyBuffer) bool {
	if len(m) == 0 {
		return false
	}
	view := snapshot(hdr, 0)
	switch q := req.(type) {
	case *ports.GetRequest:
		view.TS = q.TS
		b.get.Err = m.meetsKey(view, q.Key)
		return b.get.Err != nil
	case *ports.BatchGetRequest:
		view.TS = q.TS
		b.batchGet.Err = m.meetsKey(view, q.Keys...)
		b.batchGet.Pairs = failed(b.batchGet.Pairs, b.batchGet.Err)
		return b.batchGet.Err != nil
	case *ports.ScanRequest:
		view.TS = q.TS
		b.scan.Err = m.meetsRange(q.Range, view.Meets)
		b.scan.Pairs = failed(b.scan.Pairs, b.scan.Err)
		return b.scan.Err != nil
	case *ports.BufferBatchGetRequest:
		view.TS, view.Resolved = q.StartTS, nil
		r := b.rare.(*ports.BufferBatchGetReply)
		r.Err = m.meetsKey(view, q.Keys...)
		return r.Err != nil
	case *ports.ScanLockRequest:
		r := b.rare.(*ports.ScanLockReply)
		r.Err = m.meetsRange(q.Range, func(l *mvcc.MemoryLock) *ports.KeyError {
			if l.StartTS > q.MaxTS {
				return nil
			}
			return &ports.KeyError{Kind: ports.KeyLocked, Lock: l.Info()}
		})
		return r.Err != nil
	}
	return false
}

// failed are the pairs of a reply that has an error: one that says it again (server/service/kv.rs: future_batch_get).
func failed(pairs []ports.Pair, err *ports.KeyError) []ports.Pair {
	if err == nil {
		return pairs
	}
	return append(pairs, ports.Pair{Err: err})
}

// meetsKey returns the error of the first key that a read cannot read.
func (m memoryLocks) meetsKey(view *mvcc.Snapshot, keys ...[]byte) *ports.KeyError {
	for _, key := range keys {
		for i := range m {
			for j := range m[i].locks {
				l := &m[i].locks[j]
				if !bytes.Equal(l.Key, key) {
					continue
				}
				if err := view.Meets(l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// meetsRange returns the error of the least key of a range that has one.
func (m memoryLocks) meetsRange(r ports.KeyRange, meets func(*mvcc.MemoryLock) *ports.KeyError) *ports.KeyError {
	var first *mvcc.MemoryLock
	var err *ports.KeyError
	for i := range m {
		for j := range m[i].locks {
			l := &m[i].locks[j]
			if !r.Contains(l.Key) || first != nil && bytes.Compare(l.Key, first.Key) > 0 {
				continue
			}
			if e := meets(l); e != nil {
				first, err = l, e
			}
		}
	}
	return err
}
