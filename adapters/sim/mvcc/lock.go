package mvcc

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// ReadTS returns the timestamp at which a request reads, to which it raises the store's max_ts; 0 when it does not
// (txn/actions/acquire_pessimistic_lock.rs: acquire_pessimistic_lock).
func ReadTS(req *ports.PessimisticLockRequest) ports.Timestamp {
	absent := func(m ports.Mutation) bool { return m.Assertion == ports.AssertNotExist }
	if req.ReturnValues || req.CheckExistence || slices.ContainsFunc(req.Mutations, absent) {
		return req.ForUpdateTS
	}
	return 0
}

// PessimisticLock locks the keys of one batch, all or none (txn/commands/acquire_pessimistic_lock.rs). It reports
// whether a lock of another transaction is in the way for which the request may wait; reply is then the answer to one
// that does not.
func (e *Engine) PessimisticLock(req *ports.PessimisticLockRequest, reply *ports.PessimisticLockReply) (waits bool) {
	return e.PessimisticLockKept(KeepReplicated, req, reply)
}

// PessimisticLockKept is [Engine.PessimisticLock] on a store that does not wait until its locks are replicated.
func (e *Engine) PessimisticLockKept(
	keep Keep, req *ports.PessimisticLockRequest, reply *ports.PessimisticLockReply,
) (waits bool) {
	if req.ForceLock && len(req.Mutations) > 1 {
		reply.Errors = append(reply.Errors, *abort("multiple keys with allowed_lock_with_conflict set"))
		return false
	}
	b := e.begin()
	primary := e.archive.keep(req.Primary)
	for i := range req.Mutations {
		k := newKeyLock(req, b, primary, e.entry(req.Mutations[i].Key), &req.Mutations[i])
		k.keep = keep
		err := k.run()
		if err == nil {
			k.answer(reply)
			continue
		}
		reply.Values, reply.NotFounds, reply.Results = nil, nil, nil
		reply.Errors = append(reply.Errors, *err)
		switch {
		case k.closes:
			// Who wants a shared key for itself is not made to wait before nobody else can join.
			e.apply(e.begin().closeShared(k.at))
		case err.Kind == ports.KeyLocked:
			if req.ForceLock {
				reply.Results = append(reply.Results, ports.LockResult{Kind: ports.LockResultFailed})
			}
			return true
		}
		return false
	}
	if keep != KeepNothing {
		e.apply(b)
	}
	return false
}

// ResumePessimisticLock goes on with a force-lock request whose wait is over, and reports whether it has to wait again
// (txn/commands/acquire_pessimistic_lock_resumed.rs). It waits for no shared locks: those are an error at once, and the
// set is left open (scheduler.rs: on_wait_for_lock_after_resuming).
func (e *Engine) ResumePessimisticLock(
	keep Keep, req *ports.PessimisticLockRequest, reply *ports.PessimisticLockReply,
) (waits bool) {
	b := e.begin()
	k := newKeyLock(req, b, e.archive.keep(req.Primary), e.entry(req.Mutations[0].Key), &req.Mutations[0])
	k.shared, k.keep = false, keep
	err := k.run()
	if err == nil {
		k.answer(reply)
		if keep != KeepNothing {
			e.apply(b)
		}
		return false
	}
	FailLock(req, reply, err)
	return err.Kind == ports.KeyLocked && err.Lock.Kind != ports.KindSharedLock
}

// FailLock answers a request that has waited with an error (src/storage/lock_manager/lock_wait_context.rs:
// finish_request).
func FailLock(req *ports.PessimisticLockRequest, reply *ports.PessimisticLockReply, err *ports.KeyError) {
	reply.Errors = append(reply.Errors[:0], *err)
	if req.ForceLock {
		reply.Results = append(reply.Results[:0], ports.LockResult{Kind: ports.LockResultFailed})
	}
}

// keyLock is the locking of one key (txn/actions/acquire_pessimistic_lock.rs: acquire_pessimistic_lock).
type keyLock struct {
	req     *ports.PessimisticLockRequest
	batch   *batch
	primary []byte
	at      *entry[columns]
	// forUpdate is the request's; a lock taken with conflict has that of the conflict.
	forUpdate ports.Timestamp
	// absent: there must be no value. shared: other transactions may lock the key in the same way.
	absent, shared bool
	// keep is what becomes of the lock.
	keep Keep
	// closes: the key is shared, and nobody may join any more.
	closes bool
	// conflict is the newer version in spite of which the key is locked, conflictTS its commit timestamp.
	conflict   *Write
	conflictTS ports.Timestamp
	// found is the version that the transaction sees, nil for none.
	found *Write
}

func (k *keyLock) run() *ports.KeyError {
	if k.req.LockOnlyIfExists && !k.req.ReturnValues {
		return abort("Txn(Mvcc(LockIfExistsFailed { start_ts: %d }))", k.req.StartTS)
	}
	if l := k.at.value.lock; l != nil {
		if done, err := k.held(l); done {
			return err
		}
	}
	if n := len(k.at.value.writes); n > 0 {
		if err := k.check(&k.at.value.writes[n-1]); err != nil {
			return err
		}
	}
	if k.req.LockOnlyIfExists && !k.shared && k.found == nil {
		if k.conflict != nil {
			return k.writeConflict(k.conflict)
		}
		return nil
	}
	k.put(k.conflict != nil)
	return nil
}

func newKeyLock(
	req *ports.PessimisticLockRequest, b *batch, primary []byte, at *entry[columns], m *ports.Mutation,
) keyLock {
	return keyLock{
		req: req, batch: b, primary: primary, at: at, forUpdate: req.ForUpdateTS,
		absent: m.Assertion == ports.AssertNotExist, shared: m.Kind == ports.KindSharedPessimisticLock,
	}
}

// held handles a key that is locked, and reports whether that was all: whoever joins others goes on like one who locks
// a free key (acquire_pessimistic_lock.rs: acquire_pessimistic_lock).
func (k *keyLock) held(l *Lock) (done bool, err *ports.KeyError) {
	switch {
	case l.shared == nil && !k.shared:
		return true, k.locked(l)
	case l.shared != nil && k.shared && l.shared.of(k.req.StartTS) != nil:
		k.again(l.shared.of(k.req.StartTS))
		return true, nil
	case l.shared != nil && k.shared && !l.shared.shrinkOnly:
		return false, nil
	}
	k.closes = l.shared != nil && !k.shared && !l.shared.shrinkOnly
	return true, keyIsLocked(k.at.key, l)
}

// again handles a shared lock that the transaction holds already. No value is read, and a lock that was prewritten
// becomes pessimistic again if the request is newer (acquire_pessimistic_lock.rs: handle_existing_shared_lock).
func (k *keyLock) again(l *Lock) {
	if k.forUpdate > l.ForUpdateTS {
		k.put(l.WithConflict)
	}
}

// locked handles a key that is locked already; only the transaction's own pessimistic lock is one that it can take
// (acquire_pessimistic_lock.rs: handle_existing_exclusive_lock).
func (k *keyLock) locked(l *Lock) *ports.KeyError {
	switch {
	case l.StartTS != k.req.StartTS:
		return keyIsLocked(k.at.key, l)
	case !l.pessimistic():
		return abort("Txn(Mvcc(LockTypeNotMatch { start_ts: %d, pessimistic: false }))", l.StartTS)
	}
	if k.req.ForceLock && k.forUpdate < l.ForUpdateTS {
		// A force-lock request that comes again learns for which version its lock stands.
		k.forUpdate, k.conflictTS = l.ForUpdateTS, l.ForUpdateTS
	}
	k.found = k.at.value.visible(k.forUpdate)
	if k.absent && k.found != nil {
		if k.found.CommitTS > k.req.ForUpdateTS {
			return k.writeConflict(k.found)
		}
		return alreadyExists(k.at.key)
	}
	if k.forUpdate > l.ForUpdateTS {
		k.put(l.WithConflict)
	}
	return nil
}

// check looks at the newest record of a key that is not locked.
func (k *keyLock) check(newest *Write) *ports.KeyError {
	c := &k.at.value
	if newest.CommitTS > k.forUpdate {
		if !k.req.ForceLock {
			return k.writeConflict(newest)
		}
		k.conflict, k.conflictTS, k.forUpdate = newest, newest.CommitTS, newest.CommitTS
	}
	if i := c.newest(k.req.StartTS); i >= 0 {
		w := &c.writes[i]
		if w.CommitTS == k.req.StartTS && (w.Kind == ports.KindRollback || w.OverlappedRollback) {
			return abort("Txn(Mvcc(PessimisticLockRolledBack { start_ts: %d }))", k.req.StartTS)
		}
	}
	k.found = c.visible(newest.CommitTS)
	if k.absent && k.found != nil {
		if k.conflict != nil {
			return k.writeConflict(k.conflict)
		}
		return alreadyExists(k.at.key)
	}
	return nil
}

func (k *keyLock) put(withConflict bool) {
	l := Lock{
		Kind: ports.KindPessimisticLock, Primary: k.primary, StartTS: k.req.StartTS, TTL: k.req.TTL,
		ForUpdateTS: k.forUpdate, MinCommitTS: k.req.MinCommitTS, WithConflict: withConflict,
	}
	if k.shared {
		k.batch.putShared(k.at, l)
		return
	}
	if held := own(k.at, l.StartTS); k.keep == KeepInMemory && (held == nil || held.memory) {
		l.memory = true
	}
	k.batch.putLock(k.at, l)
}

func (k *keyLock) writeConflict(w *Write) *ports.KeyError {
	return writeConflict(k.at.key, k.primary, k.req.StartTS, w, ports.ConflictPessimisticRetry)
}

// answer adds what the request wants to know about the key (src/storage/types.rs: PessimisticLockKeyResult).
func (k *keyLock) answer(reply *ports.PessimisticLockReply) {
	var value []byte
	if k.found != nil {
		value = k.found.Value
	}
	if !k.req.ForceLock {
		if k.req.ReturnValues {
			reply.Values = append(reply.Values, value)
		}
		if k.req.ReturnValues || k.req.CheckExistence {
			reply.NotFounds = append(reply.NotFounds, k.found == nil)
		}
		return
	}
	r := ports.LockResult{Kind: ports.LockResultNormal}
	if k.conflictTS != 0 {
		r.Kind, r.ConflictTS = ports.LockResultWithConflict, k.conflictTS
	}
	if r.Kind == ports.LockResultWithConflict || k.req.ReturnValues {
		r.Value = value
	}
	r.Existence = k.found != nil &&
		(r.Kind == ports.LockResultWithConflict || k.req.ReturnValues || k.req.CheckExistence)
	reply.Results = append(reply.Results, r)
}
