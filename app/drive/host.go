package drive

import (
	"context"
	"time"
)

// Waiter is where the caller of one operation waits. It is used for many
// operations, one after the other.
type Waiter interface {
	// Wait returns once Wake was called after the last Wait returned, at once if it
	// was called already; and when ctx is done. It may return for no reason.
	Wait(ctx context.Context)
	// Wake may be called from any goroutine that posts events. It never blocks and
	// does not run the waiting caller.
	Wake()
}

// Host says how callers wait and who steps hosted machines. The zero Host is
// production's, also for tests in a synctest bubble and for a simulated cluster
// that runs in real time: callers block their goroutines, and hosted machines have
// a few goroutines of their own.
//
// A simulated host that owns the only running goroutine sets all fields. Its
// callers are coroutines, whose Wait yields to the host's scheduler; Wake notes
// that the coroutine may be resumed. Its contexts must end at its own instants,
// and then it resumes who waits under them. Close has to be called by a coroutine
// while operations run.
type Host struct {
	// NewWaiter makes a waiter; nil means one that blocks its goroutine. A waiter
	// belongs to whoever calls Wait at the moment, not to who made it.
	NewWaiter func() Waiter
	// Direct lets whoever posts to a hosted machine step it at once. Everything that
	// reaches the driver must then come from one goroutine (or coroutines that run
	// one at a time). A post from inside a step is queued, never nested.
	Direct bool
	// Until returns the time left until a context's deadline; nil means time.Until.
	Until func(deadline time.Time) time.Duration
	// Enter, when set, is called by everybody who begins something with the driver, before anything shared is
	// touched. A host on which goroutines come as they like holds them there, to let them go on one at a time.
	Enter func()
}

// blocking is production's waiter.
type blocking struct{ signal chan struct{} }

func newBlocking() Waiter { return blocking{make(chan struct{}, 1)} }

// Wait implements [Waiter].
func (b blocking) Wait(ctx context.Context) {
	select {
	case <-b.signal:
	case <-ctx.Done():
	}
}

// Wake implements [Waiter].
func (b blocking) Wake() {
	select {
	case b.signal <- struct{}{}:
	default:
	}
}
