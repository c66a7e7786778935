package embed

import (
	"context"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/ports"
)

// Tasks opens a client that only the tasks of a world use, with contexts made by
// [Context]. Everything that it does is decided by the world's chooser and by seed.
// Broken invariants panic.
func Tasks(w *sim.World, name string, seed uint64, opts ...app.ClientOption) (*app.Client, *sim.Client, error) {
	process := w.Client(name)
	host := drive.Host{
		NewWaiter: func() drive.Waiter { return &waiter{world: w} },
		Direct:    true,
		Until:     func(deadline time.Time) time.Duration { return deadline.Sub(clockTime(w.Now())) },
	}
	own := []app.ClientOption{app.WithHost(host), app.WithSeed(seed), app.WithPanics()}
	db, err := app.New(app.Ports{
		Network: process, Oracle: process, Placement: process, Timers: process, Close: process.Close,
	}, append(own, opts...)...)
	return db, process, err
}

// waiter suspends the task that waits.
type waiter struct {
	world *sim.World
	task  *sim.Task
	woken bool
}

// Wait implements [drive.Waiter].
func (w *waiter) Wait(ctx context.Context) {
	if !w.woken && ctx.Err() == nil {
		w.task = w.world.Current()
		w.task.Park()
		w.task = nil
	}
	w.woken = false
}

// Wake implements [drive.Waiter].
func (w *waiter) Wake() {
	w.woken = true
	if w.task != nil {
		w.task.Unpark()
	}
}

// clockTime is what a world's instant is in contexts; only differences matter.
func clockTime(at ports.Instant) time.Time { return time.Unix(0, int64(at)).UTC() }
