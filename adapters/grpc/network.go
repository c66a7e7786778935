package grpc

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// Config says which cluster is reached, and how.
type Config struct {
	// ClusterID travels with every request; TiKV refuses that of another cluster. It comes from PD.
	ClusterID uint64
	// CA, Cert and Key are paths of PEM files: what stores' certificates are verified with, and what the client shows.
	// An empty CA means no TLS, an empty Cert no certificate of the client. The files are read at each handshake, so
	// that certificates can be renewed while the client runs.
	CA, Cert, Key string
	// Clock is the host's clock, on which deadlines are given. Required. It may post from any goroutine.
	Clock ports.Timers
	// IdleTimeout is how long a connection without requests is kept; 0 means a minute.
	IdleTimeout time.Duration
}

// Network implements [ports.Network]. Safe for concurrent use.
type Network struct {
	cluster uint64
	clock   ports.Timers
	idle    time.Duration
	options []grpc.DialOption
	// life ends with Close; every goroutine is counted in goroutines.
	life       context.Context
	end        context.CancelFunc
	goroutines sync.WaitGroup

	mu     sync.RWMutex
	conns  map[ports.Endpoint]*conn
	facts  ports.Sink
	closed bool

	encoders sync.Pool
	calls    sync.Pool
	frames   framePool
}

var _ ports.Network = (*Network)(nil)

// New returns a network without connections.
func New(cfg Config) *Network {
	n := &Network{
		cluster: cfg.ClusterID, clock: cfg.Clock, idle: cfg.IdleTimeout, options: dialOptions(cfg),
		conns: map[ports.Endpoint]*conn{},
	}
	if n.idle <= 0 {
		n.idle = time.Minute
	}
	n.life, n.end = context.WithCancel(context.Background())
	n.encoders.New = func() any { return new(wire.Encoder) }
	n.calls.New = func() any { return &call{network: n} }
	n.frames.New = func() any { return new([]byte) }
	return n
}

// Submit implements [ports.Network].
func (n *Network) Submit(
	to ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant, tok ports.Tok, sink ports.Sink,
) {
	now := n.clock.Now()
	if deadline <= now {
		sink.Post(unanswered(ports.EventUnsent, tok, now, deadlinePassed))
		return
	}
	c := n.calls.Get().(*call)
	c.verb, c.tok, c.sink, c.deadline = req.Verb(), tok, sink, deadline
	c.urgent = hdr.Priority == ports.PriorityHigh
	encoder := n.encoders.Get().(*wire.Encoder)
	c.body = encoder.Append(c.body[:0], n.cluster, hdr, req)
	n.encoders.Put(encoder)
	for {
		conn := n.conn(to)
		if conn == nil {
			c.fail(ports.EventUnsent, now, networkClosed)
			return
		}
		if conn.submit(c, now) {
			return
		}
	}
}

// conn returns the connection to an endpoint, nil after Close.
func (n *Network) conn(to ports.Endpoint) *conn {
	n.mu.RLock()
	c, closed := n.conns[to], n.closed
	n.mu.RUnlock()
	if c != nil || closed {
		return c
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	if c = n.conns[to]; c == nil {
		c = &conn{network: n, to: to}
		c.work.L = &c.mu
		n.conns[to] = c
	}
	return c
}

// Watch implements [ports.Network].
func (n *Network) Watch(sink ports.Sink) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.facts = sink
}

// learn posts a fact that no operation asked for.
func (n *Network) learn(fact *ports.Fact) {
	n.mu.RLock()
	sink := n.facts
	n.mu.RUnlock()
	if sink != nil {
		sink.Post(ports.Event{Kind: ports.EventLearn, Now: n.clock.Now(), Fact: fact})
	}
}

// Forget implements [ports.Network].
func (n *Network) Forget(to ports.Endpoint) {
	n.mu.Lock()
	c := n.conns[to]
	delete(n.conns, to)
	n.mu.Unlock()
	if c != nil {
		c.close(storeMoved)
	}
}

// Close answers everything that is under way, closes all connections and waits until every goroutine has ended.
func (n *Network) Close() {
	n.mu.Lock()
	conns := n.conns
	n.conns, n.closed = nil, true
	n.mu.Unlock()
	for _, c := range conns {
		c.close(networkClosed)
	}
	n.end()
	n.goroutines.Wait()
}

// start runs a goroutine that Close waits for; false after Close.
func (n *Network) start(f func()) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return false
	}
	n.goroutines.Go(f)
	return true
}
