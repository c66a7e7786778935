package ports

import (
	"encoding/binary"
	"math/bits"
)

// KeyHash is the hash by which TiKV's deadlock detector names a key: FarmHash's
// Fingerprint64 of the user key (TiKV: components/txn_types/src/types.rs: gen_hash).
// A client finds out with it on which of its keys a deadlock was met.
func KeyHash(key []byte) uint64 {
	switch n := len(key); {
	case n <= 16:
		return hashTo16(key)
	case n <= 32:
		return hashTo32(key)
	case n <= 64:
		return hashTo64(key)
	}
	return hashLong(key)
}

// The multipliers of FarmHash.
const (
	farm0 uint64 = 0xc3a5c85c97cb3127
	farm1 uint64 = 0xb492b66fbe98f273
	farm2 uint64 = 0x9ae16a3b2f90404f
)

func fetch64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// rotate turns to the right.
func rotate(v uint64, n int) uint64 { return bits.RotateLeft64(v, -n) }

func fold(v uint64) uint64 { return v ^ v>>47 }

// join mixes two words.
func join(u, v, mul uint64) uint64 {
	a := fold((u ^ v) * mul)
	return fold((v^a)*mul) * mul
}

func hashTo16(s []byte) uint64 {
	n := uint64(len(s))
	mul := farm2 + 2*n
	switch {
	case n >= 8:
		a, b := fetch64(s)+farm2, fetch64(s[n-8:])
		return join(rotate(b, 37)*mul+a, (rotate(a, 25)+b)*mul, mul)
	case n >= 4:
		a, b := binary.LittleEndian.Uint32(s), binary.LittleEndian.Uint32(s[n-4:])
		return join(n+uint64(a)<<3, uint64(b), mul)
	case n > 0:
		y := uint64(s[0]) + uint64(s[n/2])<<8
		z := n + uint64(s[n-1])<<2
		return fold(y*farm2^z*farm0) * farm2
	}
	return farm2
}

func hashTo32(s []byte) uint64 {
	n := uint64(len(s))
	mul := farm2 + 2*n
	a, b := fetch64(s)*farm1, fetch64(s[8:])
	c, d := fetch64(s[n-8:])*mul, fetch64(s[n-16:])*farm2
	return join(rotate(a+b, 43)+rotate(c, 30)+d, a+rotate(b+farm2, 18)+c, mul)
}

func hashTo64(s []byte) uint64 {
	n := uint64(len(s))
	mul := farm2 + 2*n
	a, b := fetch64(s)*farm2, fetch64(s[8:])
	c, d := fetch64(s[n-8:])*mul, fetch64(s[n-16:])*farm2
	y := rotate(a+b, 43) + rotate(c, 30) + d
	z := join(y, a+rotate(b+farm2, 18)+c, mul)
	e, f := fetch64(s[16:])*mul, fetch64(s[24:])
	g, h := (y+fetch64(s[n-32:]))*mul, (z+fetch64(s[n-24:]))*mul
	return join(rotate(e+f, 43)+rotate(g, 30)+h, e+rotate(f+a, 18)+g, mul)
}

// farmState is the state of the hash of a long key.
type farmState struct{ x, y, z, v0, v1, w0, w1 uint64 }

// weak hashes 32 bytes with two seeds.
func weak(s []byte, a, b uint64) (uint64, uint64) {
	z := fetch64(s[24:])
	a += fetch64(s)
	b = rotate(b+a+z, 21)
	c := a
	a += fetch64(s[8:]) + fetch64(s[16:])
	b += rotate(a, 44)
	return a + z, b + c
}

// block mixes 64 bytes in. The last block weighs some words differently.
func (h *farmState) block(s []byte, mul, weight uint64) {
	h.x = rotate(h.x+h.y+h.v0+fetch64(s[8:]), 37) * mul
	h.y = rotate(h.y+h.v1+fetch64(s[48:]), 42) * mul
	h.x ^= h.w1 * weight
	h.y += h.v0*weight + fetch64(s[40:])
	h.z = rotate(h.z+h.w0, 33) * mul
	h.v0, h.v1 = weak(s, h.v1*mul, h.x+h.w0)
	h.w0, h.w1 = weak(s[32:], h.z+h.w1, h.y+fetch64(s[16:]))
	h.x, h.z = h.z, h.x
}

func hashLong(s []byte) uint64 {
	seed := uint64(81)
	h := farmState{x: seed*farm2 + fetch64(s), y: seed*farm1 + 113}
	h.z = fold(h.y*farm2+113) * farm2
	rest := (len(s) - 1) % 64
	for p := 0; p < len(s)-1-rest; p += 64 {
		h.block(s[p:], farm1, 1)
	}
	mul := farm1 + h.z&0xff<<1
	h.w0 += uint64(rest)
	h.v0 += h.w0
	h.w0 += h.v0
	h.block(s[len(s)-64:], mul, 9)
	return join(join(h.v0, h.w0, mul)+fold(h.y)*farm0+h.z, join(h.v1, h.w1, mul)+h.x, mul)
}
