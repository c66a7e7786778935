package run

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// messages are the sites at which it is decided what becomes of a message, losses what that can be.
var messages = []sim.Site{sim.SiteRequestLost, sim.SiteReplyLost, sim.SiteDuplicate}

var losses = sim.FaultsOf(sim.FaultRequestLost, sim.FaultReplyLost, sim.FaultDuplicate, sim.FaultLateDuplicate)

// transfer is a tiny run: a bank of two accounts in two regions, one transfer between them, and the audit. The chooser
// decides the transfer alone. heard is what the bank makes of the client's answer.
func transfer(t require.TestingT, c sim.Chooser, heard func(error) check.Outcome) []string {
	during := false
	bank := load.Bank{Accounts: 2, Initial: 100}
	w, err := sim.New(sim.Config{
		Chooser: sim.ChooserFunc(func(site sim.Site, n int) int {
			if !during {
				return 0
			}
			return c.Choose(site, n)
		}),
		Faults: losses, Splits: [][]byte{[]byte("account/00001")},
	})
	require.NoError(t, err)
	defer w.Close()
	db, process, err := embed.Tasks(w, "bank", 1)
	require.NoError(t, err)
	o, h := observe(w), check.History{}
	var wrong []string
	within := func(f func(ctx context.Context)) {
		ctx, cancel := embed.Context(w, time.Minute)
		defer cancel()
		f(ctx)
	}
	w.Go("bank", func(task *sim.Task) {
		within(func(ctx context.Context) { require.NoError(t, bank.Setup(ctx, db)) })
		began := w.Now()
		var done load.Transfer
		during = true
		within(func(ctx context.Context) { done = bank.Transfer(ctx, db, 0, 1, 10, "first") })
		during = false
		w.Heal()
		done.Txn.Began, done.Txn.Ended, done.Txn.Outcome = began, w.Now(), heard(done.Err)
		h.Txns, h.Reads = []check.Txn{done.Txn}, done.Reads
		task.Sleep(2 * time.Second) // what comes late, comes
		for again := true; again; again = len(w.Locks()) > 0 {
			within(func(ctx context.Context) {
				total, reads, err := bank.Total(ctx, db)
				if err != nil || total != bank.Expected() {
					wrong = append(wrong, fmt.Sprintf("the audit finds %d: %v", total, err))
				}
				h.Reads = append(h.Reads, reads...)
				_, err = bank.Receipts(ctx, db)
				require.NoError(t, err)
			})
			task.Sleep(time.Second) // what readers resolve, they resolve behind their backs
		}
		within(func(ctx context.Context) { require.NoError(t, db.Close(ctx)) })
	})
	w.Run(ports.Never, nil)
	require.Zero(t, process.Pending())
	keys := []string{"account/00000", "account/00001"}
	return slices.Concat(wrong, o.invariants.Wrong(), o.invariants.AtRest(), h.Wrong(keys, load.Kept{World: w}))
}

// honest takes the client's answer for what it is; rash takes whatever is no success for a failure.
func honest(err error) check.Outcome {
	return map[app.Outcome]check.Outcome{
		app.Committed: check.Committed, app.Aborted: check.Aborted, app.Unknown: check.Unknown,
	}[app.OutcomeOf(err)]
}

func rash(err error) check.Outcome {
	if err == nil {
		return check.Committed
	}
	return check.Aborted
}

// TestTransferExhaustively runs the transfer with any three of its messages lost or doubled.
func TestTransferExhaustively(t *testing.T) {
	every := sim.NewExhaustive(sim.Bounds{
		Sites: messages, Depth: 100, Most: 3,
	})
	runs := 0
	for more := true; more; more = every.Next() {
		runs++
		require.Empty(t, transfer(t, every, honest), "run %d", runs)
	}
	require.Greater(t, runs, 1000)
}

// TestTransferDrawn lets a property choose the losses, and shows that what it finds shrinks: a bank that does not tell
// unknown from failed is caught with hardly more messages lost than it takes, since the client makes up for one.
func TestTransferDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { require.Empty(t, transfer(t, chooserOf(plan(t)), honest)) })
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.seed": "1", "rapid.checks": "5000"} {
		usual := flag.Lookup(name).Value.String()
		require.NoError(t, flag.Set(name, value))
		defer flag.Set(name, usual) //nolint:errcheck // it was a value
	}
	var failed map[int]int
	failing := &quiet{TB: t}
	rapid.Check(failing, func(t *rapid.T) {
		p := plan(t)
		if len(transfer(t, chooserOf(p), rash)) > 0 {
			failed = p
			t.FailNow()
		}
	})
	require.True(t, failing.failed)
	require.LessOrEqual(t, len(failed), 4, failed)
}

// plan draws what becomes of some of the messages: the place of a decision, and what is chosen there.
func plan(t *rapid.T) map[int]int {
	return rapid.MapOfN(rapid.IntRange(0, 60), rapid.IntRange(1, 2), 0, 8).Draw(t, "plan")
}

func chooserOf(plan map[int]int) sim.Chooser {
	asked := 0
	return sim.ChooserFunc(func(site sim.Site, n int) int {
		if !slices.Contains(messages, site) {
			return 0
		}
		asked++
		return min(plan[asked-1], n-1)
	})
}

// quiet is a test that must fail.
type quiet struct {
	rapid.TB
	failed bool
}

func (q *quiet) Errorf(string, ...any) { q.failed = true }
func (q *quiet) Error(...any)          { q.failed = true }
func (q *quiet) Fatalf(string, ...any) { q.failed = true }
func (q *quiet) Fatal(...any)          { q.failed = true }
func (q *quiet) FailNow()              { q.failed = true }
func (q *quiet) Fail()                 { q.failed = true }
func (q *quiet) Failed() bool          { return q.failed }
func (q *quiet) Logf(string, ...any)   {}
func (q *quiet) Log(...any)            {}
