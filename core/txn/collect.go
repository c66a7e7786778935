package txn

import (
	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// writes are a transaction's mutations. They are never changed once collected, so
// that machines and their clones share them; keys and values are borrowed from the
// buffer.
type writes struct {
	// mutations are in key order, and keys are theirs.
	mutations []ports.Mutation `fp:"shared"`
	keys      [][]byte         `fp:"shared"`
	// locked are the keys that prewrite locks: all but those that are only checked.
	// The first of them is the primary.
	locked [][]byte `fp:"shared"`
	// primary is the index of the primary in keys.
	primary int
	// size is the bytes of all keys and values.
	size int
}

// collect turns a view of the write buffer into mutations (kvrpcpb.Op).
func collect(v *buffer.View) writes {
	n := v.Len()
	if n == 0 {
		return writes{}
	}
	w := writes{
		mutations: make([]ports.Mutation, 0, n), keys: make([][]byte, 0, n), primary: -1, size: v.Size(),
	}
	checks := 0
	for c := v.Ascend(ports.KeyRange{}); c.Valid(); c.Next() {
		m := ports.Mutation{Kind: kindOf(&c), Key: c.Key(), Value: c.Value()}
		switch {
		case m.Kind == ports.KindCheckNotExists:
			checks++
		case w.primary < 0:
			w.primary = len(w.keys)
		}
		w.mutations = append(w.mutations, m)
		w.keys = append(w.keys, m.Key)
	}
	// Without a key to lock the first check stands in: prewrite demands a primary.
	w.primary = max(w.primary, 0)
	w.locked = w.keys
	if checks > 0 {
		w.locked = make([][]byte, 0, n-checks)
		for i := range w.mutations {
			if w.mutations[i].Kind != ports.KindCheckNotExists {
				w.locked = append(w.locked, w.keys[i])
			}
		}
	}
	return w
}

// kindOf returns what has to be prewritten for an entry. The tombstone of a key
// that the transaction inserted writes nothing, but the promise that the key was
// absent is still to be kept.
func kindOf(c *buffer.Cursor) ports.LockKind {
	switch deleted, inserted := c.Deleted(), c.Inserted(); {
	case deleted && inserted:
		return ports.KindCheckNotExists
	case deleted:
		return ports.KindDelete
	case inserted:
		return ports.KindInsert
	}
	return ports.KindPut
}

func (w *writes) fingerprint(h *sm.Hash) {
	hashMutations(h, w.mutations)
	h.Keys(w.keys)
	h.Keys(w.locked)
	h.Int(w.primary)
	h.Int(w.size)
}

func hashMutations(h *sm.Hash, mutations []ports.Mutation) {
	h.Int(len(mutations))
	for i := range mutations {
		h.Uint(uint64(mutations[i].Kind))
		h.Uint(uint64(mutations[i].Assertion))
		h.Bytes(mutations[i].Key)
		h.Bytes(mutations[i].Value)
	}
}
