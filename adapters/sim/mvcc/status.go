package mvcc

import "github.com/tikvx/tikvx/ports"

// MaxTS returns the timestamp to which CheckTxnStatus raises the store's max_ts (txn/commands/check_txn_status.rs).
func MaxTS(req *ports.CheckTxnStatusRequest) ports.Timestamp {
	ts := req.LockTS
	if req.CurrentTS != ports.MaxTimestamp {
		ts = max(ts, req.CurrentTS)
	}
	if req.CallerStartTS != ports.MaxTimestamp {
		ts = max(ts, req.CallerStartTS)
	}
	return ts
}

// CheckTxnStatus says what became of a transaction, as far as its primary knows, and decides it where nothing else
// can (txn/commands/check_txn_status.rs).
func (e *Engine) CheckTxnStatus(req *ports.CheckTxnStatusRequest, reply *ports.CheckTxnStatusReply) {
	b := e.begin()
	s := status{req: req, reply: reply, batch: b, at: e.entry(req.Primary)}
	switch l := own(s.at, req.LockTS); {
	case s.at.value.lock.isShared():
		// No key with shared locks is a primary, whoever holds them.
		reply.Err = primaryMismatch(s.at.key, s.at.value.lock)
	case l != nil:
		s.locked(l)
	default:
		s.missing()
	}
	if reply.Err == nil {
		e.apply(b)
	}
}

type status struct {
	req   *ports.CheckTxnStatusRequest
	reply *ports.CheckTxnStatusReply
	batch *batch
	at    *entry[columns]
}

// locked handles a primary that the transaction still holds
// (txn/actions/check_txn_status.rs: check_txn_status_lock_exists).
func (s *status) locked(l *Lock) {
	if s.req.VerifyIsPrimary && string(l.Primary) != string(s.at.key) {
		s.mismatch(l)
		return
	}
	if l.AsyncCommit && !s.req.ForceSyncCommit {
		s.alive(l, false)
		return
	}
	if l.pessimistic() {
		if s.pessimistic(l) {
			return
		}
	} else if l.expired(s.req.CurrentTS) {
		rollbackLock(s.batch, s.at, l)
		s.reply.Action = ports.ActionTTLExpireRollback
		return
	}
	s.push(l)
}

// mismatch handles a lock whose primary is another key: the one that was asked about is no primary, or no longer.
func (s *status) mismatch(l *Lock) {
	if !l.pessimistic() || s.req.ResolvingPessimisticLock {
		s.reply.Err = primaryMismatch(s.at.key, l)
		return
	}
	// A prewrite lock names this key as its primary, and prewrite locks are right: the pessimistic lock is stale.
	s.rollMissing(false)
	if s.reply.Err == nil {
		s.batch.unlock(s.at, l.StartTS, 0)
	}
}

// pessimistic handles a pessimistic primary lock and reports whether the question is answered
// (check_txn_status_from_pessimistic_primary_lock).
func (s *status) pessimistic(l *Lock) bool {
	if l.WithConflict {
		if fate := s.at.value.fate(s.req.LockTS); fate.own != nil || fate.rolledBack {
			s.decided(&fate)
			s.batch.unlock(s.at, l.StartTS, 0)
			return true
		}
	}
	switch {
	case !l.expired(s.req.CurrentTS):
		return false
	case s.req.ResolvingPessimisticLock:
		// The transaction may be alive and have changed its primary: nothing final may be said.
		s.batch.unlock(s.at, l.StartTS, 0)
		s.reply.Action = ports.ActionTTLExpirePessimisticRollback
	default:
		rollbackLock(s.batch, s.at, l)
		s.reply.Action = ports.ActionTTLExpireRollback
	}
	return true
}

// push moves min_commit_ts beyond the caller, so that its reads need not wait for this lock.
func (s *status) push(l *Lock) {
	caller := s.req.CallerStartTS
	pushed := *l
	if l.MinCommitTS != 0 && caller != ports.MaxTimestamp && caller >= l.MinCommitTS {
		pushed.memory = false // whatever is written is replicated
		pushed.MinCommitTS = max(caller+1, s.req.CurrentTS)
		s.batch.putLock(s.at, pushed)
	}
	beyond := caller != 0 && pushed.MinCommitTS > caller || caller == ports.MaxTimestamp
	s.alive(&pushed, beyond)
}

// alive reports a lock (server/service/kv.rs: future_check_txn_status).
func (s *status) alive(l *Lock, pushed bool) {
	if pushed {
		s.reply.Action = ports.ActionMinCommitTSPushed
	}
	s.reply.TTL = l.TTL
	info := l.Info(l.Primary)
	s.reply.Lock = &info
}

// missing handles a primary that the transaction does not hold (check_txn_status_missing_lock).
func (s *status) missing() { s.rollMissing(true) }

// rollMissing looks the transaction up in the write column; one that left nothing is rolled back if the caller asks
// for that. marks says whether another transaction's lock on the key is to be told.
func (s *status) rollMissing(marks bool) {
	fate := s.at.value.fate(s.req.LockTS)
	switch {
	case fate.own != nil || fate.rolledBack:
		s.decided(&fate)
	case !s.req.RollbackIfNotExist:
		s.reply.Err = txnNotFound(s.at.key, s.req.LockTS)
	case s.req.ResolvingPessimisticLock:
		s.reply.Action = ports.ActionLockNotExistDoNothing
	default:
		if marks {
			rollbackMissing(s.batch, s.at, s.req.LockTS, fate.overlapped, true)
		} else {
			writeRollback(s.batch, s.at, s.req.LockTS, true, fate.overlapped)
		}
		s.reply.Action = ports.ActionLockNotExistRollback
	}
}

// decided reports a record; a rollback has neither life nor commit timestamp, and no action.
func (s *status) decided(f *fate) {
	if f.committed() {
		s.reply.CommitTS = f.own.CommitTS
	}
}

// TxnHeartBeat prolongs the life of a lock (txn/commands/txn_heart_beat.rs), and raises the min_commit_ts of a flushed
// one. It never shortens or lowers them.
func (e *Engine) TxnHeartBeat(req *ports.TxnHeartBeatRequest, reply *ports.TxnHeartBeatReply) {
	b := e.begin()
	at := e.entry(req.Primary)
	l := own(at, req.StartTS)
	if l == nil {
		reply.Err = txnNotFound(at.key, req.StartTS)
		return
	}
	if at.value.lock.isShared() {
		reply.Err = primaryMismatch(at.key, at.value.lock)
		return
	}
	prolonged := *l
	if prolonged.TTL < req.AdviseLockTTL {
		prolonged.TTL, prolonged.memory = req.AdviseLockTTL, false
	}
	if !l.AsyncCommit && l.generation > 0 {
		prolonged.MinCommitTS = max(l.MinCommitTS, req.MinCommitTS)
	}
	b.putLock(at, prolonged)
	e.apply(b)
	reply.TTL = prolonged.TTL
}
