package wire

import (
	"encoding/binary"
	"math"
)

// Protobuf's wire types.
const (
	typeVarint = 0
	typeFixed8 = 1
	typeBytes  = 2
	typeFixed4 = 5
)

// field is one field of an encoded message: a number for varints, a part of the message for bytes.
type field struct {
	number uint32
	kind   uint8
	value  uint64
	bytes  []byte
}

// next takes the first field off a message. Groups, which protobuf has given up, are malformed.
func (f *field) next(b []byte) (rest []byte, ok bool) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > math.MaxInt32 {
		return nil, false
	}
	b = b[n:]
	f.number, f.kind, f.value, f.bytes = uint32(tag>>3), uint8(tag&7), 0, nil
	switch f.kind {
	case typeVarint:
		f.value, n = binary.Uvarint(b)
		if n <= 0 {
			return nil, false
		}
		return b[n:], true
	case typeBytes:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, false
		}
		end := n + int(size)
		f.bytes = b[n:end:end]
		return b[end:], true
	case typeFixed8:
		return cut(b, 8)
	case typeFixed4:
		return cut(b, 4)
	}
	return nil, false
}

func cut(b []byte, n int) ([]byte, bool) {
	if len(b) < n {
		return nil, false
	}
	return b[n:], true
}

// is reports whether the field has the given number and the kind of a byte string.
func (f *field) is(number uint32) bool { return f.number == number && f.kind == typeBytes }

// appendTag appends the tag of a field.
func appendTag(dst []byte, number uint32, kind uint8) []byte {
	return binary.AppendUvarint(dst, uint64(number)<<3|uint64(kind))
}

// appendBytes appends a field of bytes.
func appendBytes(dst []byte, number uint32, b []byte) []byte {
	dst = binary.AppendUvarint(appendTag(dst, number, typeBytes), uint64(len(b)))
	return append(dst, b...)
}

// uvarintLen is the length of an encoded number.
func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
