package sim

import (
	"github.com/tikvx/tikvx/ports"
)

// World is a simulated cluster with everything in it. One goroutine owns it: nothing of it is safe for concurrent use,
// except through [Wall].
type World struct {
	config Config
	now    ports.Instant
	counts Counts
	hash   uint64
}

// New makes a cluster: stores are up, regions have leaders, PD knows them.
func New(config Config) (*World, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	return &World{config: config}, nil
}

// Now returns the present instant; it starts above 0.
func (w *World) Now() ports.Instant { return w.now }

// Step lets the next event happen and reports whether there was one.
func (w *World) Step() bool { return false }

// Next returns the instant of the next event, [ports.Never] when there is none.
func (w *World) Next() ports.Instant { return ports.Never }

// Run steps until done reports true, at most until the given instant, and returns what done said last.
func (w *World) Run(until ports.Instant, done func() bool) bool { return false }

// After calls f at the given instant, as an event of its own.
func (w *World) After(at ports.Instant, f func()) {}

// Choose asks the world's chooser, for workloads that belong to the run.
func (w *World) Choose(site Site, n int) int { return 0 }

// Heal ends all faults: stores and PD are up, connections can be made, and nothing goes wrong any more. Messages that
// are on their way, late duplicates included, still arrive.
func (w *World) Heal() {}

// Healed reports whether Heal was called.
func (w *World) Healed() bool { return false }

// Counts returns how often each fault has happened.
func (w *World) Counts() Counts { return w.counts }

// Hash returns the running hash over everything that happened. Two runs with equal hashes were the same run.
func (w *World) Hash() uint64 { return w.hash }

// Events returns the number of events that happened.
func (w *World) Events() uint64 { return 0 }

// Ambiguous reports whether a request that could decide the commit of a transaction was answered with Lost, or with a
// fault after which it may be applied.
func (w *World) Ambiguous(start ports.Timestamp) bool { return false }

// Close ends all tasks.
func (w *World) Close() {}
