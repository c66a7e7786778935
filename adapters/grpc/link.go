package grpc

import (
	"context"
	"runtime"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// link is one gRPC connection with one BatchCommands stream on it, its writer and its reader. It ends as a whole.
type link struct {
	conn   *conn
	life   context.Context
	cancel context.CancelFunc
	// client is set before the stream is opened and not changed.
	client *grpc.ClientConn
	stream grpc.ClientStream

	// What follows is under the connection's lock.

	slots slots
	// sending are the ids of the frame that is handed to gRPC at this moment.
	sending []uint64
	// alone counts the calls that are made alone.
	alone int
	// unbatched are the verbs that this server has no batch form of.
	unbatched [ports.Verbs]bool
	// heard is the instant at which the store last answered anything; probing says that it is being asked.
	heard   ports.Instant
	probing bool
	// served: something came from the store. dead: the link has ended, because of cause.
	served, dead bool
	cause        ports.Cause
}

// Bounds of one frame. A single request may be greater than maxFrame.
const (
	maxBatch = 128
	maxFrame = 256 << 10
)

func newLink(c *conn) *link {
	l := &link{conn: c}
	l.life, l.cancel = context.WithCancel(c.network.life)
	return l
}

// run opens the stream and then writes what is queued, until the link is dead.
func (l *link) run() {
	defer l.cancel()
	c := l.conn
	client, err := c.network.dial(c.to.Address)
	if err != nil {
		c.fail(l, malformedAddress)
		return
	}
	defer client.Close()
	l.client = client
	both := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	l.stream, err = client.NewStream(l.life, both, wire.BatchCommands, grpc.ForceCodecV2(codec{}))
	if err != nil {
		c.fail(l, dialCause(err))
		return
	}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		l.read()
	}()
	l.write()
	<-reading
}

// write sends frames until the link is dead. It lets whoever is about to submit go first: what they queue travels in
// the same frame.
func (l *link) write() {
	for l.await() {
		runtime.Gosched()
		frame, alone := l.take()
		for _, cl := range alone {
			l.callAlone(cl)
		}
		if frame.data == nil {
			continue
		}
		if err := l.stream.SendMsg(&frame); err != nil {
			l.unsent()
			// Why the stream is broken is for the reader to see.
			continue
		}
		l.sent()
	}
}

// await waits until something is queued; false when the link is dead.
func (l *link) await() bool {
	c := l.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for !l.dead && len(c.urgent)+len(c.queue) == 0 {
		c.work.Wait()
	}
	return !l.dead
}

// take makes a frame of what is queued, urgent calls first, and takes out the calls that are made alone.
func (l *link) take() (frame outgoing, alone []*call) {
	c := l.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.dead {
		return outgoing{}, nil
	}
	pool := &c.network.frames
	data := pool.Get(0)
	l.sending = l.sending[:0]
	for _, queue := range []*[]*call{&c.urgent, &c.queue} {
		n := 0
		for _, cl := range *queue {
			if !wire.Batchable(cl.verb) || l.unbatched[cl.verb] {
				alone, l.alone, n = append(alone, cl), l.alone+1, n+1
				continue
			}
			if len(l.sending) == maxBatch || len(l.sending) > 0 && len(*data)+len(cl.body) > maxFrame {
				break
			}
			id := l.slots.put(cl)
			if id == 0 {
				break
			}
			*data = wire.AppendCommand(*data, cl.verb, cl.body)
			l.sending = append(l.sending, id)
			n++
		}
		*queue = slices.Delete(*queue, 0, n)
	}
	if len(l.sending) == 0 {
		pool.Put(data)
		return outgoing{}, alone
	}
	*data = wire.AppendIDs(*data, l.sending)
	return outgoing{data: data, pool: pool}, alone
}

// sends reports whether a call is part of the frame that is handed to gRPC at this moment. The lock is held.
func (l *link) sends(cl *call) bool {
	return slices.ContainsFunc(l.sending, func(id uint64) bool { return l.slots.peek(id) == cl })
}

// sent notes that gRPC has taken the frame. Should the link have died meanwhile, its calls are lost.
func (l *link) sent() { l.settle(ports.EventLost) }

// unsent answers the calls of a frame that gRPC has refused. It refuses a frame before any byte of it is written
// (internal/transport, http2Client.write).
func (l *link) unsent() { l.settle(ports.EventUnsent) }

func (l *link) settle(kind ports.EventKind) {
	c := l.conn
	var failed []failure
	c.mu.Lock()
	if l.dead || kind == ports.EventUnsent {
		for _, id := range l.sending {
			if cl := l.slots.take(id); cl != nil {
				failed = append(failed, failure{cl, kind})
			}
		}
	}
	l.sending = l.sending[:0]
	cause := l.cause
	c.mu.Unlock()
	if cause.Kind == ports.CauseNone {
		cause = brokenStream
	}
	postFailures(failed, c.network.clock.Now(), cause)
}

// read posts replies until the stream ends.
func (l *link) read() {
	var frame wire.Frame
	var calls []*call
	var in incoming
	for {
		if err := l.stream.RecvMsg(&in); err != nil {
			l.conn.fail(l, causeOf(err))
			return
		}
		err := frame.Parse(in.buffer.ReadOnlyData())
		if err == nil {
			calls = l.deliver(&frame, in.buffer, calls[:0])
		}
		in.buffer.Free()
		if err != nil {
			l.conn.fail(l, malformedAnswer)
			return
		}
	}
}

// deliver answers the calls of a frame. Ids that are not in use belong to calls that were given up.
func (l *link) deliver(frame *wire.Frame, buffer mem.Buffer, calls []*call) []*call {
	c := l.conn
	now := c.network.clock.Now()
	c.mu.Lock()
	l.heard, l.served, c.used = now, true, now
	for i := range frame.Commands {
		cl := l.slots.take(frame.Commands[i].ID)
		if cl != nil && frame.Commands[i].Empty() && !l.dead {
			// The server has no batch form of it, and so has done nothing.
			l.unbatched[cl.verb] = true
			c.queue = append(c.queue, cl)
			c.work.Signal()
			cl = nil
		}
		calls = append(calls, cl)
	}
	c.mu.Unlock()
	for i, cl := range calls {
		command := &frame.Commands[i]
		switch {
		case cl == nil:
		case !command.Known || command.Verb != cl.verb:
			cl.fail(ports.EventLost, now, malformedAnswer)
		default:
			cl.reply(command.Body, buffer, now)
		}
	}
	clear(calls)
	if f := frame.Feedback; f != nil && f.StoreId != 0 && f.StoreId != uint64(c.to.Store) {
		c.network.learn(&ports.Fact{Kind: ports.FactStoreMismatch, Store: c.to.Store})
	}
	return calls
}
