package serve

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// station is TiKV's service at one store.
type station struct {
	cluster *Cluster
	id      ports.StoreID
}

// healthCheck is the method by which a store is asked whether it serves.
const healthCheck = "/grpc.health.v1.Health/Check"

// serving is the encoded answer that it does.
const serving = "\x08\x01"

// errBroken ends what the world's network has broken.
var errBroken = status.Error(codes.Unavailable, "the store cannot be reached")

func (s *station) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	if method == wire.BatchCommands {
		return s.batch(stream)
	}
	var body []byte
	if err := stream.RecvMsg(&body); err != nil {
		return err
	}
	if method == healthCheck {
		return s.health(stream)
	}
	verb, ok := wire.VerbOf(method)
	if !ok {
		return status.Error(codes.Unimplemented, "the simulated store has no "+method)
	}
	return s.alone(stream, verb, body)
}

func (s *station) health(stream grpc.ServerStream) error {
	c, ctx := s.cluster, stream.Context()
	ev := make(answer, 1)
	c.caller.Probe(c.endpoint(s.id), c.deadline(ctx), ports.Tok{}, ev)
	got, err := ev.wait(ctx)
	if err != nil {
		return err
	}
	switch got.Cause.Kind {
	case ports.CauseNone:
		yes := []byte(serving)
		return stream.SendMsg(&yes)
	case ports.CauseTimeout, ports.CauseHung:
		return silence(ctx)
	default:
		return errBroken
	}
}

// wait returns the event, or the error of whoever does not wait for it any more.
func (a answer) wait(ctx context.Context) (ports.Event, error) {
	select {
	case ev := <-a:
		return ev, nil
	case <-ctx.Done():
		return ports.Event{}, ctx.Err()
	}
}

// silence answers nothing.
func silence(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// decode decodes a request; one for another cluster is refused as TiKV refuses it.
func decode(verb ports.Verb, body []byte) (wire.Request, error) {
	r, err := wire.DecodeRequest(verb, body)
	switch {
	case err != nil:
		return r, status.Error(codes.InvalidArgument, err.Error())
	case r.Cluster != 0 && r.Cluster != ClusterID:
		return r, status.Error(codes.InvalidArgument, "mismatch cluster id")
	}
	return r, nil
}

// alone answers a call outside the stream.
func (s *station) alone(stream grpc.ServerStream, verb ports.Verb, body []byte) error {
	r, err := decode(verb, body)
	if err != nil {
		return err
	}
	c, ctx := s.cluster, stream.Context()
	ev := make(answer, 1)
	c.caller.Submit(c.endpoint(s.id), &r.Header, r.Request, c.deadline(ctx), ports.Tok{}, ev)
	got, err := ev.wait(ctx)
	switch {
	case err != nil:
		return err
	case got.Kind == ports.EventReply:
		reply := wire.AppendReply(nil, got.Reply)
		return stream.SendMsg(&reply)
	case breaks(got.Cause.Kind):
		return errBroken
	}
	return silence(ctx)
}

// breaks reports whether a connection ends with what the world says of a request; otherwise it stays, and the request
// is not answered.
func breaks(cause ports.CauseKind) bool {
	return cause != ports.CauseTimeout && cause != ports.CauseHung
}

// batch serves one BatchCommands stream: a client of the world, whose answers go out as they come.
func (s *station) batch(stream grpc.ServerStream) error {
	client := s.cluster.wall.Client("stream")
	defer client.Close()
	out := &outbox{wake: make(chan struct{}, 1)}
	received := make(chan error, 1)
	s.cluster.goroutines.Go(func() { received <- s.receive(stream, client, out) })
	ended := false
	for {
		select {
		case <-out.wake:
		case err := <-received:
			if ended = errors.Is(err, io.EOF); !ended {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		frame, open, err := out.take()
		if len(frame) > 0 {
			if err := stream.SendMsg(&frame); err != nil {
				return err
			}
		}
		// A client that sends nothing more still hears of what it has sent.
		if err != nil || ended && open == 0 {
			return err
		}
	}
}

// receive submits what comes on a stream, until the stream ends.
func (s *station) receive(stream grpc.ServerStream, client *sim.WallClient, out *outbox) error {
	var frame wire.Frame
	to := s.cluster.endpoint(s.id)
	for {
		var body []byte
		if err := stream.RecvMsg(&body); err != nil {
			return err
		}
		if err := frame.Parse(body); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		for _, command := range frame.Commands {
			out.await()
			if !command.Known {
				out.add(command.ID, ports.VerbNone, nil)
				continue
			}
			r, err := decode(command.Verb, command.Body)
			if err != nil {
				return err
			}
			tok := ports.Tok{Addr: ports.Addr(command.ID)}
			client.Submit(to, &r.Header, r.Request, client.Now().Add(patience), tok, out)
		}
	}
}

// outbox collects the answers of one stream.
type outbox struct {
	wake chan struct{}

	mu       sync.Mutex
	commands []byte
	ids      []uint64
	// open counts the commands that may yet be answered.
	open int
	err  error
}

func (o *outbox) await() {
	o.mu.Lock()
	o.open++
	o.mu.Unlock()
}

// Post implements [ports.Sink].
func (o *outbox) Post(ev ports.Event) {
	switch {
	case ev.Kind == ports.EventReply:
		o.add(uint64(ev.Tok.Addr), ev.Reply.Verb(), wire.AppendReply(nil, ev.Reply))
	case breaks(ev.Cause.Kind):
		o.end(errBroken)
	default:
		o.end(nil)
	}
}

// end notes that one command is not answered, and why the stream ends if it does.
func (o *outbox) end(err error) {
	o.mu.Lock()
	o.open--
	if err != nil {
		o.err = err
	}
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) add(id uint64, verb ports.Verb, reply []byte) {
	o.mu.Lock()
	o.commands = wire.AppendCommand(o.commands, verb, reply)
	o.ids = append(o.ids, id)
	o.open--
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns a frame of the answers that have come, how many may come yet, and why the stream ends if it does.
func (o *outbox) take() ([]byte, int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var frame []byte
	if len(o.ids) > 0 {
		frame = wire.AppendIDs(o.commands, o.ids)
		o.commands, o.ids = nil, o.ids[:0]
	}
	return frame, o.open, o.err
}
