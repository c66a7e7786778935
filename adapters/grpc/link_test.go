package grpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// stillClock stands still and rings no alarm.
type stillClock struct{}

func (stillClock) Now() ports.Instant                       { return 1000 }
func (stillClock) Arm(ports.Instant, ports.Tok, ports.Sink) {}

// inbox counts answers by token and kind.
type inbox struct {
	mu     sync.Mutex
	events []ports.Event
}

func (b *inbox) Post(ev ports.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, ev)
}

// kinds returns the kinds of the answers by the generation of their token.
func (b *inbox) kinds(t *testing.T) map[uint32]ports.EventKind {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := map[uint32]ports.EventKind{}
	for _, ev := range b.events {
		require.NotContains(t, m, ev.Tok.Gen, "answered twice")
		m[ev.Tok.Gen] = ev.Kind
	}
	return m
}

// scriptedStream is a stream whose SendMsg does what a test wants, and which receives nothing until its life ends.
type scriptedStream struct {
	grpc.ClientStream
	life context.Context
	send func(frame []byte) error
}

func (s *scriptedStream) SendMsg(m any) error { return s.send(*m.(*outgoing).data) }

func (s *scriptedStream) RecvMsg(any) error {
	<-s.life.Done()
	return s.life.Err()
}

// linked returns a connection with a link on a scripted stream.
func linked(t *testing.T, send func(frame []byte) error) (*conn, *link) {
	n := New(Config{ClusterID: 1, Clock: stillClock{}})
	t.Cleanup(n.Close)
	c := n.conn(ports.Endpoint{Store: 1, Address: "nowhere"})
	l := newLink(c)
	l.stream = &scriptedStream{life: l.life, send: send}
	c.link = l
	return c, l
}

func (n *Network) testCall(gen uint32, sink ports.Sink, body int) *call {
	c := n.calls.Get().(*call)
	c.verb, c.tok, c.sink, c.deadline = ports.VerbGet, ports.Tok{Gen: gen}, sink, ports.Never
	c.body = make([]byte, body)
	c.urgent = false
	return c
}

// TestFramesAreBounded looks at what one frame takes from the queue.
func TestFramesAreBounded(t *testing.T) {
	parse := func(frame outgoing) []wire.Command {
		var f wire.Frame
		require.NoError(t, f.Parse(*frame.data))
		return f.Commands
	}
	c, l := linked(t, nil)
	box := &inbox{}
	submit := func(gen uint32, body int, urgent bool) {
		cl := c.network.testCall(gen, box, body)
		cl.urgent = urgent
		require.True(t, c.submit(cl, 1000))
	}
	for i := range 2*maxBatch + 1 {
		submit(uint32(i), 1, false)
	}
	submit(9999, 2, true)
	frame, alone := l.take()
	require.Empty(t, alone)
	commands := parse(frame)
	require.Len(t, commands, maxBatch)
	require.Len(t, commands[0].Body, 2, "what is urgent goes first")
	require.EqualValues(t, 1, commands[0].ID)
	frame, _ = l.take()
	require.Len(t, parse(frame), maxBatch)
	frame, _ = l.take()
	require.Len(t, parse(frame), 2)
	frame, _ = l.take()
	require.Nil(t, frame.data, "nothing is queued")

	for i := range 3 {
		submit(uint32(1000+i), maxFrame/2, false)
	}
	submit(2000, 3*maxFrame, false)
	for _, want := range []int{1, 1, 1, 1} {
		frame, _ = l.take()
		require.Len(t, parse(frame), want)
	}
	require.Equal(t, 2*maxBatch+6, c.inFlight())
}

// TestFrameThatIsBeingSent: whether a call of the frame that is handed to gRPC when the link ends is Lost or Unsent is
// for gRPC's answer to decide; what was sent before is Lost, what is queued is Unsent.
func TestFrameThatIsBeingSent(t *testing.T) {
	for name, refused := range map[string]error{"taken": nil, "refused": io.EOF} {
		t.Run(name, func(t *testing.T) {
			sending, finish := make(chan int), make(chan struct{})
			n := 0
			c, l := linked(t, func([]byte) error {
				n++
				sending <- n
				if n == 1 {
					return nil
				}
				<-finish
				return refused
			})
			box := &inbox{}
			ended := make(chan struct{})
			go func() {
				l.write()
				close(ended)
			}()
			c.submit(c.network.testCall(1, box, 1), 1000)
			require.Equal(t, 1, <-sending)
			c.submit(c.network.testCall(2, box, 1), 1000)
			require.Equal(t, 2, <-sending)
			c.submit(c.network.testCall(3, box, 1), 1000)
			c.fail(l, brokenStream)
			require.Equal(t, map[uint32]ports.EventKind{1: ports.EventLost, 3: ports.EventUnsent}, box.kinds(t))
			close(finish)
			<-ended
			want := ports.EventLost
			if refused != nil {
				want = ports.EventUnsent
			}
			require.Equal(t, want, box.kinds(t)[2])
			require.Len(t, box.kinds(t), 3)
		})
	}
}

// TestRefusedFrameIsUnsent: gRPC refuses frames on a stream that is broken, before the reader has seen that it is.
func TestRefusedFrameIsUnsent(t *testing.T) {
	refused := make(chan struct{})
	c, l := linked(t, func([]byte) error {
		defer close(refused)
		return errors.New("refused")
	})
	box := &inbox{}
	ended := make(chan struct{})
	go func() {
		l.write()
		close(ended)
	}()
	c.submit(c.network.testCall(1, box, 1), 1000)
	<-refused
	c.fail(l, brokenStream)
	<-ended
	require.Equal(t, map[uint32]ports.EventKind{1: ports.EventUnsent}, box.kinds(t))
}

// TestPauses: a connection that comes to nothing is not made again at once, and one that has served is.
func TestPauses(t *testing.T) {
	c, l := linked(t, nil)
	now := ports.Instant(1000)
	last := time.Duration(0)
	for range 12 {
		c.pause(now, l, brokenStream)
		pause := c.retryAt.Sub(now)
		require.Greater(t, pause, minPause/2)
		require.LessOrEqual(t, pause, maxPause)
		last = pause
	}
	require.GreaterOrEqual(t, last, maxPause/2)
	l.served = true
	c.pause(now, l, brokenStream)
	require.Zero(t, c.failures)

	box := &inbox{}
	c.drop(ports.Cause{})
	c.retryAt, c.reason = now.Add(time.Second), brokenStream
	require.True(t, c.submit(c.network.testCall(1, box, 1), now))
	require.Equal(t, brokenStream, box.events[0].Cause)
	require.Equal(t, ports.EventUnsent, box.events[0].Kind)
}

// TestForeignMessages: the codec is forced on streams of this package only.
func TestForeignMessages(t *testing.T) {
	_, err := codec{}.Marshal("text")
	require.ErrorIs(t, err, errForeign)
	require.ErrorIs(t, codec{}.Unmarshal(nil, "text"), errForeign)
}

func TestFramePoolDropsGreatFrames(t *testing.T) {
	n := New(Config{Clock: stillClock{}})
	defer n.Close()
	great := n.frames.Get(4 * maxFrame)
	require.Len(t, *great, 4*maxFrame)
	n.frames.Put(great)
	require.LessOrEqual(t, cap(*n.frames.Get(1)), 2*maxFrame)
}
