package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tikvx/tikvx/tests/cluster/rig"
)

type options struct {
	rounds  int
	seconds float64
	pd      string
	only    string
}

// operations are what is compared, and concurrencies how many calls are in flight.
var (
	operations    = []string{"snapshot-get", "txn-get", "txn-put", "batchget-100"}
	concurrencies = []int{1, 32, 256}
)

// limitOf names the operation that the hand-written loop knows.
const limitOf = "snapshot-get"

func compare(ctx context.Context, o options) error {
	root, err := rig.Root()
	if err != nil {
		return err
	}
	if o.pd == "" {
		fmt.Fprintln(os.Stderr, "bench: building servers …")
		binaries, err := rig.Build(ctx, root)
		if err != nil {
			return err
		}
		dir, err := os.MkdirTemp("", "tikvx-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
		cluster, err := rig.StartUnistore(ctx, binaries, dir)
		if err != nil {
			return err
		}
		defer cluster.Close()
		o.pd = cluster.PD.Address
	}
	programs, err := startPrograms(ctx, root, o.pd)
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range programs {
			p.stop()
		}
	}()
	var loaded map[string]int
	if err := programs[0].command("load", &loaded); err != nil {
		return err
	}
	rows, err := measureAll(programs, o)
	if err != nil {
		return err
	}
	printTable(os.Stdout, rows)
	printRatios(os.Stdout, rows)
	return nil
}

// startPrograms builds and starts ours, the peer and the limit, in this order.
func startPrograms(ctx context.Context, root, pd string) ([]*program, error) {
	out := filepath.Join(root, "out")
	builds := []struct{ name, dir, pkg string }{
		{"ours", filepath.Join(root, "tests", "cluster"), "./ours"},
		{"client-go", filepath.Join(root, "tests", "peer"), "./bench"},
		{"limit", filepath.Join(root, "tests", "peer"), "./limit"},
	}
	var programs []*program
	for _, b := range builds {
		binary := filepath.Join(out, "bench-"+b.name)
		if err := rig.BuildProgram(ctx, b.dir, binary, b.pkg); err != nil {
			return programs, err
		}
		p, err := start(ctx, b.name, binary, "-pd", pd)
		if err != nil {
			return programs, err
		}
		programs = append(programs, p)
	}
	return programs, nil
}

func measureAll(programs []*program, o options) ([]row, error) {
	var rows []row
	for _, operation := range operations {
		if o.only != "" && o.only != operation {
			continue
		}
		for _, concurrency := range concurrencies {
			measured := make([][]figures, len(programs))
			for round := range o.rounds {
				fmt.Fprintf(os.Stderr, "\rbench: %s@%d round %d of %d   ", operation, concurrency, round+1, o.rounds)
				for i, p := range programs {
					if p.name == "limit" && operation != limitOf {
						continue
					}
					f, err := p.run(operation, concurrency, o.seconds)
					if err != nil {
						return nil, err
					}
					measured[i] = append(measured[i], f)
				}
			}
			rows = append(rows, row{
				operation: operation, concurrency: concurrency,
				ours: medians(measured[0]), peer: medians(measured[1]), limit: medians(measured[2]),
			})
		}
	}
	fmt.Fprintln(os.Stderr)
	return rows, nil
}
