package sm

import "github.com/tikvx/tikvx/ports"

// Hash collects a machine's fingerprint (64-bit FNV-1a over words). Generations
// are hashed by the order in which they are met, so that two states that differ
// in nothing but the numbering of their waits have equal fingerprints.
type Hash struct {
	sum  uint64
	gens []uint32
	// Raw hashes generations as they are.
	Raw bool
}

// NewHash returns an empty hash.
func NewHash() *Hash { return &Hash{sum: 0xcbf29ce484222325} }

// Sum returns the fingerprint of what was written.
func (h *Hash) Sum() uint64 { return h.sum }

// Uint writes a number.
func (h *Hash) Uint(v uint64) {
	h.sum = (h.sum ^ v) * 0x100000001b3
	h.sum ^= h.sum >> 29
}

// Int writes a number.
func (h *Hash) Int(v int) { h.Uint(uint64(v)) }

// Bool writes a truth value.
func (h *Hash) Bool(v bool) {
	if v {
		h.Uint(1)
	} else {
		h.Uint(2)
	}
}

// Bytes writes a byte string; nil and empty differ.
func (h *Hash) Bytes(b []byte) {
	if b == nil {
		h.Uint(0)
		return
	}
	h.Uint(uint64(len(b)) + 1)
	for _, c := range b {
		h.Uint(uint64(c))
	}
}

// Text writes a string.
func (h *Hash) Text(s string) {
	h.Uint(uint64(len(s)))
	for i := range len(s) {
		h.Uint(uint64(s[i]))
	}
}

// Keys writes a list of byte strings.
func (h *Hash) Keys(keys [][]byte) {
	h.Int(len(keys))
	for _, k := range keys {
		h.Bytes(k)
	}
}

// TS writes a timestamp.
func (h *Hash) TS(ts ports.Timestamp) { h.Uint(uint64(ts)) }

// Instant writes an instant.
func (h *Hash) Instant(at ports.Instant) { h.Uint(uint64(at)) }

// Gen writes the generation of a wait, 0 meaning that nothing is awaited.
func (h *Hash) Gen(gen uint32) {
	if gen == 0 || h.Raw {
		h.Uint(uint64(gen))
		return
	}
	for i, g := range h.gens {
		if g == gen {
			h.Int(i + 1)
			return
		}
	}
	h.gens = append(h.gens, gen)
	h.Int(len(h.gens))
}
