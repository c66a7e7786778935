package buffer

import "slices"

// Savepoint is a moment of a buffer to which it can be rolled back, any number of
// times, until a rollback to an older savepoint undoes it. The zero Savepoint
// belongs to no buffer. A savepoint that is no longer referred to costs nothing.
type Savepoint struct {
	owner       *Buffer
	serial      uint64
	root        *node
	common      []byte
	count, size int
}

// interval is the savepoints after the one numbered after, up to the one numbered
// upTo.
type interval struct{ after, upTo uint64 }

// Savepoint returns the present moment.
func (b *Buffer) Savepoint() Savepoint {
	b.serial++
	b.tree.freeze()
	return Savepoint{b, b.serial, b.tree.root, b.tree.common, b.count, b.size}
}

// RollbackTo undoes everything written since the savepoint, and every savepoint
// taken since; the savepoint itself stays. It is [SavepointGone] when it was
// undone itself or belongs to another transaction.
func (b *Buffer) RollbackTo(s Savepoint) Refusal {
	if s.owner != b || b.undone(s.serial) {
		return SavepointGone
	}
	for len(b.gone) > 0 && b.gone[len(b.gone)-1].after >= s.serial {
		b.gone = b.gone[:len(b.gone)-1]
	}
	if s.serial < b.serial {
		b.gone = append(b.gone, interval{s.serial, b.serial})
	}
	b.tree.root, b.tree.common = s.root, s.common
	b.count, b.size = s.count, s.size
	return Accepted
}

func (b *Buffer) undone(serial uint64) bool {
	at, _ := slices.BinarySearchFunc(b.gone, serial, func(i interval, serial uint64) int {
		if i.upTo < serial {
			return -1
		}
		return 1
	})
	return at < len(b.gone) && b.gone[at].after < serial
}
