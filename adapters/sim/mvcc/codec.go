package mvcc

import "bytes"

const (
	groupSize = 8
	marker    = 0xff
)

// AppendEncoded appends the memcomparable form of a transactional key, in which PD and the bounds of regions know it.
// TiKV: components/codec/src/byte.rs.
func AppendEncoded(dst, key []byte) []byte {
	for {
		n := min(groupSize, len(key))
		dst = append(dst, key[:n]...)
		for i := n; i < groupSize; i++ {
			dst = append(dst, 0)
		}
		dst = append(dst, byte(marker-groupSize+n))
		if n < groupSize {
			return dst
		}
		key = key[groupSize:]
	}
}

// compareEncoded compares the memcomparable form of a key with a bound, without writing it down. A bound may end
// anywhere, also inside a group.
func compareEncoded(key, bound []byte) int {
	for {
		var group [groupSize + 1]byte
		n := copy(group[:groupSize], key)
		group[groupSize] = byte(marker - groupSize + n)
		m := min(len(group), len(bound))
		if c := bytes.Compare(group[:m], bound[:m]); c != 0 {
			return c
		}
		if m < len(group) {
			return 1
		}
		bound = bound[m:]
		if n < groupSize {
			if len(bound) > 0 {
				return -1
			}
			return 0
		}
		key = key[groupSize:]
	}
}
