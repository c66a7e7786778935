package sim

import (
	"bytes"
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// lockWaits are the requests that wait for locks at one store. Nobody but their own store wakes them: those whose store
// does not lead any more wait until their time is over (src/server/lock_manager/waiter_manager.rs: Waiter).
type lockWaits struct {
	queues mvcc.WaitQueues
	// met: the request that was executed last has met a lock for which it waits.
	met bool
	// list is in the order in which the waits began.
	list []*lockWait
	// told is when the last message to the detector arrives; they keep their order.
	told ports.Instant
}

// lockWait is one of them.
//
//	            ┌─ released ──▶ WriteConflict, or, by force, the lock
//	waiting ────┼─ cycle ─────▶ Deadlock
//	   ▲        └─ timeout ───▶ KeyIsLocked
//	   └─ resumed and locked out again
type lockWait struct {
	waiter mvcc.Waiter
	call   *call
	// duplicate: nobody waits for the answer.
	duplicate bool
	// lock is what is in the way, as far as the store knows; updated is when it learnt of another one.
	lock    ports.Lock
	updated ports.Instant
}

// takeMet reports once that a request has met a lock for which it waits.
func (l *lockWaits) takeMet() bool {
	met := l.met
	l.met = false
	return met
}

func (l *lockWait) request() *ports.PessimisticLockRequest {
	return l.call.req.(*ports.PessimisticLockRequest)
}

// waits are what the detector is told of the wait: one for each transaction that holds the lock.
func (l *lockWait) waits() []ports.WaitFor {
	holders := l.lock.Shared
	if l.lock.Kind != ports.KindSharedLock {
		holders = []ports.Lock{l.lock}
	}
	var list []ports.WaitFor
	for i := range holders {
		list = append(list, ports.WaitFor{
			Txn: l.waiter.StartTS, WaitForTxn: holders[i].StartTS, KeyHash: ports.KeyHash(l.waiter.Key), Key: l.waiter.Key,
		})
	}
	return list
}

// park lets a request wait for the lock that it has met (src/storage/txn/scheduler.rs: on_wait_for_lock). Whoever has
// sent it may give up: the store does not hear of that.
func (w *World) park(h *happening, key []byte) {
	c, s := h.call, h.store
	w.lastWait++
	q := c.req.(*ports.PessimisticLockRequest)
	i := slices.IndexFunc(q.Mutations, func(m ports.Mutation) bool { return bytes.Equal(m.Key, key) })
	lock := w.engine.Lock(key).Info(key)
	l := &lockWait{call: c, duplicate: h.duplicate, lock: lock, waiter: mvcc.Waiter{
		Token: w.lastWait, Key: key, StartTS: q.StartTS, Resumable: q.ForceLock,
		Shared: q.Mutations[i].Kind == ports.KindSharedPessimisticLock,
	}}
	c.uses++
	if !h.duplicate {
		w.limit(c)
	}
	w.callNote(noteWait, c, uint64(s.id))
	s.waits.list = append(s.waits.list, l)
	s.waits.queues.Push(l.waiter)
	w.inProcess(s, w.now.Add(patience(q)), func() { w.onWaitTimeout(s, l) })
	if !q.IsFirstLock {
		// The first lock of a transaction cannot be part of a cycle.
		w.detect(s, l)
	}
}

// patience is how long a store lets a request wait (src/storage/lock_manager/mod.rs: WaitTimeout).
func patience(q *ports.PessimisticLockRequest) time.Duration {
	if q.WaitTimeout == 0 || q.WaitTimeout > mvcc.WaitLimit.Milliseconds() {
		return mvcc.WaitLimit
	}
	return time.Duration(q.WaitTimeout) * time.Millisecond
}

// endWait takes a wait from its store, and tells the detector. False: it has ended already.
func (w *World) endWait(s *store, l *lockWait) bool {
	i := slices.Index(s.waits.list, l)
	if i < 0 {
		return false
	}
	s.waits.list = slices.Delete(s.waits.list, i, i+1)
	s.waits.queues.Remove(l.waiter.Key, l.waiter.Token)
	w.forget(s, l)
	return true
}

// failWait ends a wait with an error.
func (w *World) failWait(s *store, l *lockWait, err *ports.KeyError) {
	if !w.endWait(s, l) {
		return
	}
	b := w.newReply()
	b.header(ports.VerbPessimisticLock)
	mvcc.FailLock(l.request(), b.reply.(*ports.PessimisticLockReply), err)
	w.answerWait(s, l, b)
}

// answerWait answers a request that has waited.
func (w *World) answerWait(s *store, l *lockWait, b *replyBuffer) {
	c := l.call
	if b.reply.Region() == nil {
		w.callNote(noteExecute, c, uint64(s.id))
		w.monitor.Executed(&c.hdr, c.req, b.reply)
	}
	w.seal(b)
	w.conclude(c, b, l.duplicate)
	w.leave(c)
}

// onWaitTimeout ends a wait that has lasted long enough (waiter_manager.rs: cancel_for_timeout).
func (w *World) onWaitTimeout(s *store, l *lockWait) {
	lock := l.lock
	if l.updated != 0 {
		lock.DurationToLastUpdate = max(1, uint64(w.now.Sub(l.updated).Milliseconds()))
	}
	w.failWait(s, l, &ports.KeyError{Kind: ports.KeyLocked, Lock: lock})
}

// wake lets those know who wait at a store for what a command there has let go or locked. A command that is proposed
// and whose fate its proposer does not learn lets nobody resume (scheduler.rs: on_release_locks, on_write_finished).
func (w *World) wake(s *store, tracked bool) {
	acquired, released := w.engine.Acquired(), w.engine.Released()
	if s.waits.queues.Len() == 0 || len(acquired)+len(released) == 0 {
		return
	}
	var resumed []*lockWait
	for _, r := range slices.Clone(released) {
		woken, alarm := s.waits.queues.Release(r, w.now)
		w.setAlarm(s, alarm)
		for _, waiter := range woken {
			switch l := s.waits.find(waiter.Token); {
			case !waiter.Resumable:
				w.tellToBeginAgain(s, l, r)
			case tracked:
				resumed = append(resumed, l)
			default:
				s.waits.queues.Push(waiter)
			}
		}
	}
	for _, key := range slices.Clone(acquired) {
		w.waitForAnother(s, key)
	}
	w.resumeWaits(s, resumed)
}

func (l *lockWaits) find(token uint64) *lockWait {
	i := slices.IndexFunc(l.list, func(w *lockWait) bool { return w.waiter.Token == token })
	return l.list[i]
}

// tellToBeginAgain answers a request in normal mode whose lock is released: what it wanted to lock may have changed
// (scheduler.rs: wake_up_legacy_pessimistic_locks).
func (w *World) tellToBeginAgain(s *store, l *lockWait, r mvcc.Release) {
	q := l.request()
	w.failWait(s, l, &ports.KeyError{
		Kind: ports.KeyWriteConflict, Key: l.waiter.Key, Primary: q.Primary, StartTS: q.StartTS,
		ConflictTS: r.StartTS, ConflictCommitTS: r.CommitTS, Reason: ports.ConflictPessimisticRetry,
	})
}

// resumeWaits lets requests that lock by force go on: one command, admitted by the region of the first
// (txn/commands/acquire_pessimistic_lock_resumed.rs: from_lock_wait_entries).
func (w *World) resumeWaits(s *store, list []*lockWait) {
	if len(list) == 0 {
		return
	}
	if until := s.latched(list); until > w.now {
		w.inProcess(s, until, func() {
			over := func(l *lockWait) bool { return !slices.Contains(s.waits.list, l) }
			w.resumeWaits(s, slices.DeleteFunc(list, over))
		})
		return
	}
	first := list[0].call
	if r := w.regions.byID[first.hdr.Region.ID]; r != nil && r.cut != 0 {
		// Nothing is committed without a majority: they wait on.
		for _, l := range list {
			s.waits.queues.Push(l.waiter)
		}
		return
	}
	var f ports.RegionFault
	if !w.admit(s, &first.hdr, first.req, &f) {
		for _, l := range list {
			w.endWait(s, l)
			b := w.newReply()
			header := b.header(ports.VerbPessimisticLock)
			b.fault = f
			header.Fault = &b.fault
			w.answerWait(s, l, b)
		}
		return
	}
	for _, l := range list {
		q := l.request()
		b := w.newReply()
		b.header(ports.VerbPessimisticLock)
		s.maxTS = max(s.maxTS, mvcc.ReadTS(q))
		if w.engine.ResumePessimisticLock(w.keeps(), q, b.reply.(*ports.PessimisticLockReply)) {
			// The detector keeps what it knew (scheduler.rs: on_wait_for_lock_after_resuming).
			w.drop(b)
			s.waits.queues.Push(l.waiter)
			continue
		}
		acquired := slices.Clone(w.engine.Acquired())
		w.endWait(s, l)
		w.answerWait(s, l, b)
		for _, key := range acquired {
			w.waitForAnother(s, key)
		}
	}
}

// latched returns when the keys that requests want to lock will be free of what is being written there.
func (s *store) latched(list []*lockWait) ports.Instant {
	var until ports.Instant
	for _, l := range list {
		until = max(until, s.memory.latched(l.call))
	}
	return until
}

// setAlarm lets those be told later of a release who were not woken by it.
func (w *World) setAlarm(s *store, a mvcc.Alarm) {
	if a.At == 0 {
		return
	}
	w.inProcess(s, a.At, func() {
		woken, last, again := s.waits.queues.Ring(a, w.now)
		w.setAlarm(s, again)
		for _, waiter := range woken {
			if l := s.waits.find(waiter.Token); waiter.Resumable {
				w.resumeWaits(s, []*lockWait{l})
			} else {
				w.tellToBeginAgain(s, l, last)
			}
		}
	})
}

// waitForAnother lets those who wait for a key know that it has been locked by another than they thought. Only those
// that lock by force look for deadlocks anew: the others will be told to begin again
// (lock_waiting_queue.rs: update_lock_wait; waiter_manager.rs: handle_update_wait_for).
func (w *World) waitForAnother(s *store, key []byte) {
	lock := w.engine.Lock(key)
	if lock == nil {
		return
	}
	for _, waiter := range slices.Clone(s.waits.queues.At(key)) {
		l := s.waits.find(waiter.Token)
		l.updated = w.now
		info := lock.Info(l.waiter.Key)
		shared := info.Kind == ports.KindSharedLock && l.lock.Kind == info.Kind
		if l.lock.StartTS == info.StartTS && !shared {
			continue
		}
		detects := waiter.Resumable && !l.request().IsFirstLock
		if detects {
			w.forget(s, l)
		}
		l.lock = info
		if detects {
			w.detect(s, l)
		}
	}
}

// info lists the waits (waiter_manager.rs: to_wait_for_entries).
func (l *lockWaits) info() []ports.WaitFor {
	var list []ports.WaitFor
	for _, wait := range l.list {
		key := wait.waiter.Key
		list = append(list, ports.WaitFor{
			Txn: wait.waiter.StartTS, WaitForTxn: wait.lock.StartTS, KeyHash: ports.KeyHash(key), Key: key,
		})
	}
	return list
}

// inProcess lets something happen in the process of a store: later when that stands still, never when it has ended.
func (w *World) inProcess(s *store, at ports.Instant, f func()) {
	h := w.agenda.add(at)
	h.kind, h.store, h.incarnation, h.run = happenInProcess, s, s.incarnation, f
}

func (w *World) onInProcess(h *happening) {
	switch s := h.store; {
	case !s.up || s.incarnation != h.incarnation:
	case s.hung:
		s.backlog = append(s.backlog, *h)
	default:
		h.run()
	}
}

// loseWaits ends the waits of a store whose process ends; their connections answer for them.
func (w *World) loseWaits(s *store) {
	for _, l := range s.waits.list {
		w.leave(l.call)
	}
	s.waits = lockWaits{}
}
