package grpc

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// callAlone makes a call outside the stream, on a goroutine of its own.
func (l *link) callAlone(cl *call) {
	if l.conn.network.start(func() { l.finishAlone(cl) }) {
		return
	}
	now := l.conn.network.clock.Now()
	l.leaveAlone(now, false)
	cl.fail(ports.EventUnsent, now, networkClosed)
}

func (l *link) finishAlone(cl *call) {
	var in incoming
	kind, err := l.exchange(cl, &in)
	now := l.conn.network.clock.Now()
	cause := l.leaveAlone(now, heardBy(err))
	switch {
	case err == nil:
		cl.reply(in.buffer.ReadOnlyData(), in.buffer, now)
		in.buffer.Free()
	case cause.Kind != ports.CauseNone:
		cl.fail(kind, now, cause)
	default:
		cl.fail(kind, now, causeOf(err))
	}
}

// exchange sends the request and waits for the reply. Before the stream of a call is there nothing is sent; afterwards
// gRPC does not tell whether it was.
func (l *link) exchange(cl *call, in *incoming) (ports.EventKind, error) {
	n := l.conn.network
	ctx, cancel := n.until(l.life, cl.deadline)
	defer cancel()
	stream, err := l.client.NewStream(ctx, &grpc.StreamDesc{}, wire.Method(cl.verb), grpc.ForceCodecV2(codec{}))
	if err != nil {
		return ports.EventUnsent, err
	}
	data := n.frames.Get(len(cl.body))
	copy(*data, cl.body)
	if err := stream.SendMsg(&outgoing{data: data, pool: &n.frames}); err != nil {
		return ports.EventLost, err
	}
	return ports.EventLost, stream.RecvMsg(in)
}

// heardBy reports whether a call's end was the store's own answer, be it a refusal.
func heardBy(err error) bool {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable:
		return false
	default:
		return true
	}
}

// leaveAlone notes the end of a call, and returns why the link has ended if it has.
func (l *link) leaveAlone(now ports.Instant, heard bool) ports.Cause {
	c := l.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	l.alone--
	c.used = now
	if heard {
		l.heard, l.served = now, true
	}
	return l.cause
}
