package mvcc

import (
	"github.com/tikvx/tikvx/ports"
)

// Engine holds data. The zero Engine is empty. Not safe for concurrent use.
//
// Keys and values that it hands out in replies are its own: they are never changed, and must not be by others.
type Engine struct {
	keys  ordered[columns]
	raw   [rawFamilies]ordered[rawValue]
	batch batch
	// prewriting is the prewrite that is executed, or was last.
	prewriting prewrite
	archive    archive
	// spare are locks that were released, to be used again.
	spare []*Lock
	// released and acquired are what became of locks since somebody asked.
	released []Release
	acquired [][]byte
	// memory: there have been locks in the memory of a leader.
	memory bool
}

// Release is a key that is not locked any more (mvcc/txn.rs: ReleasedLock).
type Release struct {
	Key []byte
	// StartTS is the transaction that held the lock, of several the last; CommitTS is 0 unless it has committed the key.
	StartTS, CommitTS ports.Timestamp
}

// batch is what a command is about to change (mvcc/txn.rs: MvccTxn). It reads the keys as they were before.
type batch struct {
	changes []change
}

type changeKind uint8

const (
	putLock changeKind = iota
	deleteLock
	// A lock of a set of shared locks is put, or the set closed.
	putShared
	closeShared
	putWrite
	deleteWrite
)

type change struct {
	kind  changeKind
	at    *entry[columns]
	lock  Lock
	write Write
	ts    ports.Timestamp
}

// begin empties the batch of the last command.
func (e *Engine) begin() *batch {
	clear(e.batch.changes)
	e.batch.changes = e.batch.changes[:0]
	e.released, e.acquired = e.released[:0], e.acquired[:0]
	return &e.batch
}

// entry returns what is kept for a key; for one that is unknown, an entry that [Engine.apply] adds when it is changed.
func (e *Engine) entry(key []byte) *entry[columns] {
	if found := e.keys.get(key); found != nil {
		return found
	}
	for i := range e.batch.changes { // a key twice in one request
		if at := e.batch.changes[i].at; string(at.key) == string(key) {
			return at
		}
	}
	return &entry[columns]{key: e.archive.keep(key)}
}

// apply lets the command take effect.
func (e *Engine) apply(b *batch) {
	for i := range b.changes {
		c := &b.changes[i]
		if !c.at.kept {
			e.keys.insert(c.at)
		}
		columns := &c.at.value
		switch c.kind {
		case putLock, putShared, closeShared:
			e.lock(c)
		case deleteLock:
			e.unlock(c)
		case putWrite:
			columns.put(c.write)
		case deleteWrite:
			columns.drop(c.ts)
		}
	}
}

// lock lets a key have the lock that a command gives it.
func (e *Engine) lock(c *change) {
	columns := &c.at.value
	if columns.lock == nil {
		columns.lock = e.newLock()
		e.acquired = append(e.acquired, c.at.key)
	}
	switch c.kind {
	case putShared:
		c.lock = columns.lock.shared.with(c.lock).set()
	case closeShared:
		closed := *columns.lock.shared
		closed.shrinkOnly = true
		c.lock = closed.set()
	default:
	}
	*columns.lock = c.lock
	e.memory = e.memory || c.lock.memory
}

// newLock returns memory for a lock, of one that was released if there is any.
func (e *Engine) newLock() *Lock {
	last := len(e.spare) - 1
	if last < 0 {
		return &Lock{}
	}
	l := e.spare[last]
	e.spare = e.spare[:last]
	return l
}

// clear takes the lock from a key that is locked.
func (e *Engine) clear(c *columns) {
	*c.lock = Lock{}
	e.spare, c.lock = append(e.spare, c.lock), nil
}

// unlock takes a transaction's lock from a key, which is released with the last one.
func (e *Engine) unlock(c *change) {
	columns := &c.at.value
	start := columns.lock.StartTS
	if shared := columns.lock.shared; shared != nil {
		start = c.lock.StartTS
		if left := shared.without(start); left != nil {
			*columns.lock = left.set()
			return
		}
	}
	e.clear(columns)
	e.released = append(e.released, Release{Key: c.at.key, StartTS: start, CommitTS: c.ts})
}

// Released returns the keys that commands have released since it was last called or the last of them began, in the
// order in which that happened (txn/commands: ReleasedLocks). It is valid until the next command.
func (e *Engine) Released() []Release {
	list := e.released
	e.released = e.released[:0]
	return list
}

// Acquired is Released for keys that were locked (mvcc/txn.rs: new_locks).
func (e *Engine) Acquired() [][]byte {
	list := e.acquired
	e.acquired = e.acquired[:0]
	return list
}

func (b *batch) add() *change {
	if n := len(b.changes); n < cap(b.changes) {
		b.changes = b.changes[:n+1]
	} else {
		b.changes = append(b.changes, change{})
	}
	return &b.changes[len(b.changes)-1]
}

func (b *batch) putLock(at *entry[columns], l Lock) {
	c := b.add()
	c.kind, c.at, c.lock = putLock, at, l
}

// putShared adds a lock to the shared locks of a key, in the place of the transaction's own if there is one.
func (b *batch) putShared(at *entry[columns], l Lock) {
	c := b.add()
	c.kind, c.at, c.lock = putShared, at, l
}

// closeShared lets nobody join the shared locks of a key any more.
func (b *batch) closeShared(at *entry[columns]) *batch {
	c := b.add()
	c.kind, c.at = closeShared, at
	return b
}

// unlock takes a transaction's lock from a key; commit is 0 unless that commits it.
func (b *batch) unlock(at *entry[columns], start, commit ports.Timestamp) {
	c := b.add()
	c.kind, c.at, c.lock.StartTS, c.ts = deleteLock, at, start, commit
}

func (b *batch) putWrite(at *entry[columns], w Write) {
	c := b.add()
	c.kind, c.at, c.write = putWrite, at, w
}

func (b *batch) deleteWrite(at *entry[columns], ts ports.Timestamp) {
	c := b.add()
	c.kind, c.at, c.ts = deleteWrite, at, ts
}

// own returns the lock that a transaction holds on a key, alone or with others, nil when it holds none.
func own(at *entry[columns], start ports.Timestamp) *Lock {
	switch l := at.value.lock; {
	case l == nil:
	case l.shared != nil:
		return l.shared.of(start)
	case l.StartTS == start:
		return l
	}
	return nil
}

// PutLock plants a lock on a key, as another kind of client could have left it.
func (e *Engine) PutLock(key []byte, l Lock) {
	b := e.begin()
	b.putLock(e.entry(key), l)
	e.apply(b)
}

// Walk calls f for every transactional key in key order with its lock, nil when it has none, and its records, which
// ascend by commit timestamp; f returns false to stop. Nothing may be kept or changed.
func (e *Engine) Walk(f func(key []byte, lock *Lock, writes []Write) bool) {
	for at := (place{}); e.keys.at(at) != nil; at = e.keys.next(at) {
		entry := e.keys.at(at)
		if !f(entry.key, entry.value.lock, entry.value.writes) {
			return
		}
	}
}

// Len returns the number of transactional keys.
func (e *Engine) Len() int { return e.keys.size }

// KeyAt returns the i-th transactional key.
func (e *Engine) KeyAt(i int) []byte { return e.keys.nth(i).key }

// RawLen returns the number of keys in the default family of raw data, expired ones included.
func (e *Engine) RawLen() int { return e.raw[0].size }

// RawKeyAt returns the i-th of them.
func (e *Engine) RawKeyAt(i int) []byte { return e.raw[0].nth(i).key }

// Writes returns the records of a key, which ascend by commit timestamp. They must not be kept or changed.
func (e *Engine) Writes(key []byte) []Write {
	if at := e.keys.get(key); at != nil {
		return at.value.writes
	}
	return nil
}
