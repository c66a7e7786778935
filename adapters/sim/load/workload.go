package load

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/app"
)

// Workload is something that several clients do at the same time. All methods are
// called by tasks of one world.
type Workload interface {
	// Name is what reports call the workload.
	Name() string
	// RawKeys says that the workload uses raw keys.
	RawKeys() bool
	// Splits are bounds between regions that cut the workload's keys apart.
	Splits() [][]byte
	// Setup prepares the data; it may be called again when it failed.
	Setup(ctx context.Context, db *app.Client) error
	// Step does one thing and keeps what it was told. It returns an error that has no place in a healthy cluster.
	Step(t *Task) error
	// Txns returns all transactions that have ended.
	Txns() []check.Txn
	// Settle reads everything that was written, which makes the client resolve what
	// others have left behind. The cluster is healed and nobody else uses it.
	Settle(ctx context.Context, db *app.Client) error
	// Check holds what was told against what was kept, once no lock is left.
	Check(store check.Store) []string
	// Done returns how many transactions (or writes) were reported as done.
	Done() Tally
}

// Tally counts what was reported.
type Tally struct {
	Committed, Aborted, Unknown int
}

// count adds an error's outcome.
func (t *Tally) count(o app.Outcome) {
	switch o {
	case app.Committed:
		t.Committed++
	case app.Aborted:
		t.Aborted++
	case app.Unknown:
		t.Unknown++
	}
}

// CallTimeout bounds every call of a workload.
const CallTimeout = 20 * time.Second

// Task is a user of a client: one task of the world.
type Task struct {
	World *sim.World
	DB    *app.Client
	// Name is unique in the world: what the task writes is told by it.
	Name string
	// Patient: no call is given up before CallTimeout.
	Patient bool
	steps   int
}

// choose decides something of the workload, below n.
func (t *Task) choose(n int) int { return t.World.Choose(sim.SiteWorkload, n) }

// unique returns a text that nobody else in the world returns.
func (t *Task) unique() string {
	t.steps++
	return t.Name + "/" + strconv.Itoa(t.steps)
}

func (t *Task) context() (context.Context, context.CancelFunc) {
	limit := CallTimeout
	if !t.Patient && t.choose(4) == 0 {
		// In the middle of whatever the client does.
		limit = time.Duration(1+t.choose(64)) * time.Millisecond << t.choose(6) / 16
	}
	return embed.Context(t.World, limit)
}

// outcome translates what the client says for checkers.
func outcome(o app.Outcome) check.Outcome {
	switch o {
	case app.Committed:
		return check.Committed
	case app.Aborted:
		return check.Aborted
	case app.Unknown:
		return check.Unknown
	}
	return check.Unknown
}

// once runs a transaction once: a conflict is an answer like another.
func once(ctx context.Context, db *app.Client, fn func(context.Context, *app.Txn) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	if err := fn(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	_, err = tx.Commit(ctx)
	return err
}

// unhealthy returns an error unless it is one that can happen in a healthy cluster: somebody else was faster.
func unhealthy(err error) error {
	if errors.Is(err, app.ErrConflict) || errors.Is(err, app.ErrKeyExists) {
		return nil
	}
	return err
}

// note is the text of an error, empty for none.
func note(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
