package txn

import (
	"math/bits"

	"github.com/tikvx/tikvx/core/sm"
)

// maxWorkers bounds the requests that one machine has in flight, whatever
// sm.Knobs.Workers says: hops are bytes.
const maxWorkers = 128

// hopGroups is the address of the grouping child of a machine with workers,
// hopWorkers that of its first worker.
const (
	hopGroups  = 1
	hopWorkers = 2
)

// slots says which workers are busy.
type slots struct {
	busy [maxWorkers / 64]uint64
}

// free returns the first free slot, -1 when as many as the knobs allow are busy.
func (s *slots) free(env *sm.Env) int {
	for word, b := range s.busy {
		if i := 64*word + bits.TrailingZeros64(^b); i < 64*(word+1) {
			if i < min(max(env.Knobs.Workers, 1), maxWorkers) {
				return i
			}
			return -1
		}
	}
	return -1
}

func (s *slots) take(i int)       { s.busy[i/64] |= 1 << (i % 64) }
func (s *slots) release(i int)    { s.busy[i/64] &^= 1 << (i % 64) }
func (s *slots) taken(i int) bool { return i < maxWorkers && s.busy[i/64]&(1<<(i%64)) != 0 }
func (s *slots) idle() bool       { return *s == slots{} }
func (s *slots) print(h *sm.Hash) { h.Uint(s.busy[0]); h.Uint(s.busy[1]) }

// keepWorkers and keepSpans are what a machine keeps for the next transaction, which
// is probably small.
const (
	keepWorkers = 8
	keepSpans   = 64
)

// forgetAll empties the memory of workers for the next transaction.
func forgetAll[W any](workers []W) []W {
	if cap(workers) > keepWorkers {
		return nil
	}
	clear(workers[:cap(workers)])
	return workers[:0]
}

// worker returns the index of the worker that a hop addresses; not every hop is one.
func worker(hop uint8) int { return int(hop) - hopWorkers }
