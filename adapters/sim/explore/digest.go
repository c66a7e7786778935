package explore

// mix spreads a word over all bits (Steele, Lea, Flood: the finalizer of SplitMix64).
func mix(v uint64) uint64 {
	v ^= v >> 30
	v *= 0xbf58476d1ce4e5b9
	v ^= v >> 27
	v *= 0x94d049bb133111eb
	return v ^ v>>31
}

// fold adds a word to a digest; the order counts.
func fold(digest, v uint64) uint64 { return mix(digest*0x9e3779b97f4a7c15 + v + 1) }

func digestText[T string | []byte](text T) uint64 {
	d := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		d = (d ^ uint64(text[i])) * 0x100000001b3
	}
	return mix(d)
}

// prints is a set of fingerprints: a table with open addressing, 0 being an empty place.
type prints struct {
	table []uint64
	size  int
	zero  bool
}

// add reports whether a fingerprint is new.
func (s *prints) add(v uint64) bool {
	if v == 0 {
		fresh := !s.zero
		s.zero = true
		return fresh
	}
	if 4*(s.size+1) > 3*len(s.table) {
		s.grow()
	}
	if !insert(s.table, v) {
		return false
	}
	s.size++
	return true
}

// Len returns the number of fingerprints.
func (s *prints) Len() int {
	if s.zero {
		return s.size + 1
	}
	return s.size
}

func (s *prints) grow() {
	old := s.table
	s.table = make([]uint64, max(1<<6, 2*len(old)))
	for _, v := range old {
		if v != 0 {
			insert(s.table, v)
		}
	}
}

func insert(table []uint64, v uint64) bool {
	mask := uint64(len(table) - 1)
	for i := v & mask; ; i = (i + 1) & mask {
		switch table[i] {
		case 0:
			table[i] = v
			return true
		case v:
			return false
		}
	}
}
