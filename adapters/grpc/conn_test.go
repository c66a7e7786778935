package grpc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// life is a connection and what a dumb model knows of it: where each call is that has no answer.
type life struct {
	conn *conn
	box  *inbox
	// links are all that the connection ever had; the last one is in use, if alive.
	links []*link
	alive bool
	calls uint32
	// queued calls wait; those of a link are in the frame that it hands over just now, or handed over.
	queued        []uint32
	handing, gone map[*link][]uint32
	answers       map[uint32]ports.EventKind
}

func (l *life) answer(kind ports.EventKind, calls []uint32) {
	for _, gen := range calls {
		l.answers[gen] = kind
	}
}

// connect gives the connection a link whose stream the test writes itself.
func (l *life) connect(*rapid.T) {
	if !l.alive {
		l.conn.link = newLink(l.conn)
		l.links, l.alive = append(l.links, l.conn.link), true
	}
}

func (l *life) submit(t *rapid.T) {
	if !l.alive {
		return
	}
	l.calls++
	require.True(t, l.conn.submit(l.conn.network.testCall(l.calls, l.box, 1), 1000))
	l.queued = append(l.queued, l.calls)
}

// hand lets the link in use take a frame, and be busy with handing it to gRPC.
func (l *life) hand(t *rapid.T) {
	if !l.alive || len(l.queued) == 0 {
		return
	}
	now := l.conn.link
	if len(l.handing[now]) > 0 {
		return
	}
	frame, _ := now.take()
	require.NotNil(t, frame.data)
	l.handing[now], l.queued = l.queued, nil
}

// handed lets a link, dead or alive, hear that gRPC has taken its frame.
func (l *life) handed(t *rapid.T) {
	if len(l.links) == 0 {
		return
	}
	some := rapid.SampledFrom(l.links).Draw(t, "link")
	some.sent()
	if l.alive && some == l.conn.link {
		l.gone[some] = append(l.gone[some], l.handing[some]...)
	} else {
		l.answer(ports.EventLost, l.handing[some])
	}
	delete(l.handing, some)
}

// fail lets a link report that it has failed; those that have failed already do so once more.
func (l *life) fail(t *rapid.T) {
	if len(l.links) == 0 {
		return
	}
	some := rapid.SampledFrom(l.links).Draw(t, "link")
	now := l.links[len(l.links)-1]
	l.conn.fail(some, brokenStream)
	if l.alive && some == now {
		l.alive = false
		l.answer(ports.EventUnsent, l.queued)
		l.answer(ports.EventLost, l.gone[some])
		l.queued = nil
	}
}

func (l *life) check(t *rapid.T) {
	require.Equal(t, l.alive, l.conn.link != nil)
	seen := map[uint32]ports.EventKind{}
	for _, ev := range l.box.events {
		require.NotContains(t, seen, ev.Tok.Gen, "answered twice")
		seen[ev.Tok.Gen] = ev.Kind
	}
	require.Equal(t, l.answers, seen)
}

// TestLivesOfAConnection holds a connection whose links fail, in any order and more than once, against a model.
func TestLivesOfAConnection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := New(Config{ClusterID: 1, Clock: stillClock{}})
		defer n.Close()
		l := &life{
			conn: n.conn(ports.Endpoint{Store: 1, Address: "nowhere"}), box: &inbox{},
			handing: map[*link][]uint32{}, gone: map[*link][]uint32{}, answers: map[uint32]ports.EventKind{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"connect": l.connect, "submit": l.submit, "hand": l.hand, "handed": l.handed, "fail": l.fail, "": l.check,
		})
	})
}
