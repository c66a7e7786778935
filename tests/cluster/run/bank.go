package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/tests/cluster/rig"
	"github.com/tikvx/tikvx/tests/cluster/suite"
	"github.com/tikvx/tikvx/tests/workload/bank"
)

// workers of the bank on real servers; as many as the baseline of client-go had.
const workers = 8

// accounts of the bank, and what each holds in the beginning.
const (
	accounts = 1000
	initial  = 100
)

func onUnistore(ctx context.Context, binaries rig.Binaries, dir string, quick bool, sum *result) error {
	say("PD and unistore")
	cluster, err := rig.StartUnistore(ctx, binaries, dir)
	if err != nil {
		return err
	}
	defer cluster.Close()
	client, err := tikvx.Open(ctx, []string{cluster.PD.Address})
	if err != nil {
		return err
	}
	defer client.Close(ctx) //nolint:errcheck // the run is over
	if err := suite.Run(ctx, client, func(name string) { say("  %s", name) }); err != nil {
		return err
	}
	length := 10 * time.Second
	if quick {
		length = 3 * time.Second
	}
	listed, enough := context.WithTimeout(ctx, length/2)
	defer enough()
	if err := runLists(listed, client, workers, sum); err != nil {
		return err
	}
	return runBank(ctx, db{client}, sum, func(*bank.Bank) error {
		say("  client-go moves money between the same accounts")
		report, err := runPeer(ctx, cluster.PD.Address, length)
		if err != nil {
			return err
		}
		sum.add("client-go", report)
		return nil
	})
}

// runBank lets the bank run while events happens, and audits.
func runBank(ctx context.Context, db bank.DB, sum *result, events func(*bank.Bank) error) error {
	b, err := bank.Open(ctx, db, bank.Config{
		Prefix: "bank", Name: "tikvx", Accounts: accounts, Workers: workers, Initial: initial, CallTimeout: 40 * time.Second,
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		b.Run(running)
	}()
	err = events(b)
	stop()
	<-finished
	if err != nil {
		return err
	}
	report, err := b.Audit(ctx)
	if err != nil {
		return err
	}
	sum.add("tikvx", report)
	sum.transfers += report.Transfers
	sum.unknown += report.Unknown
	sum.longestStall = max(sum.longestStall, report.LongestStall)
	if report.Transfers == 0 {
		return errors.New("no transfer was committed")
	}
	return nil
}

// onRaft runs the bank on a cluster of its own for each kind of broken store: those
// that were killed do not always come back, since these stores lose what they had
// not synced.
func onRaft(ctx context.Context, binaries rig.Binaries, dir string, quick bool, sum *result) error {
	say("PD and three Raft stores")
	err := onRaftCluster(ctx, binaries, filepath.Join(dir, "killed"), sum, func(f faults) error {
		if err := f.killLeader(ctx); err != nil {
			return fmt.Errorf("kill the leading store: %w", err)
		}
		if err := f.restartPD(ctx); err != nil {
			return fmt.Errorf("restart PD: %w", err)
		}
		return pause(ctx, 3*time.Second)
	})
	if err != nil || quick {
		return err
	}
	say("PD and three Raft stores, anew")
	return onRaftCluster(ctx, binaries, filepath.Join(dir, "frozen"), sum, func(f faults) error {
		if err := f.freezeLeader(ctx); err != nil {
			return fmt.Errorf("freeze the leading store: %w", err)
		}
		return nil
	})
}

func onRaftCluster(
	ctx context.Context, binaries rig.Binaries, dir string, sum *result, events func(faults) error,
) error {
	cluster, err := rig.StartRaft(ctx, binaries, dir)
	if err != nil {
		return err
	}
	defer cluster.Close()
	client, err := tikvx.Open(ctx, []string{cluster.PD.Address})
	if err != nil {
		return err
	}
	defer client.Close(ctx) //nolint:errcheck // the run is over
	// What is told of lists under the same faults is held against snapshot isolation, too.
	listed, enough := context.WithCancel(ctx)
	defer enough()
	lists := make(chan error, 1)
	own := &result{}
	go func() { lists <- runLists(listed, client, listUsers, own) }()
	err = runBank(ctx, db{client}, sum, func(b *bank.Bank) error {
		return events(faults{cluster: cluster, bank: b, sum: sum})
	})
	enough()
	err = errors.Join(err, <-lists)
	sum.wrong = append(sum.wrong, own.wrong...)
	return err
}

// listUsers append to lists beside the bank while stores break: few, as the bank's rate is measured.
const listUsers = 2

// faults breaks a cluster while a bank runs on it.
type faults struct {
	cluster *rig.Cluster
	bank    *bank.Bank
	sum     *result
}

func (f *faults) killLeader(ctx context.Context) error {
	victim := f.cluster.Stores[0]
	say("  %s leads everything and is killed", victim.Name)
	if err := f.leadAndRun(ctx, victim); err != nil {
		return err
	}
	victim.Kill()
	return f.recover(ctx, victim, time.Now())
}

// freezeFor is how long a store is frozen.
const freezeFor = 20 * time.Second

func (f *faults) freezeLeader(ctx context.Context) error {
	victim := f.cluster.Stores[0]
	say("  %s leads everything and is frozen", victim.Name)
	if err := f.leadAndRun(ctx, victim); err != nil {
		return err
	}
	frozen := time.Now()
	if err := victim.Stop(); err != nil {
		return err
	}
	if err := f.recover(ctx, victim, frozen); err != nil {
		return err
	}
	if err := pause(ctx, time.Until(frozen.Add(freezeFor))); err != nil {
		return err
	}
	if err := victim.Continue(); err != nil {
		return err
	}
	return pause(ctx, 3*time.Second)
}

func (f *faults) restartPD(ctx context.Context) error {
	say("  PD is killed and restarted")
	f.cluster.PD.Kill()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	if err := f.cluster.PD.Restart(); err != nil {
		return err
	}
	return f.cluster.AwaitPD(ctx)
}

// leadAndRun lets one store lead everything and the bank run on it for a while.
func (f *faults) leadAndRun(ctx context.Context, store *rig.Process) error {
	if err := f.cluster.LeadEverything(ctx, store); err != nil {
		return err
	}
	return pause(ctx, 3*time.Second)
}

// recover waits for the stores' own election and then for the bank's full rate,
// and records the time between the two.
func (f *faults) recover(ctx context.Context, victim *rig.Process, broken time.Time) error {
	id, err := f.cluster.StoreID(ctx, victim)
	if err != nil {
		return err
	}
	before := rate(f.bank.Committed(), broken.Add(-2*time.Second), broken)
	elected, err := f.cluster.AwaitLeadersElsewhere(ctx, id)
	if err != nil {
		return err
	}
	if err := pause(ctx, 4*time.Second); err != nil {
		return err
	}
	f.timeline(broken, elected)
	full, ok := fullRate(f.bank.Committed(), broken, before)
	if !ok {
		return errors.New("the bank did not come back to half of its rate within 4 s of the election")
	}
	after := max(full.Sub(elected), 0)
	say("  elected after %v, full rate %v later",
		elected.Sub(broken).Round(time.Millisecond), after.Round(time.Millisecond))
	f.sum.afterElection = max(f.sum.afterElection, after)
	return nil
}

// timeline says how many transfers were committed in each second since something
// broke.
func (f *faults) timeline(broken, elected time.Time) {
	commits := f.bank.Committed()
	var text strings.Builder
	for from := broken.Add(-2 * time.Second); from.Before(time.Now()); from = from.Add(time.Second) {
		fmt.Fprintf(&text, " %.0f", rate(commits, from, from.Add(time.Second))*float64(time.Second/window))
	}
	say("  committed a second, from 2 s before; elected after %v:%s", elected.Sub(broken).Round(time.Millisecond),
		text.String())
}

// window is the width in which rates are measured.
const window = 200 * time.Millisecond

// rate is the number of commits in one window, averaged over [from, to).
func rate(commits []time.Time, from, to time.Time) float64 {
	first, _ := slices.BinarySearchFunc(commits, from, time.Time.Compare)
	last, _ := slices.BinarySearchFunc(commits, to, time.Time.Compare)
	return float64(last-first) * float64(window) / float64(to.Sub(from))
}

// fullRate returns the first instant after broken from which on, for a whole second,
// at least half as many commits happened as before. Half, because a server less in
// three makes commits cheaper or dearer; a second, because in 200 ms the servers
// alone can be slow.
func fullRate(commits []time.Time, broken time.Time, before float64) (time.Time, bool) {
	if len(commits) == 0 {
		return time.Time{}, false
	}
	end := commits[len(commits)-1]
	for from := broken; !from.Add(time.Second).After(end); from = from.Add(window / 4) {
		started := rate(commits, from, from.Add(window)) >= before/2
		if started && rate(commits, from, from.Add(time.Second)) >= before/2 {
			return from, true
		}
	}
	return time.Time{}, false
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
