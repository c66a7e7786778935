package run

import (
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/app"
)

// opened is a client with its process.
type opened struct {
	db      *app.Client
	process *sim.Client
}

// close closes every client that has not crashed. Each must end, in time, and leave nothing behind: no call and no
// question that waits for an answer.
func (r *simulation) close() {
	left := 0
	for _, o := range r.opened {
		if o.process.Crashed() {
			continue
		}
		left++
		r.world.Go(o.process.Name()+".close", func(*sim.Task) {
			ctx, cancel := embed.Context(r.world, audit)
			defer cancel()
			if err := o.db.Close(ctx); err != nil {
				r.wrong("closing %s failed: %v", o.process.Name(), err)
			}
			left--
		})
	}
	if !r.until(r.world.Now().Add(2*audit), func() bool { return left == 0 }) && left > 0 {
		r.wrong("%d clients cannot be closed", left)
	}
	// What was in flight is answered as events of their own.
	r.until(r.world.Now().Add(audit), func() bool { return r.pending() == 0 })
	if n := r.pending(); n > 0 {
		r.wrong("%d calls of closed clients have no answer", n)
	}
}

// pending returns how many calls of closed clients have no answer.
func (r *simulation) pending() int {
	n := 0
	for _, o := range r.opened {
		if !o.process.Crashed() {
			n += o.process.Pending()
		}
	}
	return n
}
