package grpc_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

// nowhere is an address at which nobody listens.
func nowhere(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

var header = ports.Header{Region: ports.RegionVersion{ID: 1}, Peer: ports.Peer{ID: 1, Store: 1}}

func TestContract(t *testing.T) {
	porttest.Network(t, func(t *testing.T) *porttest.NetworkRig {
		s := newStore(t)
		r := newRig(t, grpc.Config{})
		t.Cleanup(s.resume)
		return &porttest.NetworkRig{
			Host: porttest.Host{Clock: r.clock}, Network: r.network,
			Endpoint: ports.Endpoint{Store: 1, Address: s.address},
			Nowhere:  ports.Endpoint{Store: 2, Address: nowhere(t)},
			Header:   header,
			Hang:     s.hang, Continue: s.resume, Close: r.network.Close,
		}
	})
}

// rig is a network with somebody who asks one thing after the other.
type rig struct {
	t       *testing.T
	clock   *clock.Clock
	network *grpc.Network
}

// open is how many networks a test has.
var open int

func newRig(t *testing.T, cfg grpc.Config) *rig {
	open++
	c := clock.New()
	cfg.ClusterID, cfg.Clock = 1, c
	n := grpc.New(cfg)
	t.Cleanup(func() {
		n.Close()
		if open--; open == 0 {
			requireEnded(t)
		}
		c.Close()
	})
	return &rig{t: t, clock: c, network: n}
}

// requireEnded expects that no goroutine runs code of a network any more, at once: Close waits for all of them.
func requireEnded(t *testing.T) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		running, _, _ := strings.Cut(stack, "\ncreated by ")
		require.NotContains(t, running, "tikvx/adapters/grpc.(*")
	}
}

// ask submits a request and waits for the answer.
func (r *rig) ask(address string, req ports.Request, deadline time.Duration) ports.Event {
	r.t.Helper()
	box := make(porttest.Mailbox, 1)
	to := ports.Endpoint{Store: 1, Address: address}
	r.network.Submit(to, &header, req, r.clock.Now().Add(deadline), ports.Tok{Gen: 1}, box)
	return box.Next(r.t)
}

func get(key string) ports.Request { return &ports.RawGetRequest{Key: []byte(key)} }

// requireServed expects the value of a key that is not there.
func requireServed(t *testing.T, ev ports.Event) {
	t.Helper()
	require.Equal(t, ports.EventReply, ev.Kind, "%v", ev.Cause)
	require.True(t, ev.Reply.(*ports.RawGetReply).NotFound)
}

func requireFailed(t *testing.T, ev ports.Event, kind ports.EventKind, cause ports.CauseKind) {
	t.Helper()
	require.Equal(t, kind, ev.Kind)
	require.Equal(t, cause, ev.Cause.Kind, ev.Cause.Text)
	require.NotEmpty(t, ev.Cause.Text)
}

func TestVerbsWithoutBatchFormAreCalledAlone(t *testing.T) {
	t.Parallel()
	s, r := newStore(t), newRig(t, grpc.Config{})
	ev := r.ask(s.address, &ports.RawGetKeyTTLRequest{Key: []byte("k")}, time.Minute)
	require.Equal(t, ports.EventReply, ev.Kind)
	require.EqualValues(t, 7, ev.Reply.(*ports.RawGetKeyTTLReply).TTL)
	require.Equal(t, 1, s.alone)

	s.do(func() { s.refuse = status.Error(codes.PermissionDenied, "no") })
	requireFailed(t, r.ask(s.address, &ports.RawGetKeyTTLRequest{}, time.Minute), ports.EventLost, ports.CauseRejected)
	s.do(func() { s.refuse = nil })
	s.hang()
	ev = r.ask(s.address, &ports.RawGetKeyTTLRequest{}, 50*time.Millisecond)
	requireFailed(t, ev, ports.EventLost, ports.CauseTimeout)
	ev = r.ask(s.address, &ports.RawGetKeyTTLRequest{}, time.Minute)
	requireFailed(t, ev, ports.EventLost, ports.CauseHung)
	s.resume()
	ev = r.ask(nowhere(t), &ports.RawGetKeyTTLRequest{}, time.Minute)
	requireFailed(t, ev, ports.EventUnsent, ports.CauseConnection)
}

// TestServerWithoutABatchForm: some servers answer a command that they have no case for with nothing.
func TestServerWithoutABatchForm(t *testing.T) {
	s, r := newStore(t), newRig(t, grpc.Config{})
	s.twist = func(received *wire.Frame, _ []byte) ([]byte, error) {
		var answer []byte
		var ids []uint64
		for _, c := range received.Commands {
			answer, ids = wire.AppendCommand(answer, ports.VerbNone, nil), append(ids, c.ID)
		}
		return wire.AppendIDs(answer, ids), nil
	}
	box := make(porttest.Mailbox, 10)
	for range 10 {
		to := ports.Endpoint{Store: 1, Address: s.address}
		r.network.Submit(to, &header, get("k"), r.clock.Now().Add(time.Minute), ports.Tok{}, box)
	}
	for range 10 {
		requireServed(t, box.Next(t))
	}
	frames := s.frames
	requireServed(t, r.ask(s.address, get("k"), time.Minute))
	require.Equal(t, frames, s.frames, "the stream is not tried again")
	require.Equal(t, 11, s.alone)
}

// TestBadAnswers: what the store sends in place of an answer.
func TestBadAnswers(t *testing.T) {
	frame := func(id uint64, verb ports.Verb, body string) []byte {
		return wire.AppendIDs(wire.AppendCommand(nil, verb, []byte(body)), []uint64{id})
	}
	tests := []struct {
		name   string
		answer func(id uint64) ([]byte, error)
		cause  ports.CauseKind
	}{
		{"a frame of garbage", func(uint64) ([]byte, error) { return []byte{0xFF}, nil }, ports.CauseMalformed},
		{"a body of garbage", func(id uint64) ([]byte, error) {
			return frame(id, ports.VerbRawGet, "\xff"), nil
		}, ports.CauseMalformed},
		{"an answer to something else", func(id uint64) ([]byte, error) {
			return frame(id, ports.VerbCommit, ""), nil
		}, ports.CauseMalformed},
		{"another cluster", func(uint64) ([]byte, error) {
			return nil, status.Error(codes.InvalidArgument, "cluster id mismatch")
		}, ports.CauseRejected},
		{"the end of the stream", func(uint64) ([]byte, error) {
			return nil, status.Error(codes.Unavailable, "bye")
		}, ports.CauseConnection},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, r := newStore(t), newRig(t, grpc.Config{})
			s.twist = func(received *wire.Frame, _ []byte) ([]byte, error) { return tt.answer(received.Commands[0].ID) }
			requireFailed(t, r.ask(s.address, get("k"), time.Minute), ports.EventLost, tt.cause)
			s.do(func() { s.twist = nil })
			r.untilServed(s.address)
		})
	}
}

// untilServed asks until the store is reached again.
func (r *rig) untilServed(address string) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		ev := r.ask(address, get("k"), time.Minute)
		if ev.Kind == ports.EventReply {
			return
		}
		require.True(r.t, time.Now().Before(end), "%v", ev.Cause)
		box := make(porttest.Mailbox, 1)
		r.clock.Arm(r.clock.Now().Add(10*time.Millisecond), ports.Tok{}, box)
		box.Next(r.t)
	}
}

// TestAnswersToNobody: ids that are not in use, or not any more, are ignored.
func TestAnswersToNobody(t *testing.T) {
	s, r := newStore(t), newRig(t, grpc.Config{})
	s.twist = func(received *wire.Frame, answer []byte) ([]byte, error) {
		id := received.Commands[0].ID
		body := wire.AppendReply(nil, &ports.RawGetReply{NotFound: true})
		twice := wire.AppendCommand(wire.AppendCommand(nil, ports.VerbRawGet, body), ports.VerbRawGet, body)
		twice = wire.AppendCommand(twice, ports.VerbRawGet, body)
		return wire.AppendIDs(twice, []uint64{id + 1<<40, id, id}), nil
	}
	for range 20 {
		requireServed(t, r.ask(s.address, get("k"), time.Minute))
	}
}

// TestAnotherStoreAnswers: the health feedback of a store names it.
func TestAnotherStoreAnswers(t *testing.T) {
	s, r := newStore(t), newRig(t, grpc.Config{})
	facts := make(porttest.Mailbox, 1)
	r.network.Watch(facts)
	s.twist = func(_ *wire.Frame, answer []byte) ([]byte, error) {
		feedback := tikvpb.BatchCommandsResponse{HealthFeedback: &kvrpcpb.HealthFeedback{StoreId: 77, SlowScore: 1}}
		tail, err := feedback.Marshal()
		return append(answer, tail...), err
	}
	requireServed(t, r.ask(s.address, get("k"), time.Minute))
	ev := facts.Next(t)
	require.Equal(t, ports.EventLearn, ev.Kind)
	require.Equal(t, &ports.Fact{Kind: ports.FactStoreMismatch, Store: 1}, ev.Fact)
}

// TestStoreRestarts: what was sent is lost, and the same address is reached again.
func TestStoreRestarts(t *testing.T) {
	s, r := newStore(t), newRig(t, grpc.Config{})
	requireServed(t, r.ask(s.address, get("k"), time.Minute))
	s.hang()
	box := make(porttest.Mailbox, 1)
	to := ports.Endpoint{Store: 1, Address: s.address}
	r.network.Submit(to, &header, get("k"), r.clock.Now().Add(time.Minute), ports.Tok{}, box)
	for received := false; !received; runtime.Gosched() {
		s.do(func() { received = s.frames == 2 })
	}
	s.stop()
	ev := box.Next(t)
	require.Equal(t, ports.EventLost, ev.Kind)
	requireFailed(t, r.ask(s.address, get("k"), time.Minute), ports.EventUnsent, ports.CauseConnection)

	listener, err := net.Listen("tcp", s.address)
	require.NoError(t, err)
	again := serveOn(listener)
	defer again.stop()
	r.untilServed(s.address)
}

// TestStoppedProcess stops a store as SIGSTOP does: its sockets stay open, and the kernel goes on taking bytes.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	address, pid := process(t)
	r := newRig(t, grpc.Config{})
	requireServed(t, r.ask(address, get("x"), time.Minute))
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	for !stopped(t, pid) {
		runtime.Gosched()
	}
	before := r.clock.Now()
	ev := r.ask(address, get("x"), time.Minute)
	requireFailed(t, ev, ports.EventLost, ports.CauseHung)
	require.Less(t, ev.Now.Sub(before), 2*ports.SilenceLimit+ports.SilenceLimit/2)
	before = r.clock.Now()
	ev = r.ask(address, get("x"), time.Minute)
	require.Equal(t, ports.EventUnsent, ev.Kind, "the handshake of a new connection is not answered either")
	require.Less(t, ev.Now.Sub(before), 2*ports.SilenceLimit+ports.SilenceLimit/2)
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	r.untilServed(address)
}

// stopped reports whether a process has stopped: a signal takes a moment to reach all of its threads.
func stopped(t *testing.T, pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, state, ok := bytes.Cut(stat, []byte(") "))
	require.True(t, ok)
	return state[0] == 'T'
}

// TestSlowStoreIsNotHung: a request may take longer than the silence limit when the probe is answered.
func TestSlowStoreIsNotHung(t *testing.T) {
	t.Parallel()
	s, r := newStore(t), newRig(t, grpc.Config{})
	requireServed(t, r.ask(s.address, get("k"), time.Minute))
	release := make(chan struct{})
	s.twist = func(_ *wire.Frame, answer []byte) ([]byte, error) {
		s.mu.Unlock()
		<-release
		s.mu.Lock()
		return answer, nil
	}
	box := make(porttest.Mailbox, 1)
	to := ports.Endpoint{Store: 1, Address: s.address}
	r.network.Submit(to, &header, get("k"), r.clock.Now().Add(time.Minute), ports.Tok{}, box)
	late := make(porttest.Mailbox, 1)
	r.clock.Arm(r.clock.Now().Add(5*ports.SilenceLimit/2), ports.Tok{}, late)
	late.Next(t)
	require.Empty(t, box)
	close(release)
	requireServed(t, box.Next(t))
}

// TestIdleConnections: nothing of a connection is left when nobody uses it, and the next request makes it anew.
func TestIdleConnections(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newStore(t)
	r := newRig(t, grpc.Config{IdleTimeout: 20 * time.Millisecond})
	requireServed(t, r.ask(s.address, get("k"), time.Minute))
	s.do(func() {})
	for end := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		// What is left are the clock, the server's listener, and the server's half of a connection that ends.
		if runtime.NumGoroutine() <= before+3 {
			break
		}
		require.True(t, time.Now().Before(end), stacks())
	}
	requireServed(t, r.ask(s.address, get("k"), time.Minute))
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// TestGoroutinesOfAConnection counts what one connection that is in use costs.
func TestGoroutinesOfAConnection(t *testing.T) {
	address, _ := process(t)
	r := newRig(t, grpc.Config{})
	before := runtime.NumGoroutine()
	requireServed(t, r.ask(address, get("x"), time.Minute))
	own := strings.Count(stacks(), "adapters/grpc.(*link)")
	t.Logf("%d goroutines, of which %d frames are ours", runtime.NumGoroutine()-before, own)
	require.LessOrEqual(t, runtime.NumGoroutine()-before, 9)
}

func TestProbes(t *testing.T) {
	s, r := newStore(t), newRig(t, grpc.Config{})
	probe := func(address string) ports.Event {
		box := make(porttest.Mailbox, 1)
		r.network.Probe(ports.Endpoint{Store: 1, Address: address}, r.clock.Now().Add(time.Minute), ports.Tok{}, box)
		return box.Next(t)
	}
	require.Equal(t, ports.CauseNone, probe(s.address).Cause.Kind)
	s.do(func() { s.health = notServing })
	require.Equal(t, ports.CauseRejected, probe(s.address).Cause.Kind)
	s.do(func() { s.health = "" })
	require.Equal(t, ports.CauseNone, probe(s.address).Cause.Kind, "an unknown status is an answer")
	require.Equal(t, ports.CauseConnection, probe(nowhere(t)).Cause.Kind)
	require.Equal(t, ports.CauseConnection, probe("\x7f").Cause.Kind)
	requireFailed(t, r.ask("\x7f", get("k"), time.Minute), ports.EventUnsent, ports.CauseConnection)
}

// TestClosingWhileOthersSubmit: whoever is in time is answered, and whoever is not as well.
func TestClosingWhileOthersSubmit(t *testing.T) {
	s, r := newStore(t), newRig(t, grpc.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			box := make(porttest.Mailbox, 1)
			for ctx.Err() == nil {
				for _, req := range []ports.Request{get("k"), &ports.RawGetKeyTTLRequest{}} {
					to := ports.Endpoint{Store: 1, Address: s.address}
					r.network.Submit(to, &header, req, r.clock.Now().Add(time.Minute), ports.Tok{}, box)
					<-box
				}
			}
		})
	}
	for served := 0; served < 50; runtime.Gosched() {
		s.do(func() { served = s.requests })
	}
	for range 3 {
		r.network.Forget(ports.Endpoint{Store: 1, Address: s.address})
		requireAnswered(t, r.ask(s.address, get("k"), time.Minute))
	}
	r.network.Close()
	cancel()
	done.Wait()
	r.network.Close()
}

func requireAnswered(t *testing.T, ev ports.Event) {
	t.Helper()
	require.Contains(t, []ports.EventKind{ports.EventReply, ports.EventLost, ports.EventUnsent}, ev.Kind)
}
