package mvcc

// Keep says what has become of a pessimistic lock when it is answered (src/storage/txn/scheduler.rs:
// PessimisticLockMode). Whoever has the answer cannot know. The prewrite makes that sound: it finds out what is not
// there any more.
type Keep uint8

// The ways to keep a lock: replicated, as all others are; in the memory of the leader only, until it leads no more,
// which shared locks are not; or not at all, since the proposal that was answered was lost.
const (
	KeepReplicated Keep = iota
	KeepInMemory
	KeepNothing
)

// LoseLocks takes the locks away that were in the memory of a region's leader, who leads no more, and returns how many
// there were. Nobody is told (components/raftstore/src/store/peer.rs: on_leader_changed, which clears the table).
func (e *Engine) LoseLocks(x Extent) int {
	n := 0
	e.inMemory(x, func(at *entry[columns]) {
		e.clear(&at.value)
		n++
	})
	return n
}

// ReplicateLocks writes those locks down, as a leader does before it hands over, and before a region merges
// (components/raftstore/src/store/fsm/peer.rs: propose_locks_before_transfer_leader; store/peer.rs:
// propose_locks_before_prepare_merge).
func (e *Engine) ReplicateLocks(x Extent) {
	e.inMemory(x, func(at *entry[columns]) { at.value.lock.memory = false })
}

// InMemory reports whether there are such locks in an extent.
func (e *Engine) InMemory(x Extent) (found bool) {
	e.inMemory(x, func(*entry[columns]) { found = true })
	return found
}

func (e *Engine) inMemory(x Extent, f func(at *entry[columns])) {
	if !e.memory {
		return
	}
	e.locked(x, func(at *entry[columns]) {
		if at.value.lock.memory {
			f(at)
		}
	})
}
