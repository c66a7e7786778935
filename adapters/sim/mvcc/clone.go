package mvcc

import (
	"encoding/binary"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Clone returns a copy. It shares byte strings with the engine, which neither of them ever changes.
func (e *Engine) Clone() *Engine {
	c := &Engine{memory: e.memory, keys: e.keys.clone(columns.clone)}
	for i := range e.raw {
		c.raw[i] = e.raw[i].clone(func(v rawValue) rawValue { return v })
	}
	return c
}

func (o *ordered[T]) clone(value func(T) T) ordered[T] {
	c := ordered[T]{chunks: slices.Clone(o.chunks), size: o.size}
	for i, chunk := range o.chunks {
		c.chunks[i] = slices.Clone(chunk)
		for j, e := range chunk {
			c.chunks[i][j] = &entry[T]{key: e.key, value: value(e.value), kept: true}
		}
	}
	return c
}

func (c columns) clone() columns {
	if c.lock != nil {
		lock := *c.lock
		c.lock = &lock
	}
	c.writes = slices.Clone(c.writes)
	return c
}

// AppendState appends the transactional data in a form in which two engines are equal exactly if no command can tell
// them apart.
func (e *Engine) AppendState(dst []byte) []byte {
	e.Walk(func(key []byte, lock *Lock, writes []Write) bool {
		if lock == nil && len(writes) == 0 {
			return true
		}
		dst = appendBytes(dst, key)
		dst = appendFlags(dst, lock != nil)
		if lock != nil {
			dst = lock.appendState(dst)
		}
		dst = binary.AppendUvarint(dst, uint64(len(writes)))
		for i := range writes {
			dst = writes[i].appendState(dst)
		}
		return true
	})
	return dst
}

func (l *Lock) appendState(dst []byte) []byte {
	dst = append(dst, byte(l.Kind))
	dst = appendBytes(dst, l.Primary)
	dst = appendTimestamps(dst, l.StartTS, l.ForUpdateTS, l.MinCommitTS)
	dst = binary.AppendUvarint(dst, l.TTL)
	dst = binary.AppendUvarint(dst, l.TxnSize)
	dst = binary.AppendUvarint(dst, l.generation)
	dst = appendBytes(dst, l.Value)
	dst = appendFlags(dst, l.AsyncCommit, l.WithConflict, l.memory, l.ShrinkOnly())
	dst = binary.AppendUvarint(dst, uint64(len(l.Shared())))
	for i := range l.Shared() {
		dst = l.Shared()[i].appendState(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(l.Secondaries)))
	for _, key := range l.Secondaries {
		dst = appendBytes(dst, key)
	}
	dst = binary.AppendUvarint(dst, uint64(len(l.rollbacks)))
	return appendTimestamps(dst, l.rollbacks...)
}

func (w *Write) appendState(dst []byte) []byte {
	dst = append(dst, byte(w.Kind))
	dst = appendTimestamps(dst, w.CommitTS, w.StartTS, w.fence)
	dst = appendBytes(dst, w.Value)
	return appendFlags(dst, w.Protected, w.OverlappedRollback, w.fenced)
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendTimestamps(dst []byte, list ...ports.Timestamp) []byte {
	for _, ts := range list {
		dst = binary.AppendUvarint(dst, uint64(ts))
	}
	return dst
}

func appendFlags(dst []byte, flags ...bool) []byte {
	for _, f := range flags {
		b := byte(0)
		if f {
			b = 1
		}
		dst = append(dst, b)
	}
	return dst
}
