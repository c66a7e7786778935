package mvcc

import "bytes"

// Extent is the part of the key space that a region holds: [Start, End) in PD's key space, an empty End being open.
type Extent struct {
	Start, End []byte
}

// Contains reports whether the extent holds a transactional key.
func (x Extent) Contains(key []byte) bool {
	return compareEncoded(key, x.Start) >= 0 && (len(x.End) == 0 || compareEncoded(key, x.End) < 0)
}

// ContainsRaw reports whether the extent holds a raw key.
func (x Extent) ContainsRaw(key []byte) bool {
	return bytes.Compare(key, x.Start) >= 0 && (len(x.End) == 0 || bytes.Compare(key, x.End) < 0)
}

// Touches reports whether a scan may start at a transactional key: in the extent, or at its end. An empty key is the
// extent's own bound: its end when upper is set, else its start.
func (x Extent) Touches(key []byte, upper bool) bool {
	if len(key) == 0 {
		return x.open(upper)
	}
	return compareEncoded(key, x.Start) >= 0 && (len(x.End) == 0 || compareEncoded(key, x.End) <= 0)
}

// TouchesRaw is Touches for raw keys.
func (x Extent) TouchesRaw(key []byte, upper bool) bool {
	if len(key) == 0 {
		return x.open(upper)
	}
	return bytes.Compare(key, x.Start) >= 0 && (len(x.End) == 0 || bytes.Compare(key, x.End) <= 0)
}

func (x Extent) open(upper bool) bool {
	if upper {
		return len(x.End) == 0
	}
	return len(x.Start) == 0
}
