// Package key holds key ranges and the codec between user keys and PD's key space.
package key

// group is the number of key bytes that one marker byte covers.
const group = 8

// AppendMemcomparable appends key in the form whose byte order equals the order
// of the keys even when one is followed by other data: groups of eight bytes,
// zero-padded, each followed by 0xFF minus the number of padding bytes (TiKV:
// components/codec/src/byte.rs). A key whose length is a multiple of eight is
// closed by a group of padding, so the empty key takes nine bytes.
func AppendMemcomparable(dst, key []byte) []byte {
	for len(key) >= group {
		dst = append(dst, key[:group]...)
		dst = append(dst, 0xFF)
		key = key[group:]
	}
	var last [group + 1]byte
	n := copy(last[:group], key)
	last[group] = 0xFF - byte(group-n)
	return append(dst, last[:]...)
}

// AppendDecoded appends the key that was encoded as enc.
func AppendDecoded(dst, enc []byte) ([]byte, error) {
	start := len(dst)
	for {
		if len(enc) < group+1 {
			return dst[:start], ErrMalformed
		}
		pad := int(0xFF - enc[group])
		if pad > group {
			return dst[:start], ErrMalformed
		}
		for _, b := range enc[group-pad : group] {
			if b != 0 {
				return dst[:start], ErrMalformed
			}
		}
		dst = append(dst, enc[:group-pad]...)
		enc = enc[group+1:]
		if pad > 0 {
			if len(enc) > 0 {
				return dst[:start], ErrMalformed
			}
			return dst, nil
		}
	}
}

// appendAtLeast appends the smallest key whose encoding is not below bound.
//
// Of the keys that begin with the same group of eight bytes, the shorter ones
// have the smaller markers: a group that ends in z zeros can carry the markers
// 0xFF-z (the key without those zeros) to 0xFF (more groups follow). What is left
// to find is the smallest marker that is not below the bound's.
func appendAtLeast(dst, bound []byte) ([]byte, error) {
	start := len(dst)
	for len(bound) > group {
		full, marker, rest := bound[:group], int(bound[group]), bound[group+1:]
		if marker < 0xFF-group {
			return dst[:start], ErrMalformed
		}
		if marker == 0xFF {
			dst = append(dst, full...)
			bound = rest
			continue
		}
		if len(rest) > 0 {
			marker++ // an encoding that ends in the marker itself is below the bound
		}
		pad := min(0xFF-marker, trailingZeros(full))
		return append(dst, full[:group-pad]...), nil
	}
	return append(dst, bound[:len(bound)-trailingZeros(bound)]...), nil
}

func trailingZeros(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == 0 {
		n++
	}
	return n
}

// Next returns the smallest key greater than key.
func Next(key []byte) []byte {
	next := make([]byte, len(key)+1)
	copy(next, key)
	return next
}

// PrefixEnd returns the end of the range of keys that begin with prefix, nil when
// the range has no end.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
