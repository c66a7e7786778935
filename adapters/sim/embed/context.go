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
	after    []*afterFunc
}

// afterFunc is something that is called when a context has ended.
type afterFunc struct {
	f       func()
	stopped bool
}

func (c *virtual) end(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	for _, a := range c.after {
		if !a.stopped {
			a.stopped = true
			a.f()
		}
	}
	if c.task != nil {
		c.task.Unpark()
	}
}

// AfterFunc lets contexts that are derived from this one end with it at once, where
// package context would otherwise start a goroutine for each.
func (c *virtual) AfterFunc(f func()) (stop func() bool) {
	a := &afterFunc{f: f}
	if c.err != nil {
		a.stopped = true
		f()
	} else {
		c.after = append(c.after, a)
	}
	return func() bool {
		stopped := !a.stopped
		a.stopped = true
		return stopped
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
