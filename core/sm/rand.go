package sm

import "math/bits"

// Rand is a small seeded generator (Steele, Lea, Flood: SplitMix64). It is a
// value: copying it copies its future.
type Rand struct {
	state uint64
}

// NewRand returns a generator; equal seeds give equal sequences.
func NewRand(seed uint64) Rand { return Rand{state: seed} }

// Uint64 returns the next number.
func (r *Rand) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below returns a number in [0, n), 0 when n is 0.
func (r *Rand) Below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.Uint64(), n)
	return hi
}
