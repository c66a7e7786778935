package grpc

import (
	"google.golang.org/grpc/mem"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// call is one request on its way: queued, then in a slot, then answered. It lends its memory to the reply and goes back
// to the pool when that is released.
type call struct {
	network  *Network
	verb     ports.Verb
	urgent   bool
	tok      ports.Tok
	sink     ports.Sink
	deadline ports.Instant
	// body is the encoded request, kept until the answer: a server may turn out to have no batch form of it.
	body []byte

	decoder wire.Decoder
	// received holds the bytes that the decoded reply is a part of.
	received mem.Buffer
}

// maxKeptBody is the largest body whose memory is kept for the next request.
const maxKeptBody = 64 << 10

// reply decodes and posts the answer; received is what body is a part of.
func (c *call) reply(body []byte, received mem.Buffer, now ports.Instant) {
	reply, err := c.decoder.Decode(c.verb, body)
	if err != nil {
		c.fail(ports.EventLost, now, malformedAnswer)
		return
	}
	received.Ref()
	c.received = received
	c.sink.Post(ports.Event{Kind: ports.EventReply, Tok: c.tok, Now: now, Reply: reply, Lease: c})
}

// Release implements [ports.Lease].
func (c *call) Release() {
	c.received.Free()
	c.recycle()
}

// fail posts that there is no answer.
func (c *call) fail(kind ports.EventKind, now ports.Instant, cause ports.Cause) {
	sink, ev := c.sink, unanswered(kind, c.tok, now, cause)
	c.recycle()
	sink.Post(ev)
}

func (c *call) recycle() {
	c.decoder.Forget()
	c.received, c.sink = nil, nil
	if cap(c.body) > maxKeptBody {
		c.body = nil
	}
	c.network.calls.Put(c)
}

func unanswered(kind ports.EventKind, tok ports.Tok, now ports.Instant, cause ports.Cause) ports.Event {
	return ports.Event{Kind: kind, Tok: tok, Now: now, Cause: cause}
}

// failure is a call that gets no answer. Failures are collected under a lock and posted without it.
type failure struct {
	call *call
	kind ports.EventKind
}

func postFailures(list []failure, now ports.Instant, cause ports.Cause) {
	for _, f := range list {
		f.call.fail(f.kind, now, cause)
	}
}
