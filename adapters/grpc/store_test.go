package grpc_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// bytesCodec passes messages through as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (bytesCodec) Name() string { return "proto" }

const (
	healthCheck = "/grpc.health.v1.Health/Check"
	serving     = "\x08\x01"
	notServing  = "\x08\x02"
)

// store is a TiKV store that knows RawGet, RawPut, KvGet and RawGetKeyTTL, and misbehaves when it is told to.
type store struct {
	address string
	server  *grpc.Server

	mu     sync.Mutex
	free   sync.Cond
	hung   bool
	quit   bool
	health string
	data   map[string][]byte
	// frames counts the frames that were received, requests what was executed, alone the calls outside the stream.
	frames, requests, alone int
	// twist, when set, may change the frame that is sent for a received one; an error ends the stream.
	twist func(received *wire.Frame, answer []byte) ([]byte, error)
	// refuse, when set, is what calls outside the stream are answered with.
	refuse error
}

func newStore(t testing.TB, options ...grpc.ServerOption) *store {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := serveOn(listener, options...)
	t.Cleanup(s.stop)
	return s
}

func serveOn(listener net.Listener, options ...grpc.ServerOption) *store {
	s := &store{address: listener.Addr().String(), data: map[string][]byte{}, health: serving}
	s.free.L = &s.mu
	options = append(options, grpc.ForceServerCodecV2(bytesCodec{}), grpc.UnknownServiceHandler(s.handle))
	s.server = grpc.NewServer(options...)
	go s.server.Serve(listener)
	return s
}

func (s *store) stop() {
	s.mu.Lock()
	s.quit = true
	s.free.Broadcast()
	s.mu.Unlock()
	s.server.Stop()
}

func (s *store) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hung = true
}

func (s *store) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hung = false
	s.free.Broadcast()
}

// do changes the store under its lock.
func (s *store) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// wait lets nobody pass while the store hangs; false when it stops.
func (s *store) wait() bool {
	for s.hung && !s.quit {
		s.free.Wait()
	}
	return !s.quit
}

func (s *store) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	if method == wire.BatchCommands {
		return s.batch(stream)
	}
	var body []byte
	if err := stream.RecvMsg(&body); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wait() {
		return io.EOF
	}
	answer := []byte(s.health)
	if method != healthCheck {
		s.alone++
		if s.refuse != nil {
			return s.refuse
		}
		verb, ok := wire.VerbOf(method)
		if !ok {
			return status.Error(codes.Unimplemented, method)
		}
		answer = s.execute(verb, body)
	}
	return stream.SendMsg(&answer)
}

func (s *store) batch(stream grpc.ServerStream) error {
	var frame wire.Frame
	for {
		var body []byte
		if err := stream.RecvMsg(&body); err != nil {
			return err
		}
		if err := frame.Parse(body); err != nil {
			return err
		}
		answer, err := s.answer(&frame)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&answer); err != nil {
			return err
		}
	}
}

func (s *store) answer(frame *wire.Frame) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
	if !s.wait() {
		return nil, io.EOF
	}
	var answer []byte
	var ids []uint64
	for _, c := range frame.Commands {
		answer = wire.AppendCommand(answer, c.Verb, s.execute(c.Verb, c.Body))
		ids = append(ids, c.ID)
	}
	answer = wire.AppendIDs(answer, ids)
	if s.twist != nil {
		return s.twist(frame, answer)
	}
	return answer, nil
}

// execute returns the encoded reply to a request.
func (s *store) execute(verb ports.Verb, body []byte) []byte {
	s.requests++
	r, err := wire.DecodeRequest(verb, body)
	if err != nil {
		panic(err)
	}
	if r.Cluster != 1 {
		panic("a request does not name the cluster")
	}
	var reply ports.Reply
	switch req := r.Request.(type) {
	case *ports.RawPutRequest:
		s.data[string(req.Key)] = bytes.Clone(req.Value)
		reply = &ports.RawWriteReply{Of: verb}
	case *ports.RawGetRequest:
		value, ok := s.data[string(req.Key)]
		reply = &ports.RawGetReply{Value: value, NotFound: !ok}
	case *ports.GetRequest:
		value, ok := s.data[string(req.Key)]
		reply = &ports.GetReply{Value: value, NotFound: !ok}
	case *ports.RawGetKeyTTLRequest:
		reply = &ports.RawGetKeyTTLReply{TTL: 7}
	default:
		panic(verb)
	}
	return wire.AppendReply(nil, reply)
}
