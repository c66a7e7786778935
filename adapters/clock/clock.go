// Package clock is the host's clock in production: [ports.Timers] on the monotonic clock of the process. One goroutine
// waits for the earliest alarm of all; an alarm costs a place in a heap and no timer of its own.
package clock

import (
	"sync"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// Clock implements [ports.Timers]. Safe for concurrent use.
type Clock struct {
	start time.Time
	kick  chan struct{}
	quit  chan struct{}
	done  chan struct{}

	mu     sync.Mutex
	alarms heap
	// asleep is the instant until which the goroutine sleeps, 0 while it is awake.
	asleep ports.Instant
	closed bool
}

var _ ports.Timers = (*Clock)(nil)

// New starts a clock.
func New() *Clock {
	c := &Clock{
		// Instants begin at one second, since the zero instant means "not set".
		start: time.Now().Add(-time.Second),
		kick:  make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go c.run()
	return c
}

// Now implements [ports.Timers].
func (c *Clock) Now() ports.Instant { return ports.Instant(time.Since(c.start)) }

// Arm implements [ports.Timers]. After Close it does nothing.
func (c *Clock) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.alarms.push(alarm{at: at, tok: tok, sink: sink})
	early := at < c.asleep
	if early {
		c.asleep = 0
	}
	c.mu.Unlock()
	if early {
		select {
		case c.kick <- struct{}{}:
		default:
		}
	}
}

// Close ends the clock's goroutine and waits for it. Alarms that have not come are dropped.
func (c *Clock) Close() {
	c.mu.Lock()
	closed := c.closed
	c.closed, c.alarms = true, nil
	c.mu.Unlock()
	if !closed {
		close(c.quit)
	}
	<-c.done
}

// never is how long the goroutine sleeps when no alarm is set.
const never = 24 * time.Hour

func (c *Clock) run() {
	defer close(c.done)
	timer := time.NewTimer(never)
	defer timer.Stop()
	var due []alarm
	for {
		var sleep time.Duration
		due, sleep = c.take(due[:0])
		for i := range due {
			due[i].sink.Post(ports.Event{Kind: ports.EventTimer, Tok: due[i].tok, Now: c.Now()})
		}
		if len(due) > 0 {
			clear(due)
			continue
		}
		timer.Reset(sleep)
		select {
		case <-timer.C:
		case <-c.kick:
		case <-c.quit:
			return
		}
	}
}

// take appends the alarms whose instant has come; when there are none, it returns the time until the next.
func (c *Clock) take(due []alarm) ([]alarm, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	for len(c.alarms) > 0 && c.alarms[0].at <= now {
		due = append(due, c.alarms.pop())
	}
	c.asleep = ports.Never
	if len(due) > 0 {
		c.asleep = 0
	} else if len(c.alarms) > 0 {
		c.asleep = min(c.alarms[0].at, now.Add(never))
		return due, c.asleep.Sub(now)
	}
	return due, never
}
