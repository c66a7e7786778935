package buffer

import "encoding/binary"

// The flags of an entry. Both together are a key that was inserted and deleted
// again: nothing is written, but the key's absence is checked.
const (
	flagDeleted uint8 = 1 << iota
	flagInserted
)

// ref is the place of an entry in an arena: its chunk in the upper half, its
// offset in the lower.
type ref uint64

// entry is what a ref leads to. The slices point into the arena.
type entry struct {
	key, value []byte
	flags      uint8
}

const (
	// entryHeader is the length of key (16 bits), flags, and length of value (32
	// bits) in front of each entry.
	entryHeader = 8
	firstChunk  = 256
	lastChunk   = 1 << 20
)

// arena is append-only memory for entries. Nothing in it ever changes or moves:
// overwritten and rolled back entries stay for the views and slices that may
// still show them, and are freed with the whole.
type arena struct {
	// chunks are full slices and, once there, never touched as slices, so that a
	// view can keep the list while the buffer appends to it.
	chunks [][]byte
	// free is what is left of the last chunk.
	free int
}

// append stores an entry.
func (a *arena) append(key, value []byte, flags uint8) ref {
	need := entryHeader + len(key) + len(value)
	if a.free < need {
		a.grow(need)
	}
	last := len(a.chunks) - 1
	at := len(a.chunks[last]) - a.free
	c := a.chunks[last][at:]
	binary.LittleEndian.PutUint16(c, uint16(len(key)))
	c[2] = flags
	binary.LittleEndian.PutUint32(c[4:], uint32(len(value)))
	copy(c[entryHeader:], key)
	copy(c[entryHeader+len(key):], value)
	a.free -= need
	return ref(last)<<32 | ref(at)
}

// grow adds a chunk, as a rule twice the size of the one before.
func (a *arena) grow(need int) {
	size := firstChunk
	if n := len(a.chunks); n > 0 {
		size = min(2*len(a.chunks[n-1]), lastChunk)
	}
	size = max(size, need)
	a.chunks = append(a.chunks, make([]byte, size))
	a.free = size
}

// key returns the key of an entry.
func (a *arena) key(r ref) []byte {
	c := a.chunks[r>>32][uint32(r):]
	n := entryHeader + int(binary.LittleEndian.Uint16(c))
	return c[entryHeader:n:n]
}

// read returns an entry.
func (a *arena) read(r ref) entry {
	c := a.chunks[r>>32][uint32(r):]
	k := entryHeader + int(binary.LittleEndian.Uint16(c))
	v := k + int(binary.LittleEndian.Uint32(c[4:]))
	return entry{key: c[entryHeader:k:k], value: c[k:v:v], flags: c[2]}
}
