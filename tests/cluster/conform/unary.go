package main

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// unary is a network to one store in which every request is a call of its own:
// unistore serves commands that its BatchCommands lacks, and one that dies of a
// request answers that with an error.
type unary struct {
	conn    *grpc.ClientConn
	cluster uint64
	clock   ports.Timers
	calls   sync.WaitGroup
}

var _ ports.Network = (*unary)(nil)

func newUnary(address string, cluster uint64, clock ports.Timers) (*unary, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &unary{conn: conn, cluster: cluster, clock: clock}, nil
}

func (u *unary) close() {
	_ = u.conn.Close() // calls that are in flight end with it
	u.calls.Wait()
}

// Submit implements [ports.Network].
func (u *unary) Submit(
	_ ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant, tok ports.Tok, sink ports.Sink,
) {
	verb := req.Verb()
	body := new(wire.Encoder).Append(nil, u.cluster, hdr, req)
	u.calls.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline.Sub(u.clock.Now()))
		defer cancel()
		ev := ports.Event{Kind: ports.EventLost, Tok: tok, Now: u.clock.Now()}
		var answer []byte
		err := u.conn.Invoke(ctx, wire.Method(verb), &body, &answer, grpc.ForceCodecV2(plain{}))
		if err == nil {
			ev.Reply, err = new(wire.Decoder).Decode(verb, answer)
		}
		if ev.Kind = ports.EventReply; err != nil {
			ev.Kind, ev.Reply = ports.EventLost, nil
			ev.Cause = ports.Cause{Kind: ports.CauseRejected, Text: status.Code(err).String()}
		}
		sink.Post(ev)
	})
}

// Probe implements [ports.Network]; scripts do not probe.
func (u *unary) Probe(_ ports.Endpoint, _ ports.Instant, tok ports.Tok, sink ports.Sink) {
	sink.Post(ports.Event{Kind: ports.EventProbed, Tok: tok, Now: u.clock.Now()})
}

// Watch implements [ports.Network].
func (u *unary) Watch(ports.Sink) {}

// Forget implements [ports.Network].
func (u *unary) Forget(ports.Endpoint) {}

// plain passes encoded messages through gRPC as they are.
type plain struct{}

// Marshal implements encoding.CodecV2.
func (plain) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (plain) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (plain) Name() string { return "proto" }
