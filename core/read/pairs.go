package read

import (
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// carve appends a copy of b to memory that has room for it, and returns the copy,
// which is never nil, and the memory.
func carve(memory, b []byte) ([]byte, []byte) {
	from := len(memory)
	memory = append(memory, b...)
	return memory[from:len(memory):len(memory)], memory
}

// lockedKey returns the key of a pair that has an error. TiKV leaves the key of
// such a pair out and names it in the lock.
func lockedKey(p *ports.Pair) []byte {
	switch {
	case len(p.Key) > 0:
		return p.Key
	case len(p.Err.Lock.Key) == 0 && len(p.Err.Lock.Shared) > 0:
		return p.Err.Lock.Shared[0].Key
	}
	return p.Err.Lock.Key
}

// otherError returns the first error of pairs that is no lock, nil if there is none.
func otherError(pairs []ports.Pair) *ports.KeyError {
	for i := range pairs {
		if err := pairs[i].Err; err != nil && err.Kind != ports.KeyLocked {
			return err
		}
	}
	return nil
}

// locksOf returns the locks of pairs, borrowed.
func locksOf(pairs []ports.Pair) []ports.Lock {
	var locks []ports.Lock
	for i := range pairs {
		if pairs[i].Err != nil {
			locks = append(locks, pairs[i].Err.Lock)
		}
	}
	return locks
}

func clonePairs(pairs []ports.KV) []ports.KV {
	clone := slices.Clone(pairs)
	for i := range clone {
		clone[i].Key, clone[i].Value = slices.Clone(pairs[i].Key), slices.Clone(pairs[i].Value)
	}
	return clone
}

func hashPairs(h *sm.Hash, pairs []ports.KV) {
	h.Int(len(pairs))
	for i := range pairs {
		h.Bytes(pairs[i].Key)
		h.Bytes(pairs[i].Value)
		h.Uint(pairs[i].TTL)
	}
}
