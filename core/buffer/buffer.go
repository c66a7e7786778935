// Package buffer holds what a transaction has written and not yet committed: an
// ordered map from keys to values and tombstones, with savepoints, frozen views
// that can be iterated in both directions while the transaction goes on writing,
// and the overlay of such a view on pages read from a snapshot.
//
// It is a plain data structure, no machine. Keys and values are copied on the way
// in; what is handed out is borrowed, never changes, and must not be changed.
package buffer

import "math"

// MaxKeySize is the length in bytes that no key may exceed: client-go keeps key
// lengths in 16 bits. A store's own limit is usually lower (TiKV: max-key-size).
const MaxKeySize = 65535

// maxEntrySize bounds key plus value whatever the limits say: value lengths are
// kept in 32 bits.
const maxEntrySize = math.MaxInt32

// Limits bound what a transaction may write. Key bounds the length of a key,
// Entry the bytes of a key and its value, Total the sum of all entries. Zero means
// no limit, for Key it means [MaxKeySize].
type Limits struct {
	Key, Entry, Total int
}

// Refusal says why a buffer did not do what was asked; what is refused changes
// nothing.
type Refusal uint8

// The refusals.
const (
	Accepted Refusal = iota
	KeyEmpty
	KeyTooLarge
	// ValueEmpty: TiKV's transactions keep no empty values.
	ValueEmpty
	EntryTooLarge
	TxnTooLarge
	// KeyExists: the key to be inserted was put by this transaction itself.
	KeyExists
	// SavepointGone: the savepoint is of another transaction, or was undone by a
	// rollback to an older one.
	SavepointGone
)

var refusals = [...]string{
	"accepted", "empty key", "key too large", "empty value", "entry too large", "transaction too large",
	"key exists", "savepoint gone",
}

// String implements [fmt.Stringer].
func (r Refusal) String() string {
	if int(r) < len(refusals) {
		return refusals[r]
	}
	return "invalid"
}

// State is what a buffer knows of a key.
type State uint8

// The states of a key.
const (
	// Absent: the transaction has not written the key.
	Absent State = iota
	Present
	Deleted
)

var states = [...]string{"absent", "present", "deleted"}

// String implements [fmt.Stringer].
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return "invalid"
}

// Buffer is the ordered write buffer of one transaction. Not safe for concurrent
// use, except that calls which do not write may run beside each other; views are
// safe. The zero Buffer is empty and without limits.
type Buffer struct {
	limits Limits
	arena  arena
	// tree is what the buffer holds now; count and size describe it.
	tree        tree
	count, size int

	// serial numbers the savepoints; gone lists those that a rollback undid, as
	// disjoint ascending intervals.
	serial uint64
	gone   []interval
}

// Reset empties the buffer and sets its limits. Savepoints are gone; views and
// borrowed slices stay what they were.
func (b *Buffer) Reset(limits Limits) {
	*b = Buffer{limits: limits, serial: b.serial, gone: b.gone[:0]}
	if b.serial > 0 {
		b.gone = append(b.gone, interval{0, b.serial})
	}
}

// Put sets a key. A key that this transaction inserted stays an insertion: its
// absence before the transaction is still to be checked.
func (b *Buffer) Put(key, value []byte) Refusal {
	if len(value) == 0 {
		return ValueEmpty
	}
	return b.write(key, value, 0)
}

// Insert sets a key that must not exist when the transaction commits. The check
// is TiKV's (Op.Insert in prewrite); it is not needed for a key that the
// transaction has deleted itself. A key that it has put cannot be inserted.
func (b *Buffer) Insert(key, value []byte) Refusal {
	if len(value) == 0 {
		return ValueEmpty
	}
	return b.write(key, value, flagInserted)
}

// Delete writes a tombstone. A key that this transaction inserted keeps its
// check: it becomes a check that the key does not exist.
func (b *Buffer) Delete(key []byte) Refusal { return b.write(key, nil, flagDeleted) }

func (b *Buffer) write(key, value []byte, flags uint8) Refusal {
	if r := b.limits.check(key, value); r != Accepted {
		return r
	}
	var spot spot
	b.tree.seek(&b.arena, key, &spot)
	size := b.size + len(key) + len(value)
	if spot.found {
		old := b.arena.read(spot.ref)
		if flags&flagInserted != 0 && old.flags&flagDeleted == 0 {
			return KeyExists
		}
		flags = flags&flagDeleted | old.flags&flagInserted
		size -= len(old.key) + len(old.value)
	}
	if b.limits.Total > 0 && size > b.limits.Total && size > b.size {
		return TxnTooLarge
	}
	b.size = size
	if !spot.found {
		b.count++
	}
	b.tree.put(&b.arena, key, b.arena.append(key, value, flags), &spot)
	return Accepted
}

func (l *Limits) check(key, value []byte) Refusal {
	entry := len(key) + len(value)
	switch {
	case len(key) == 0:
		return KeyEmpty
	case len(key) > MaxKeySize || l.Key > 0 && len(key) > l.Key:
		return KeyTooLarge
	case entry > maxEntrySize || l.Entry > 0 && entry > l.Entry:
		return EntryTooLarge
	}
	return Accepted
}

// Get returns what the transaction wrote under the key; the value is nil unless
// the key is Present.
func (b *Buffer) Get(key []byte) ([]byte, State) {
	ref, found := b.tree.get(&b.arena, key)
	if !found {
		return nil, Absent
	}
	e := b.arena.read(ref)
	if e.flags&flagDeleted != 0 {
		return nil, Deleted
	}
	return e.value, Present
}

// Len returns the number of keys written, tombstones included.
func (b *Buffer) Len() int { return b.count }

// Size returns the bytes of all keys and their newest values.
func (b *Buffer) Size() int { return b.size }
