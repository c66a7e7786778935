// Package buffer holds what a transaction has written and not yet committed: an
// ordered map from keys to values and tombstones, with savepoints, frozen views
// that can be iterated in both directions while the transaction goes on writing,
// and the overlay of such a view on pages read from a snapshot.
//
// It is a plain data structure, no machine, and not safe for concurrent use;
// reads may run beside each other.
package buffer

import "github.com/tikvx/tikvx/ports"

// MaxKeySize is the length in bytes that no key may exceed; client-go stores key
// lengths in 16 bits, and a store's own limit is usually lower (TiKV: max-key-size).
const MaxKeySize = 65535

// Limits bound what a transaction may write, in bytes of key plus value. Zero
// means no limit, for Key it means [MaxKeySize].
type Limits struct {
	Key, Entry, Total int
}

// Refusal says why a buffer did not do what was asked; a refused write changes
// nothing.
type Refusal uint8

// The refusals.
const (
	Accepted Refusal = iota
	KeyEmpty
	KeyTooLarge
	// ValueEmpty: TiKV keeps no empty values in transactions.
	ValueEmpty
	EntryTooLarge
	TxnTooLarge
	// KeyExists: a key was inserted that this transaction has written itself.
	KeyExists
	// SavepointGone: the savepoint is of another transaction, or was undone by a
	// rollback to an older one.
	SavepointGone
)

// State is what a buffer knows of a key.
type State uint8

// The states of a key.
const (
	// Absent: the transaction has not written the key.
	Absent State = iota
	Present
	Deleted
)

// Buffer is the ordered write buffer of one transaction.
type Buffer struct {
	limits Limits
}

// Savepoint is a moment of a buffer to which it can be rolled back.
type Savepoint struct{}

// Reset empties the buffer and sets its limits.
func (b *Buffer) Reset(limits Limits) { *b = Buffer{limits: limits} }

// Put sets a key. A key that was inserted before stays an insertion.
func (b *Buffer) Put(key, value []byte) Refusal { return Accepted }

// Insert sets a key that must not exist when the transaction commits.
func (b *Buffer) Insert(key, value []byte) Refusal { return Accepted }

// Delete writes a tombstone.
func (b *Buffer) Delete(key []byte) Refusal { return Accepted }

// Get returns the value of a key that is Present.
func (b *Buffer) Get(key []byte) ([]byte, State) { return nil, Absent }

// Len returns the number of keys written, tombstones included.
func (b *Buffer) Len() int { return 0 }

// Size returns the bytes of all keys and their newest values.
func (b *Buffer) Size() int { return 0 }

// Savepoint returns the present moment.
func (b *Buffer) Savepoint() Savepoint { return Savepoint{} }

// RollbackTo undoes everything written since the savepoint.
func (b *Buffer) RollbackTo(s Savepoint) Refusal { return Accepted }

// View returns the buffer as it is now, immutable and unmoved by later writes.
func (b *Buffer) View() View { return View{} }

// View is a frozen buffer. The zero View is empty.
type View struct{}

// Len returns the number of entries.
func (v View) Len() int { return 0 }

// Ascend returns a cursor at the first entry of the range.
func (v View) Ascend(rng ports.KeyRange) Cursor { return Cursor{} }

// Descend returns a cursor at the last entry of the range.
func (v View) Descend(rng ports.KeyRange) Cursor { return Cursor{} }

// Cursor walks over the entries of a view.
type Cursor struct{}

// Valid reports whether the cursor is at an entry.
func (c *Cursor) Valid() bool { return false }

// Next moves to the next entry in the cursor's direction.
func (c *Cursor) Next() {}

// Key returns the entry's key.
func (c *Cursor) Key() []byte { return nil }

// Value returns the entry's value, nil for a tombstone.
func (c *Cursor) Value() []byte { return nil }

// Deleted reports whether the entry is a tombstone.
func (c *Cursor) Deleted() bool { return false }

// MustNotExist reports whether the key was inserted.
func (c *Cursor) MustNotExist() bool { return false }
