package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// The size of the demonstration.
const (
	demoAccounts = 1000
	demoInitial  = 100
	demoWorkers  = 16
	demoCall     = 20 * time.Second
	// demoCalm is the mean time between two disturbances: long enough that the cluster works in between.
	demoCalm = 600 * time.Millisecond
	// demoRarity divides the rates of what happens to messages. All workers share the connections of one client, so
	// that each late message holds up everybody.
	demoRarity = 20
)

func demoCommand() *cobra.Command {
	var length time.Duration
	var seed uint64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Move money on a simulated cluster in which everything goes wrong, and audit it",
		Long: "Sixteen workers move money between a thousand accounts while messages are lost and doubled, regions are\n" +
			"split and led elsewhere, stores crash and hang, and PD is stale or silent. Then the cluster is healed and\n" +
			"every answer that a worker was given is held against what the stores kept.",
		Args: words(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if length <= 0 {
				return usageError("--for must be positive")
			}
			return demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), length, seed)
		},
	}
	cmd.Flags().DurationVar(&length, "for", 5*time.Second, "time that the faults last")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "which faults happen; the order of the workers is not repeatable")
	return cmd
}

// demoKnobs are those of production, except that nobody waits half a minute for an
// answer that was lost.
func demoKnobs() sm.Knobs {
	knobs := sm.DefaultKnobs()
	knobs.RequestTimeout = 500 * time.Millisecond
	return knobs
}

// demonstration is a demo in progress.
type demonstration struct {
	bank load.Bank
	db   *tikvx.Client
	wall *sim.Wall

	mu        sync.Mutex
	history   check.History
	began     time.Time
	conflicts int
	failures  int
	last      error
	transfers atomic.Int64
	unknown   atomic.Int64
}

func demo(ctx context.Context, out, progress io.Writer, length time.Duration, seed uint64) error {
	db, wall, err := embed.Open(sim.Config{
		Chooser: sim.NewSeeded(seed, sim.AllFaults).Rarer(demoRarity), Faults: sim.AllFaults, Disturbance: demoCalm,
		Splits: [][]byte{[]byte("account/00300"), []byte("account/00700"), []byte("receipt/")},
	}, app.WithKnobs(demoKnobs()))
	if err != nil {
		return err
	}
	bank := load.Bank{Accounts: demoAccounts, Initial: demoInitial}
	d := &demonstration{bank: bank, db: db, wall: wall, began: time.Now()}
	err = d.run(ctx, out, progress, length)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoCall)
	defer cancel()
	if closed := db.Close(closing); err == nil {
		err = closed
	}
	return err
}

func (d *demonstration) run(ctx context.Context, out, progress io.Writer, length time.Duration) error {
	if err := d.bank.Setup(ctx, d.db); err != nil {
		return fmt.Errorf("open the accounts: %w", err)
	}
	running, stop := context.WithTimeout(ctx, length)
	defer stop()
	var workers sync.WaitGroup
	for w := range demoWorkers {
		workers.Go(func() { d.work(running, w) })
	}
	showProgress(running, progress, length, func() string {
		return fmt.Sprintf("%d transfers, %d unknown", d.transfers.Load(), d.unknown.Load())
	})
	d.wall.Do(func(w *sim.World) { w.Heal() })
	workers.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return d.audit(ctx, out)
}

// work moves money until ctx ends; a transfer that is under way is brought to its
// end, so that no outcome is unknown merely because the time was over.
func (d *demonstration) work(ctx context.Context, worker int) {
	random := rand.New(rand.NewPCG(uint64(worker), 1))
	for n := 0; ctx.Err() == nil; n++ {
		from, to := random.IntN(demoAccounts), random.IntN(demoAccounts-1)
		if to >= from {
			to++
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoCall)
		began := time.Since(d.began)
		t := d.bank.Transfer(call, d.db, from, to, 1+random.Uint64N(10), fmt.Sprintf("%02d/%06d", worker, n))
		cancel()
		t.Txn.Began, t.Txn.Ended = ports.Instant(began), ports.Instant(time.Since(d.began))
		d.record(t)
	}
}

func (d *demonstration) record(t load.Transfer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.history.Txns = append(d.history.Txns, t.Txn)
	d.history.Reads = append(d.history.Reads, t.Reads...)
	d.conflicts += max(t.Runs-1, 0)
	switch t.Txn.Outcome {
	case check.Committed:
		d.transfers.Add(1)
	case check.Unknown:
		d.unknown.Add(1)
	case check.Aborted:
		d.failures++
		d.last = t.Err
	}
}

// audit holds what the workers were told against the healed cluster.
func (d *demonstration) audit(ctx context.Context, out io.Writer) error {
	total, reads, err := d.settle(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	var wrong []string
	var counts sim.Counts
	d.wall.Do(func(w *sim.World) {
		counts = w.Counts()
		kept := load.Kept{World: w}
		wrong = append(wrong, check.Snapshots(append(d.history.Reads, reads...), kept)...)
		wrong = append(wrong, check.Outcomes(d.history.Txns, kept)...)
		wrong = append(wrong, check.External(d.history.Txns, kept)...)
	})
	if total != d.bank.Expected() {
		wrong = append(wrong, fmt.Sprintf("%d in the end", total))
	}
	for _, w := range wrong {
		fmt.Fprintln(out, "wrong:", w)
	}
	fmt.Fprintln(out, "faults:", counts.String())
	if missing := counts.Missing(sim.OptimisticFaults); len(missing) > 0 {
		fmt.Fprintln(out, "did not happen:", strings.Trim(fmt.Sprint(missing), "[]"))
	}
	if d.failures > 0 {
		fmt.Fprintf(out, "failed: %d transfers, the last one: %v\n", d.failures, d.last)
	}
	status := "ok"
	if len(wrong) > 0 || d.transfers.Load() == 0 {
		status = "FAILED"
	}
	fmt.Fprintf(out, "demo: %s transfers=%d conflicts=%d unknown=%d lost=%d wrong=%d total=%d expected=%d\n", status,
		d.transfers.Load(), d.conflicts, d.unknown.Load(), counts[sim.FaultRequestLost]+counts[sim.FaultReplyLost],
		len(wrong), total, d.bank.Expected())
	switch {
	case len(wrong) > 0:
		return fmt.Errorf("%d answers do not agree with what the stores kept", len(wrong))
	case status != "ok":
		return errors.New("nothing was transferred")
	}
	return nil
}

// settle reads everything, which resolves what lost transactions have left behind,
// until no lock is there to hide a version.
func (d *demonstration) settle(ctx context.Context) (total uint64, reads []check.Read, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for locks := 1; locks > 0; {
		if total, reads, err = d.bank.Total(ctx, d.db); err != nil {
			return 0, nil, err
		}
		if _, err = d.bank.Receipts(ctx, d.db); err != nil {
			return 0, nil, err
		}
		d.wall.Do(func(w *sim.World) { locks = len(w.Locks()) })
		select {
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		case <-tick.C:
		}
	}
	return total, reads, nil
}

// showProgress draws a bar until ctx ends, on terminals only.
func showProgress(ctx context.Context, w io.Writer, length time.Duration, state func() string) {
	if file, ok := w.(*os.File); !ok || !isTerminal(file) {
		<-ctx.Done()
		return
	}
	const steps = 100
	bar := progressbar.NewOptions(steps, progressbar.OptionSetWriter(w), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetWidth(40))
	tick := time.NewTicker(max(length/steps, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = bar.Finish() // a bar that cannot be drawn is no failure
			return
		case <-tick.C:
			bar.Describe(state())
			_ = bar.Add(1)
		}
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
