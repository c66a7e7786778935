// Command bench compares this library with client-go and with a hand-written loop
// that has no client logic at all, in one run, on the same servers.
//
// Each program is a process of its own that reads commands from its standard
// input; the rounds are interleaved (ours, peer, limit, ours, …), so that a
// machine that gets slower or faster on the way treats all of them alike, and
// medians are compared. Budgets are in docs/DESIGN.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	rounds := flag.Int("rounds", 5, "interleaved rounds of which the median counts")
	seconds := flag.Float64("seconds", 2, "measured seconds of each program in each round")
	pd := flag.String("pd", "", "PD endpoint of a running cluster; empty starts PD and unistore")
	only := flag.String("only", "", "measure this operation only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, options{rounds: *rounds, seconds: *seconds, pd: *pd, only: *only}); err != nil {
		fmt.Fprintln(os.Stderr, "bench: failed:", err)
		stop()
		os.Exit(1)
	}
}
