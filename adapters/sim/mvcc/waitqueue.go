package mvcc

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// WakeDelay is how long after the last time that a key was released the requests hear of it that were not woken then
// (src/server/lock_manager/config.rs: wake_up_delay_duration).
const WakeDelay = 20 * time.Millisecond

// Waiter is a request that waits for the lock of one key (src/storage/lock_manager/lock_waiting_queue.rs:
// LockWaitEntry).
type Waiter struct {
	// Token names the waiter; no two have the same.
	Token   uint64
	Key     []byte
	StartTS ports.Timestamp
	// Resumable waiters go on when they are woken; the others are told to begin again. Shared ones want to share the lock.
	Resumable, Shared bool

	// round is how often others had been woken when the waiter came, once it has come.
	round  int
	queued bool
}

// WaitQueues are the queues of one store, one for each key (lock_waiting_queue.rs: LockWaitQueues). Whoever began first
// is woken first. The zero value has nobody waiting.
type WaitQueues struct {
	queues map[string]*waitQueue
	alarms uint64
	count  int
}

// waitQueue is the queue of one key (lock_waiting_queue.rs: KeyLockWaitState).
type waitQueue struct {
	// waiters ascend by StartTS; of one transaction, whoever came first is first.
	waiters []Waiter
	// round counts the requests that were woken and told to begin again.
	round int
	// last is what has released the key last.
	last Release
	// alarm is the id of the alarm that is set, 0 for none, due when it goes off.
	alarm uint64
	due   ports.Instant
}

// Alarm is a moment at which the waiters of a key hear of a release.
type Alarm struct {
	Key []byte
	At  ports.Instant
	id  uint64
}

// Len returns the number of waiters.
func (q *WaitQueues) Len() int { return q.count }

// Push lets a request wait (push_lock_wait).
func (q *WaitQueues) Push(w Waiter) {
	if q.queues == nil {
		q.queues = map[string]*waitQueue{}
	}
	k := q.queues[string(w.Key)]
	if k == nil {
		k = &waitQueue{}
		q.queues[string(w.Key)] = k
	}
	if !w.queued {
		w.round, w.queued = k.round, true
	}
	i := len(k.waiters)
	for i > 0 && k.waiters[i-1].StartTS > w.StartTS {
		i--
	}
	k.waiters = slices.Insert(k.waiters, i, w)
	q.count++
}

// Release takes the requests from the queue that are woken when a key is released: the first, and with one that shares
// the lock all that follow it and would share it, too. If others are left that were told nothing, an alarm has to be
// set, unless one is that now goes off later (pop_for_waking_up).
func (q *WaitQueues) Release(r Release, now ports.Instant) (woken []Waiter, alarm Alarm) {
	k := q.queues[string(r.Key)]
	if k == nil {
		return nil, Alarm{}
	}
	k.last = r
	told := false
	for len(k.waiters) > 0 {
		first := k.waiters[0]
		if len(woken) > 0 && !(woken[0].Shared && first.Shared) {
			break
		}
		woken = append(woken, q.pop(k))
		if !first.Resumable {
			k.round++
			told = true
		}
	}
	if told && len(k.waiters) > 0 {
		k.due = now.Add(WakeDelay)
		if k.alarm == 0 {
			q.alarms++
			k.alarm = q.alarms
			alarm = Alarm{Key: r.Key, At: k.due, id: k.alarm}
		}
	}
	q.tidy(r.Key, k)
	return woken, alarm
}

// Ring is called when an alarm goes off. It takes those from the queue that were there when the key was released last,
// up to the first that goes on by itself; all but that one are told of the release. If the alarm was put off meanwhile,
// it takes nobody and says for when (async_delayed_notify_all, delayed_notify_all).
func (q *WaitQueues) Ring(a Alarm, now ports.Instant) (woken []Waiter, last Release, again Alarm) {
	k := q.queues[string(a.Key)]
	switch {
	case k == nil || k.alarm != a.id:
		return nil, Release{}, Alarm{}
	case now < k.due:
		a.At = k.due
		return nil, Release{}, a
	}
	k.alarm = 0
	for len(k.waiters) > 0 && k.waiters[0].round < k.round {
		woken = append(woken, q.pop(k))
		if woken[len(woken)-1].Resumable {
			break
		}
	}
	q.tidy(a.Key, k)
	return woken, k.last, Alarm{}
}

// Remove takes a waiter out (remove_by_token).
func (q *WaitQueues) Remove(key []byte, token uint64) {
	k := q.queues[string(key)]
	if k == nil {
		return
	}
	n := len(k.waiters)
	k.waiters = slices.DeleteFunc(k.waiters, func(w Waiter) bool { return w.Token == token })
	q.count -= n - len(k.waiters)
	q.tidy(key, k)
}

// At returns those that wait for a key, the next to be woken first. It is valid until the next change.
func (q *WaitQueues) At(key []byte) []Waiter {
	if k := q.queues[string(key)]; k != nil {
		return k.waiters
	}
	return nil
}

func (q *WaitQueues) pop(k *waitQueue) Waiter {
	first := k.waiters[0]
	k.waiters = slices.Delete(k.waiters, 0, 1)
	q.count--
	return first
}

// tidy forgets a queue in which nobody is left, with its rounds and its alarm.
func (q *WaitQueues) tidy(key []byte, k *waitQueue) {
	if len(k.waiters) == 0 {
		delete(q.queues, string(key))
	}
}
