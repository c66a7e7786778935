package grpc

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// grain is the least time between two looks at a connection's deadlines.
const grain = 5 * time.Millisecond

// setAlarm reports whether an alarm must be armed, because those that are set go off too late. The lock is held; the
// clock is called without it.
func (c *conn) setAlarm(at ports.Instant) bool {
	if c.alarm != 0 && c.alarm <= at {
		return false
	}
	c.alarm = at
	return true
}

// Post implements [ports.Sink] for the connection's alarms.
func (c *conn) Post(ev ports.Event) {
	now := ev.Now
	c.mu.Lock()
	if c.alarm <= now {
		c.alarm = 0
	}
	if c.closed {
		c.mu.Unlock()
		return
	}
	failed, next := c.expire(now)
	doubted, due := c.doubt(now)
	if c.idleSince(now) {
		c.drop(ports.Cause{})
	}
	next = max(min(next, due), now.Add(grain))
	early := next < ports.Never && c.setAlarm(next)
	c.mu.Unlock()
	postFailures(failed, now, deadlinePassed)
	if early {
		c.network.clock.Arm(next, ports.Tok{}, c)
	}
	if doubted != nil {
		c.network.start(func() { c.ask(doubted, now) })
	}
}

// expire takes out the calls whose deadlines have passed, and returns the earliest deadline of the others. The lock is
// held.
func (c *conn) expire(now ports.Instant) (failed []failure, next ports.Instant) {
	next = ports.Never
	late := func(cl *call) bool {
		if cl.deadline <= now {
			return true
		}
		next = min(next, cl.deadline)
		return false
	}
	for _, queue := range []*[]*call{&c.urgent, &c.queue} {
		*queue = slices.DeleteFunc(*queue, func(cl *call) bool {
			if !late(cl) {
				return false
			}
			failed = append(failed, failure{cl, ports.EventUnsent})
			return true
		})
	}
	if c.link != nil {
		c.link.slots.takeIf(late, func(cl *call) { failed = append(failed, failure{cl, ports.EventLost}) })
	}
	return failed, next
}

// doubt returns the link if the store has been silent for too long while requests waited, and when it will have to be
// looked at again. The lock is held.
func (c *conn) doubt(now ports.Instant) (doubted *link, due ports.Instant) {
	l := c.link
	switch {
	case l == nil:
		return nil, ports.Never
	case c.inFlight() == 0:
		return nil, c.used.Add(c.network.idle)
	case l.probing:
		return nil, ports.Never
	}
	due = max(c.waiting, l.heard).Add(ports.SilenceLimit)
	if now < due {
		return nil, due
	}
	l.probing = true
	return l, ports.Never
}

// idleSince reports whether nobody has used the link for long. The lock is held.
func (c *conn) idleSince(now ports.Instant) bool {
	return c.link != nil && c.inFlight() == 0 && now >= c.used.Add(c.network.idle)
}

// ask probes a store that is silent, and gives up what is in flight if it does not answer. A store that says that it
// does not serve has answered.
func (c *conn) ask(l *link, since ports.Instant) {
	cause := c.network.probe(c.to, since.Add(ports.SilenceLimit))
	now := c.network.clock.Now()
	c.mu.Lock()
	if c.link != l {
		c.mu.Unlock()
		return
	}
	l.probing = false
	if alive := cause.Kind == ports.CauseNone || cause.Kind == ports.CauseRejected; alive {
		l.heard = max(l.heard, now)
	}
	var failed []failure
	at := now.Add(ports.SilenceLimit)
	if l.heard < since && c.inFlight() > 0 {
		failed = c.drop(storeHung)
		at = ports.Never
	}
	early := at < ports.Never && c.setAlarm(at)
	c.mu.Unlock()
	postFailures(failed, now, storeHung)
	if early {
		c.network.clock.Arm(at, ports.Tok{}, c)
	}
}
