package mvcc

import "github.com/tikvx/tikvx/ports"

// Commit commits keys, all or none (txn/commands/commit.rs). Keys that are committed already are fine, whatever
// timestamp is asked for.
func (e *Engine) Commit(req *ports.CommitRequest, reply *ports.CommitReply) {
	if req.CommitTS <= req.StartTS {
		reply.Err = invalidTxnTSO(req.StartTS, req.CommitTS)
		return
	}
	b := e.begin()
	for _, key := range req.Keys {
		if err := commitKey(b, e.entry(key), req.StartTS, req.CommitTS); err != nil {
			reply.Err = err
			return
		}
	}
	e.apply(b)
	reply.CommitTS = req.CommitTS
}

// commitKey commits one key (txn/actions/commit.rs: commit).
func commitKey(b *batch, at *entry[columns], start, commit ports.Timestamp) *ports.KeyError {
	l := own(at, start)
	if l == nil {
		if fate := at.value.fate(start); fate.committed() {
			return nil
		}
		return txnLockNotFound(at.key)
	}
	if commit < l.MinCommitTS {
		return commitTSExpired(at.key, start, commit, l.MinCommitTS)
	}
	if l.pessimistic() {
		// A lock that the transaction took and did not need after all: it is released, not committed.
		b.unlock(at, start, 0)
		return nil
	}
	w := Write{CommitTS: commit, StartTS: start, Kind: l.Kind, Value: l.Value}
	for _, ts := range l.rollbacks {
		w.OverlappedRollback = w.OverlappedRollback || ts == commit
	}
	b.putWrite(at, w)
	b.unlock(at, start, commit)
	return nil
}
