package sim

// Bytes chooses by a string of bytes, as fuzzers make them: each decision takes what it needs, and after the last byte
// everything is 0, so that shorter strings are calmer runs. Sites of faults need a byte that says so before they take
// another to choose from what can go wrong; others take one byte, two where there is much to choose from.
type Bytes struct {
	rest []byte
}

// NewBytes returns a chooser that reads the bytes.
func NewBytes(bytes []byte) *Bytes { return &Bytes{rest: bytes} }

// Choose implements [Chooser].
func (b *Bytes) Choose(site Site, n int) int {
	x := b.next()
	if siteFaults[site] != 0 {
		if x < 0xf0 {
			return 0
		}
		return 1 + b.next()%(n-1)
	}
	if n > 1<<8 {
		x = x<<8 | b.next()
	}
	return x % n
}

// next returns the next byte, 0 behind the last.
func (b *Bytes) next() int {
	if len(b.rest) == 0 {
		return 0
	}
	x := b.rest[0]
	b.rest = b.rest[1:]
	return int(x)
}
