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
}

// batch is what a command is about to change (mvcc/txn.rs: MvccTxn). It reads the keys as they were before.
type batch struct {
	changes []change
}

type changeKind uint8

const (
	putLock changeKind = iota
	deleteLock
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
	return &entry[columns]{key: append([]byte(nil), key...)}
}

// apply lets the command take effect.
func (e *Engine) apply(b *batch) {
	for i := range b.changes {
		c := &b.changes[i]
		if at := c.at; !at.value.locked && len(at.value.writes) == 0 && e.keys.get(at.key) == nil {
			e.keys.insert(at)
		}
		columns := &c.at.value
		switch c.kind {
		case putLock:
			columns.lock, columns.locked = c.lock, true
		case deleteLock:
			columns.lock, columns.locked = Lock{}, false
		case putWrite:
			columns.put(c.write)
		case deleteWrite:
			columns.drop(c.ts)
		}
	}
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

func (b *batch) unlock(at *entry[columns]) {
	c := b.add()
	c.kind, c.at = deleteLock, at
}

func (b *batch) putWrite(at *entry[columns], w Write) {
	c := b.add()
	c.kind, c.at, c.write = putWrite, at, w
}

func (b *batch) deleteWrite(at *entry[columns], ts ports.Timestamp) {
	c := b.add()
	c.kind, c.at, c.ts = deleteWrite, at, ts
}

// own returns the lock that a transaction holds on a key, nil when it holds none.
func own(at *entry[columns], start ports.Timestamp) *Lock {
	if at.value.locked && at.value.lock.StartTS == start {
		return &at.value.lock
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
		var lock *Lock
		if entry.value.locked {
			lock = &entry.value.lock
		}
		if !f(entry.key, lock, entry.value.writes) {
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
