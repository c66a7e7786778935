package app

import (
	"bytes"
	"slices"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// KV is a key with its value.
type KV struct {
	Key, Value []byte
	// TTL is the life of a pair that [Raw.BatchPut] writes, rounded up to seconds; 0
	// means for ever. Reads leave it 0: see [Raw.TTL].
	TTL time.Duration
}

// Pairs is what a batch read has found, in key order and each key once. Keys that are
// absent have no pair.
type Pairs []KV

// Get returns the value that was found under a key, [ErrNotFound] if none was.
func (p Pairs) Get(key []byte) ([]byte, error) {
	at, found := slices.BinarySearchFunc(p, key, func(kv KV, key []byte) int { return bytes.Compare(kv.Key, key) })
	if !found {
		return nil, ErrNotFound
	}
	return p[at].Value, nil
}

func pairsOf(found []ports.KV) Pairs {
	if len(found) == 0 {
		return nil
	}
	pairs := make(Pairs, len(found))
	for i := range found {
		pairs[i] = KV{Key: found[i].Key, Value: found[i].Value}
	}
	return pairs
}

// mergePairs joins two sorted lists of different keys.
func mergePairs(a, b Pairs) Pairs {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	all := make(Pairs, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		first := &a
		if bytes.Compare(b[0].Key, a[0].Key) < 0 {
			first = &b
		}
		all = append(all, (*first)[0])
		*first = (*first)[1:]
	}
	return append(append(all, a...), b...)
}
