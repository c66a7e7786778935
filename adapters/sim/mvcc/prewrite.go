package mvcc

import (
	"bytes"

	"github.com/tikvx/tikvx/ports"
)

// Terms are what a prewrite finds at its store besides the data.
type Terms struct {
	// MaxTS is the greatest timestamp that was read there (components/concurrency_manager).
	MaxTS ports.Timestamp
	// Retry: the request says that it may have been there before, or its transaction is known to be committed.
	Retry bool
}

// Prewrite is [Engine.PrewriteOn] on a store on which nothing was read.
func (e *Engine) Prewrite(req *ports.PrewriteRequest, reply *ports.PrewriteReply) {
	e.PrewriteOn(Terms{}, req, reply)
}

// PrewriteOn locks the keys of one batch, or, when any of them is locked, nothing; with 1PC it commits them
// (txn/commands/prewrite.rs: Prewriter::prewrite, write_result).
//
// A batch whose transaction is found to be committed already is answered without errors: it is a late duplicate.
func (e *Engine) PrewriteOn(t Terms, req *ports.PrewriteRequest, reply *ports.PrewriteReply) {
	p := e.prepare(t, req, reply)
	if p == nil {
		return
	}
	if p.onePC {
		reply.OnePCCommitTS = p.minCommit
		p.batch.commitLocks(p.minCommit)
	}
	if !p.committed {
		e.apply(p.batch)
	}
}

// prepare finds out what a prewrite changes; nil when it is refused.
func (e *Engine) prepare(t Terms, req *ports.PrewriteRequest, reply *ports.PrewriteReply) *prewrite {
	mutations := req.Mutations
	if req.ForUpdateTS != 0 {
		// Mutations are paired with their actions, and one that has none is left out (txn/commands/mod.rs:
		// From<PrewriteRequest>; prewrite.rs: into_prewriter).
		mutations = mutations[:min(len(mutations), len(req.Actions))]
		for _, c := range req.Constraints {
			if int(c.Index) >= len(mutations) {
				reply.Errors = append(reply.Errors, *abort("prewrite request invalid: for_update_ts constraint %d", c.Index))
				return nil
			}
		}
	}
	p := &e.prewriting
	*p = prewrite{
		req: req, terms: t, batch: e.begin(), archive: &e.archive, locks: reply.Errors[:0],
		async: req.UseAsyncCommit, onePC: req.TryOnePC,
	}
	reply.Errors = nil
	for i := range mutations {
		if p.mutation(e.entry(mutations[i].Key), i) {
			break
		}
	}
	switch {
	case p.fatal != nil:
		reply.Errors = append(p.locks[:0], *p.fatal)
		return nil
	case p.committed:
		p.locks = p.locks[:0]
	case p.failed != nil:
		reply.Errors = append(p.locks[:0], *p.failed)
		return nil
	}
	if p.async {
		reply.MinCommitTS = p.minCommit
	}
	if reply.Errors = p.locks; len(p.locks) > 0 {
		return nil
	}
	return p
}

// commitLocks turns the locks that a command was about to write into records (prewrite.rs: handle_1pc_locks).
func (b *batch) commitLocks(commit ports.Timestamp) {
	for i := range b.changes {
		c := &b.changes[i]
		if c.kind != putLock {
			continue
		}
		c.kind = putWrite
		c.write = Write{CommitTS: commit, StartTS: c.lock.StartTS, Kind: c.lock.Kind, Value: c.lock.Value}
		c.lock = Lock{}
		if at := c.at; at.value.lock != nil { // only the transaction's own pessimistic lock can be there
			b.unlock(at, c.write.StartTS, commit)
		}
	}
}

type prewrite struct {
	req   *ports.PrewriteRequest
	terms Terms
	batch *batch
	// archive is where the lock's byte strings go.
	archive *archive
	// async and onePC are the request's wishes until the batch has fallen back.
	async, onePC bool
	minCommit    ports.Timestamp
	// generation is that of a flush, 0 in a prewrite.
	generation uint64
	// committed: the transaction is, at minCommit. locks are those of others, failed is the first assertion that does
	// not hold: whatever else is wrong goes first. fatal ends the batch.
	committed     bool
	locks         []ports.KeyError
	failed, fatal *ports.KeyError
	// primary is the request's, copied once for all locks.
	primary []byte
}

// mutation prewrites one mutation and reports whether the batch ends with it.
func (p *prewrite) mutation(at *entry[columns], i int) (done bool) {
	k := keyPrewrite{prewrite: p, at: at, mutation: &p.req.Mutations[i]}
	k.take(i)
	ts, err := k.run()
	switch {
	case err == nil && (p.async || p.onePC) && ts == 0:
		p.fallBack()
		return false
	case err == nil:
		p.minCommit = max(p.minCommit, ts)
		return false
	case err.Kind == ports.KeyAssertionFailed:
		if p.failed == nil {
			p.failed = err
		}
		return false
	}
	tooLarge := err.Kind == ports.KeyCommitTSTooLarge
	retried := err.Kind == ports.KeyLocked || tooLarge || k.lost ||
		err.Kind == ports.KeyWriteConflict && err.ConflictCommitTS > p.req.StartTS
	if fate := at.value.fate(p.req.StartTS); retried && fate.committed() {
		// txn/actions/common.rs: check_committed_record_on_err
		p.committed, p.minCommit = true, fate.own.CommitTS
		p.batch.changes = p.batch.changes[:0]
		return true
	}
	switch {
	case tooLarge:
		p.fallBack()
	case err.Kind == ports.KeyLocked:
		p.locks = append(p.locks, *err)
	default:
		p.fatal = err
		return true
	}
	return false
}

// fallBack gives async commit and 1PC up for the keys that follow; async-commit locks that the batch has made stay.
func (p *prewrite) fallBack() { p.async, p.onePC, p.minCommit = false, false, 0 }

func (p *prewrite) pessimistic() bool { return p.req.ForUpdateTS != 0 }

// keyPrewrite is the prewrite of one key (txn/actions/prewrite.rs: PrewriteMutation).
type keyPrewrite struct {
	*prewrite
	at       *entry[columns]
	mutation *ports.Mutation
	action   ports.PessimisticAction
	// expected is the for_update_ts that the pessimistic lock must have, if constrained.
	constrained bool
	expected    ports.Timestamp
	// ttl, least and forUpdate are the request's, raised by those of the pessimistic lock.
	ttl              uint64
	least, forUpdate ports.Timestamp
	// lost: the error is that the pessimistic lock is not there.
	lost bool
}

// take sets what the request says about the i-th mutation.
func (k *keyPrewrite) take(i int) {
	k.ttl, k.least, k.forUpdate = k.req.TTL, k.req.MinCommitTS, k.req.ForUpdateTS
	if !k.pessimistic() {
		return
	}
	k.action = k.req.Actions[i]
	for _, c := range k.req.Constraints {
		if int(c.Index) == i {
			k.constrained, k.expected = true, c.ForUpdateTS
		}
	}
}

// run checks the mutation and adds its lock to the batch; it returns the least commit timestamp of the lock if that is
// an async-commit lock, or is to be committed at once (prewrite.rs: prewrite).
func (k *keyPrewrite) run() (ports.Timestamp, *ports.KeyError) {
	if err := k.admit(); err != nil {
		return 0, err
	}
	amended, again := false, false
	switch {
	case k.at.value.lock != nil:
		own, err := k.locked(k.at.value.lock)
		if err != nil || own != nil && k.generation == 0 {
			return own.duplicate(), err
		}
		again = own != nil
	case k.action == ports.DoPessimisticCheck && k.mutation.Kind == ports.KindSharedLock:
		return 0, k.lockNotFound("LockMissingAmendFail")
	case k.action == ports.DoPessimisticCheck:
		if err := k.amend(); err != nil {
			return 0, err
		}
		amended = true
	}
	var newest *Write
	skipped := k.skipsCheck()
	if !skipped {
		var err *ports.KeyError
		if newest, err = k.newerVersion(); err != nil {
			return 0, err
		}
	}
	if !amended && !again { // each key of a transaction is asserted once
		if err := k.assert(newest, !skipped); err != nil {
			return 0, err
		}
	}
	if k.mutation.Kind == ports.KindCheckNotExists {
		if k.async || k.onePC {
			return max(k.req.MinCommitTS, k.req.StartTS+1), nil
		}
		return 0, nil
	}
	return k.write()
}

// admit refuses mutations that no prewrite has.
func (k *keyPrewrite) admit() *ports.KeyError {
	switch k.mutation.Kind {
	case ports.KindPut, ports.KindDelete, ports.KindLock, ports.KindInsert, ports.KindSharedLock:
		return nil
	case ports.KindCheckNotExists:
		if k.pessimistic() {
			return abort("cannot handle checkNotExists in pessimistic prewrite")
		}
		return nil
	case ports.KindRollback, ports.KindPessimisticLock, ports.KindSharedPessimisticLock:
	}
	return abort("mismatch Op in prewrite mutations: %d", k.mutation.Kind)
}

// fresh reports whether the key must not exist.
func (k *keyPrewrite) fresh() bool {
	return k.mutation.Kind == ports.KindInsert || k.mutation.Kind == ports.KindCheckNotExists
}

// duplicate is what a prewrite answers that finds its own lock.
func (l *Lock) duplicate() ports.Timestamp {
	if l == nil || !l.AsyncCommit {
		return 0
	}
	return l.MinCommitTS
}

// locked looks at the lock of the key; it returns the lock if the key is prewritten already (prewrite.rs: check_lock).
func (k *keyPrewrite) locked(l *Lock) (*Lock, *ports.KeyError) {
	l, err := k.concerned(l)
	switch {
	case err != nil:
		return nil, err
	case l.StartTS != k.req.StartTS && k.action == ports.DoPessimisticCheck:
		return nil, k.lockNotFound("LockTsMismatch")
	case l.StartTS != k.req.StartTS:
		err := keyIsLocked(k.at.key, l)
		if k.pessimistic() {
			// The row's lock guards keys that are not locked themselves: who is in the way may be resolved at once.
			err.Lock.TTL = 0
		}
		return nil, err
	case l.generation > 0 && l.Kind == ports.KindPut && k.fresh():
		return nil, alreadyExists(k.at.key)
	case !l.pessimistic():
		return l, nil // a duplicate: the lock stays as it is, unless it is flushed
	case !k.pessimistic():
		return nil, abort("Txn(Mvcc(LockTypeNotMatch { start_ts: %d, pessimistic: true }))", l.StartTS)
	case k.constrained && l.ForUpdateTS != k.expected:
		return nil, k.lockNotFound("LockForUpdateTsMismatch")
	}
	k.ttl, k.least = max(k.ttl, l.TTL), max(k.least, l.MinCommitTS)
	k.forUpdate = max(k.forUpdate, l.ForUpdateTS)
	return nil, nil
}

// amend stands in for a pessimistic lock that was lost, if nothing has been committed since the transaction began
// (prewrite.rs: amend_pessimistic_lock).
func (k *keyPrewrite) amend() *ports.KeyError {
	var newest *Write
	if n := len(k.at.value.writes); n > 0 {
		if newest = &k.at.value.writes[n-1]; newest.CommitTS >= k.req.StartTS {
			return k.lockNotFound("LockMissingAmendFail")
		}
	}
	return k.assert(newest, true)
}

func (k *keyPrewrite) lockNotFound(reason string) *ports.KeyError {
	k.lost = true
	return abort("Txn(Mvcc(PessimisticLockNotFound { start_ts: %d, reason: %s }))", k.req.StartTS, reason)
}

// skipsCheck reports whether newer versions do not matter. A retried prewrite of a key that was never locked looks for
// them, lest it writes again what is committed (prewrite.rs: skip_constraint_check).
func (k *keyPrewrite) skipsCheck() bool {
	switch {
	case !k.pessimistic():
		return k.req.SkipConstraintCheck
	case k.action == ports.DoPessimisticCheck:
		return true
	case k.action == ports.DoConstraintCheck:
		return false
	}
	return !k.terms.Retry
}

// newerVersion looks for newer versions, for the transaction's own rollback, and for values that must not exist; it
// returns the newest record that counts (prewrite.rs: check_for_newer_version; check_data_constraint.rs).
func (k *keyPrewrite) newerVersion() (*Write, *ports.KeyError) {
	c, start := &k.at.value, k.req.StartTS
	for i := len(c.writes) - 1; i >= 0; i-- {
		w := &c.writes[i]
		switch {
		case w.CommitTS == start && (w.Kind == ports.KindRollback || w.OverlappedRollback):
			return nil, writeConflict(k.at.key, k.ownPrimary(), start, w, ports.ConflictSelfRolledBack)
		case !k.pessimistic() && w.CommitTS > start:
			return nil, writeConflict(k.at.key, k.ownPrimary(), start, w, ports.ConflictOptimistic)
		case k.action == ports.DoConstraintCheck && w.CommitTS > start:
			return nil, writeConflict(k.at.key, k.ownPrimary(), start, w, ports.ConflictLazyUniquenessCheck)
		case k.pessimistic() && w.CommitTS > k.req.ForUpdateTS && w.Kind == ports.KindRollback:
			continue // rollbacks are no conflict: the row's lock does not keep them out
		case k.pessimistic() && w.CommitTS > k.req.ForUpdateTS:
			return nil, k.lockNotFound("NonLockKeyConflict")
		}
		if k.fresh() && c.visible(w.CommitTS) != nil {
			return nil, alreadyExists(k.at.key)
		}
		return w, nil
	}
	return nil, nil
}

// assert holds the mutation's assertion against the newest record, if that was read or all assertions are wanted
// (prewrite.rs: check_assertion).
func (k *keyPrewrite) assert(w *Write, read bool) *ports.KeyError {
	wanted, level := k.mutation.Assertion, k.req.AssertionLevel
	if wanted == ports.AssertNothing || level == ports.AssertionsOff || level != ports.AssertionsStrict && !read {
		return nil
	}
	switch {
	case !read:
		w = k.at.value.visible(ports.MaxTimestamp)
	case w != nil && !w.data():
		w = k.at.value.visible(w.CommitTS)
	}
	exists := w != nil && w.Kind == ports.KindPut
	if exists == (wanted == ports.AssertExist) {
		return nil
	}
	if k.skipsCheck() {
		// The shadow of a rollback or of a conflict is reported as what it is.
		if _, err := k.newerVersion(); err != nil {
			return err
		}
	}
	err := &ports.KeyError{
		Kind: ports.KeyAssertionFailed, Key: k.at.key, StartTS: k.req.StartTS, Assertion: k.mutation.Assertion,
	}
	if w != nil {
		err.ConflictTS, err.ConflictCommitTS = w.StartTS, w.CommitTS
	}
	return err
}

// write makes the lock of the mutation (prewrite.rs: write_lock).
func (k *keyPrewrite) write() (ports.Timestamp, *ports.KeyError) {
	m := k.mutation
	l := Lock{
		Kind: m.Kind, Primary: k.ownPrimary(), StartTS: k.req.StartTS, TTL: k.ttl, TxnSize: k.req.TxnSize,
		MinCommitTS: k.least, ForUpdateTS: k.forUpdate, generation: k.generation,
	}
	switch m.Kind {
	case ports.KindInsert:
		l.Kind = ports.KindPut
	case ports.KindSharedLock:
		l.Kind = ports.KindLock
	default:
	}
	if l.Kind == ports.KindPut {
		l.Value = k.archive.keep(m.Value)
	}
	var ts ports.Timestamp
	var err *ports.KeyError
	if k.async || k.onePC {
		if ts, err = k.commitTS(); err == nil {
			l.MinCommitTS = ts
		}
	}
	if k.async && err == nil {
		l.AsyncCommit = true
		if bytes.Equal(m.Key, k.req.Primary) {
			l.Secondaries = k.archive.keepAll(k.req.Secondaries)
		}
	}
	if refused := k.keep(l, err == nil); refused != nil {
		return 0, refused
	}
	return ts, err
}

// commitTS chooses the least commit timestamp: above everything that was read on the store, and above the request's
// for_update_ts, which can be less than that of a lock taken with conflict (prewrite.rs: async_commit_timestamps).
func (k *keyPrewrite) commitTS() (ports.Timestamp, *ports.KeyError) {
	ts := max(k.least, max(k.terms.MaxTS, k.req.StartTS, k.req.ForUpdateTS)+1)
	if k.req.MaxCommitTS != 0 && ts > k.req.MaxCommitTS {
		return 0, &ports.KeyError{Kind: ports.KeyCommitTSTooLarge, MinCommitTS: ts}
	}
	return ts, nil
}

func (p *prewrite) ownPrimary() []byte {
	if p.primary == nil {
		p.primary = p.archive.keep(p.req.Primary)
	}
	return p.primary
}
