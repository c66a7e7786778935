package grpc

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// conn is the connection to one store: what waits to be sent, and the link on which it is sent, if there is one.
//
//	no link ──submit──▶ link ──error, silence, idleness──▶ no link
//	   any ──close──▶ closed
type conn struct {
	network *Network
	to      ports.Endpoint

	mu sync.Mutex
	// work tells the writer that something is queued, or that its link is dead.
	work sync.Cond
	// urgent goes before queue.
	urgent, queue []*call
	link          *link
	closed        bool
	// failures counts connections in a row that came to nothing; until retryAt no new one is made.
	failures int
	retryAt  ports.Instant
	reason   ports.Cause
	// waiting is the instant since which there has been something to answer without a break, used that of the last
	// request or answer.
	waiting, used ports.Instant
	// alarm is the instant of the earliest alarm that is set, 0 if none is.
	alarm ports.Instant
}

// Pauses between connections that come to nothing: the first, and the greatest.
const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
)

// submit queues a call; false when the connection was closed and the endpoint must be looked up again.
func (c *conn) submit(cl *call, now ports.Instant) bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	if c.link == nil {
		if now < c.retryAt {
			cause := c.reason
			c.mu.Unlock()
			cl.fail(ports.EventUnsent, now, cause)
			return true
		}
		if !c.open() {
			c.mu.Unlock()
			return false
		}
	}
	if c.inFlight() == 0 {
		c.waiting = now
	}
	c.used = now
	if cl.urgent {
		c.urgent = append(c.urgent, cl)
	} else {
		c.queue = append(c.queue, cl)
	}
	at := min(cl.deadline, now.Add(ports.SilenceLimit))
	early := c.setAlarm(at)
	c.work.Signal()
	c.mu.Unlock()
	if early {
		c.network.clock.Arm(at, ports.Tok{}, c)
	}
	return true
}

// inFlight counts what has to be answered. The lock is held.
func (c *conn) inFlight() int {
	n := len(c.urgent) + len(c.queue)
	if c.link != nil {
		n += c.link.slots.used + c.link.alone
	}
	return n
}

// open makes a link; false after the network's Close. The lock is held.
func (c *conn) open() bool {
	l := newLink(c)
	if !c.network.start(l.run) {
		l.cancel()
		return false
	}
	c.link = l
	return true
}

// close ends the connection for good.
func (c *conn) close(cause ports.Cause) {
	c.mu.Lock()
	c.closed = true
	failed := c.drop(cause)
	c.mu.Unlock()
	postFailures(failed, c.network.clock.Now(), cause)
}

// drop ends the link, if there is one, and returns what is left without an answer: what was not sent is Unsent, what
// was is Lost. A frame that is just being sent is left to the writer, which knows in a moment. The lock is held.
func (c *conn) drop(cause ports.Cause) []failure {
	var failed []failure
	for _, list := range [][]*call{c.urgent, c.queue} {
		for _, cl := range list {
			failed = append(failed, failure{cl, ports.EventUnsent})
		}
	}
	clear(c.urgent)
	clear(c.queue)
	c.urgent, c.queue = c.urgent[:0], c.queue[:0]
	l := c.link
	if l == nil {
		return failed
	}
	c.link = nil
	l.dead, l.cause = true, cause
	l.cancel()
	l.slots.takeIf(func(cl *call) bool { return !l.sends(cl) }, func(cl *call) {
		failed = append(failed, failure{cl, ports.EventLost})
	})
	c.work.Broadcast()
	return failed
}

// fail ends a link that has failed, unless something else has ended it before, and makes the connection pause.
func (c *conn) fail(l *link, cause ports.Cause) {
	now := c.network.clock.Now()
	c.mu.Lock()
	if c.link != l {
		c.mu.Unlock()
		return
	}
	c.pause(now, l, cause)
	failed := c.drop(cause)
	c.mu.Unlock()
	postFailures(failed, now, cause)
}

// pause puts off the next link. One that has served is followed at once. The lock is held.
func (c *conn) pause(now ports.Instant, l *link, cause ports.Cause) {
	if l.served {
		c.failures = 0
		return
	}
	c.failures++
	limit := min(minPause<<min(c.failures, 10), maxPause)
	c.retryAt = now.Add(limit/2 + rand.N(limit/2))
	c.reason = cause
}
