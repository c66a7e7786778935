package embed

import (
	"context"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
)

// Context returns a context for calls of the present task, which ends after d of
// virtual time, or when cancel is called.
func Context(w *sim.World, d time.Duration) (ctx context.Context, cancel context.CancelFunc) {
	c := &virtual{task: w.Current(), deadline: clockTime(w.Now().Add(d)), done: make(chan struct{})}
	w.After(w.Now().Add(d), func() { c.end(context.DeadlineExceeded) })
	return c, func() { c.end(context.Canceled) }
}

// virtual is a context that ends at an instant of a world.
type virtual struct {
	task     *sim.Task
	deadline time.Time
	done     chan struct{}
	err      error
}

func (c *virtual) end(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	if c.task != nil {
		c.task.Unpark()
	}
}

// Deadline implements [context.Context].
func (c *virtual) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements [context.Context].
func (c *virtual) Done() <-chan struct{} { return c.done }

// Err implements [context.Context].
func (c *virtual) Err() error { return c.err }

// Value implements [context.Context].
func (c *virtual) Value(any) any { return nil }
