package grpc

import (
	"errors"
	"sync"

	"google.golang.org/grpc/mem"
)

// codec passes encoded messages through gRPC as they are: package wire has encoded what is sent, and takes apart what
// is received where it lies.
type codec struct{}

// outgoing is an encoded message; gRPC gives its memory back once it is written.
type outgoing struct {
	data *[]byte
	pool *framePool
}

// incoming is a received message. Whoever receives it frees it.
type incoming struct{ buffer mem.Buffer }

var errForeign = errors.New("not a message of this package")

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*outgoing)
	if !ok {
		return nil, errForeign
	}
	return mem.BufferSlice{mem.NewBuffer(m.data, m.pool)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*incoming)
	if !ok {
		return errForeign
	}
	m.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}

// Name implements encoding.CodecV2; it becomes the content type's suffix.
func (codec) Name() string { return "proto" }

// framePool keeps the memory of frames. It implements mem.BufferPool.
type framePool struct{ sync.Pool }

// minFrame is the smallest memory of a frame: gRPC gives nothing back that is below 1 KiB.
const minFrame = 4 << 10

// Get implements mem.BufferPool.
func (p *framePool) Get(length int) *[]byte {
	data := p.Pool.Get().(*[]byte)
	if cap(*data) < max(length, minFrame) {
		*data = make([]byte, length, max(length, minFrame))
	}
	*data = (*data)[:length]
	return data
}

// Put implements mem.BufferPool.
func (p *framePool) Put(data *[]byte) {
	if cap(*data) <= 2*maxFrame {
		p.Pool.Put(data)
	}
}
