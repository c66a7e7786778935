// Command run proves the client against real servers: the end-to-end suite and the
// bank on PD with unistore, then the bank on PD with three Raft stores while the
// leading store is killed, another is frozen for a while, and PD is restarted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/tikvx/tikvx/tests/cluster/rig"
	"github.com/tikvx/tikvx/tests/workload/bank"
)

func main() {
	quick := flag.Bool("quick", os.Getenv("QUICK") == "1", "shorter runs, and no frozen store")
	keep := flag.Bool("keep", false, "keep data and logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	result, err := run(ctx, *quick, *keep)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster: failed:", err)
		os.Exit(1) //nolint:gocritic // the children die with this process
	}
	for _, w := range result.wrong {
		fmt.Fprintln(os.Stderr, "wrong:", w)
	}
	status := "ok"
	if len(result.wrong) > 0 {
		status = "failed"
	}
	fmt.Printf("cluster: %s transfers=%d unknown=%d wrong=%d longest_stall=%v after_election=%v\n", status,
		result.transfers, result.unknown, len(result.wrong),
		result.longestStall.Round(time.Millisecond), result.afterElection.Round(time.Millisecond))
	if status != "ok" {
		os.Exit(1)
	}
}

// result adds the runs up.
type result struct {
	transfers, unknown int
	wrong              []string
	longestStall       time.Duration
	afterElection      time.Duration
}

// add says how a bank ended; what is wrong with either client's counts.
func (r *result) add(name string, report bank.Report) {
	say("  %s: %d committed, %d aborted, %d unknown, %d wrong, longest stall %v", name, report.Transfers,
		report.Aborted, report.Unknown, len(report.Wrong), report.LongestStall.Round(time.Millisecond))
	for _, w := range report.Wrong {
		r.wrong = append(r.wrong, name+": "+w)
	}
}

func run(ctx context.Context, quick, keep bool) (result, error) {
	var sum result
	root, err := rig.Root()
	if err != nil {
		return sum, err
	}
	say("building servers")
	binaries, err := rig.Build(ctx, root)
	if err != nil {
		return sum, err
	}
	dir, err := os.MkdirTemp("", "tikvx-cluster-")
	if err != nil {
		return sum, err
	}
	if keep {
		say("data and logs are kept in %s", dir)
	} else {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	}
	if err := onUnistore(ctx, binaries, filepath.Join(dir, "unistore"), quick, &sum); err != nil {
		return sum, fmt.Errorf("PD and unistore: %w", err)
	}
	if err := onRaft(ctx, binaries, filepath.Join(dir, "raft"), quick, &sum); err != nil {
		return sum, fmt.Errorf("PD and three Raft stores: %w", err)
	}
	return sum, nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", args...) }
