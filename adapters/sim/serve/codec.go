package serve

import (
	"errors"

	"google.golang.org/grpc/mem"
)

// codec passes encoded messages through as they are; package wire takes them apart.
type codec struct{}

var errForeign = errors.New("not a message of this package")

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*[]byte)
	if !ok {
		return nil, errForeign
	}
	return mem.BufferSlice{mem.SliceBuffer(*m)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*[]byte)
	if !ok {
		return errForeign
	}
	*m = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }
