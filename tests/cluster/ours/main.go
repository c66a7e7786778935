// Command ours measures this library for the comparison of tests/cluster/bench;
// the protocol is that of tests/workload/measure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/tests/workload/measure"
)

func main() {
	pd := flag.String("pd", "127.0.0.1:2379", "PD endpoint")
	profile := flag.String("cpuprofile", "", "write a CPU profile of everything to this file")
	flag.Parse()
	if err := serve(*pd, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "ours:", err)
		os.Exit(1)
	}
}

func serve(pd, profile string) error {
	ctx := context.Background()
	open, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	db, err := tikvx.Open(open, []string{pd})
	if err != nil {
		return err
	}
	defer db.Close(ctx) //nolint:errcheck // the process ends
	stop, err := startProfile(profile)
	if err != nil {
		return err
	}
	defer stop()
	return measure.Serve(ctx, measure.Program{
		Load: func(ctx context.Context) error { return load(ctx, db) },
		Prepare: func(ctx context.Context, name string) (measure.Operation, error) {
			return prepare(ctx, db, name)
		},
	}, os.Stdin, os.Stdout)
}
