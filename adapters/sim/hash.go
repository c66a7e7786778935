package sim

import "encoding/binary"

// digest is a running hash over what happens. It is cheap, the same on every machine, and no protection against malice.
type digest uint64

const digestStart digest = 0xcbf29ce484222325

const digestPrime = 0x9e3779b97f4a7c15

func (d *digest) add(v uint64) {
	x := (uint64(*d) ^ v) * digestPrime
	*d = digest(x ^ x>>29)
}

func (d *digest) bytes(b []byte) {
	d.add(uint64(len(b)))
	for len(b) >= 8 {
		d.add(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	var rest [8]byte
	copy(rest[:], b)
	d.add(binary.LittleEndian.Uint64(rest[:]))
}
