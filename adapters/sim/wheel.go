package sim

import (
	"math/bits"

	"github.com/tikvx/tikvx/ports"
)

// wheel holds what happens within two milliseconds, by the time at which it happens: each spoke is for 8 µs, and most
// have nothing or one thing.
type wheel struct {
	// now is the latest instant from which on nothing was missed: what is added lies behind it.
	now ports.Instant
	// spokes are ordered backwards, the first slot last. taken has a bit for each that is not empty.
	spokes [spokes][]slot
	taken  [spokes / 64]uint64
}

const (
	spokes     = 256
	spokeShift = 13
)

func spokeOf(at ports.Instant) uint { return uint(at>>spokeShift) % spokes }

// add returns false for what is not near.
func (w *wheel) add(s slot) bool {
	if s.at < w.now || s.at>>spokeShift-w.now>>spokeShift >= spokes {
		return false
	}
	i := spokeOf(s.at)
	spoke := append(w.spokes[i], s)
	for at := len(spoke) - 1; at > 0 && spoke[at-1].before(&spoke[at]); at-- {
		spoke[at-1], spoke[at] = spoke[at], spoke[at-1]
	}
	w.spokes[i] = spoke
	w.taken[i/64] |= 1 << (i % 64)
	return true
}

// first returns the first slot, nil when there is none.
func (w *wheel) first() *slot {
	from := spokeOf(w.now)
	ahead := w.taken[from/64] >> (from % 64) << (from % 64)
	for word := from / 64; ; {
		if ahead != 0 {
			spoke := w.spokes[word*64+uint(bits.TrailingZeros64(ahead))]
			return &spoke[len(spoke)-1]
		}
		word = (word + 1) % uint(len(w.taken))
		ahead = w.taken[word]
		if word == from/64 {
			// All around: what is left lies before the place at which the search began.
			if ahead &= 1<<(from%64) - 1; ahead == 0 {
				return nil
			}
		}
	}
}

// pop removes the first slot, which happens at an instant.
func (w *wheel) pop(at ports.Instant) {
	i := spokeOf(at)
	w.spokes[i] = w.spokes[i][:len(w.spokes[i])-1]
	if len(w.spokes[i]) == 0 {
		w.taken[i/64] &^= 1 << (i % 64)
	}
}

// turn lets the wheel begin at an instant before which there is nothing on it.
func (w *wheel) turn(at ports.Instant) { w.now = max(w.now, at) }
