package mvcc

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// WaitLimit is how long a store lets a request wait for a lock that asks for no time of its own, and the longest that
// it lets any wait (src/server/lock_manager/config.rs: wait_for_lock_timeout).
const WaitLimit = time.Second

// Detector knows which transactions wait for which, and finds cycles (src/server/lock_manager/deadlock.rs:
// DetectTable). A cluster has one that counts. The zero Detector is empty.
type Detector struct {
	edges []edge
}

// edge is a transaction that waits for locks of another (deadlock.rs: Locks). keys has at least one.
type edge struct {
	waiter, holder ports.Timestamp
	keys           []lockedKey
	reported       ports.Instant
}

type lockedKey struct {
	hash uint64
	key  []byte
}

func (e *edge) expired(now ports.Instant) bool { return now.Sub(e.reported) >= WaitLimit }

// report is the edge as an error tells it.
func (e *edge) report() ports.WaitFor {
	return ports.WaitFor{Txn: e.waiter, WaitForTxn: e.holder, KeyHash: e.keys[0].hash, Key: e.keys[0].key}
}

// Detect hears that a transaction begins to wait for another. When that closes a cycle, it returns the waits that make
// it, from the holder of the lock back to the waiter, the new one last, and forgets the new one; else it remembers it
// and returns nothing (DetectTable::detect). Whoever is known to wait for the other already closes no cycle.
func (d *Detector) Detect(now ports.Instant, wait ports.WaitFor) []ports.WaitFor {
	if e := d.find(wait.Txn, wait.WaitForTxn); e != nil {
		e.add(wait)
		e.reported = now
		return nil
	}
	if chain := d.path(now, wait.WaitForTxn, wait.Txn); chain != nil {
		return append(chain, wait)
	}
	e := edge{waiter: wait.Txn, holder: wait.WaitForTxn, reported: now}
	e.add(wait)
	d.edges = append(d.edges, e)
	return nil
}

func (e *edge) add(wait ports.WaitFor) {
	if !slices.ContainsFunc(e.keys, func(k lockedKey) bool { return k.hash == wait.KeyHash }) {
		e.keys = append(e.keys, lockedKey{wait.KeyHash, slices.Clone(wait.Key)})
	}
}

// path returns the waits that lead from one transaction to another, nil when none do. It drops what has expired on its
// way (DetectTable::do_detect).
func (d *Detector) path(now ports.Instant, from, to ports.Timestamp) []ports.WaitFor {
	// reached are the transactions that were found, each with the wait by which it was.
	type step struct {
		txn   ports.Timestamp
		wait  ports.WaitFor
		after int
	}
	reached := []step{{txn: from, after: -1}}
	for stack := []int{0}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		txn := reached[at].txn
		d.edges = slices.DeleteFunc(d.edges, func(e edge) bool { return e.waiter == txn && e.expired(now) })
		for i := range d.edges {
			e := &d.edges[i]
			if e.waiter != txn {
				continue
			}
			if e.holder == to {
				chain := []ports.WaitFor{e.report()}
				for ; reached[at].after >= 0; at = reached[at].after {
					chain = append(chain, reached[at].wait)
				}
				slices.Reverse(chain)
				return chain
			}
			if !slices.ContainsFunc(reached, func(s step) bool { return s.txn == e.holder }) {
				stack = append(stack, len(reached))
				reached = append(reached, step{txn: e.holder, wait: e.report(), after: at})
			}
		}
	}
	return nil
}

// Forget hears that a wait is over (DetectTable::clean_up_wait_for).
func (d *Detector) Forget(wait ports.WaitFor) {
	e := d.find(wait.Txn, wait.WaitForTxn)
	if e == nil {
		return
	}
	e.keys = slices.DeleteFunc(e.keys, func(k lockedKey) bool { return k.hash == wait.KeyHash })
	if len(e.keys) == 0 {
		d.edges = slices.DeleteFunc(d.edges, func(o edge) bool {
			return o.waiter == wait.Txn && o.holder == wait.WaitForTxn
		})
	}
}

// Clear forgets everything, as a detector does whose store begins or ends to lead, or that loses its process
// (Detector::reset).
func (d *Detector) Clear() { d.edges = nil }

// Waits returns every wait that the detector knows of, with one of its keys.
func (d *Detector) Waits() []ports.WaitFor {
	var list []ports.WaitFor
	for i := range d.edges {
		list = append(list, d.edges[i].report())
	}
	return list
}

func (d *Detector) find(waiter, holder ports.Timestamp) *edge {
	i := slices.IndexFunc(d.edges, func(e edge) bool { return e.waiter == waiter && e.holder == holder })
	if i < 0 {
		return nil
	}
	return &d.edges[i]
}

// Deadlock is the error of a request whose wait would close a cycle. Its hash is that of the key for which the wait
// before the new one waits: the key of the transaction itself by which another can go on once it is let go
// (deadlock.rs: do_detect; src/storage/errors.rs: extract_key_error).
func Deadlock(chain []ports.WaitFor) *ports.KeyError {
	last := &chain[len(chain)-1]
	return &ports.KeyError{
		Kind: ports.KeyDeadlock, LockTS: last.WaitForTxn, Key: last.Key, WaitChain: chain,
		DeadlockKeyHash: chain[len(chain)-2].KeyHash,
	}
}
