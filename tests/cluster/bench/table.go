package main

import (
	"fmt"
	"io"
	"slices"
)

// median returns the median of one figure over all rounds.
func median(rounds []figures, of func(figures) float64) float64 {
	values := make([]float64, 0, len(rounds))
	for _, f := range rounds {
		values = append(values, of(f))
	}
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

func medians(rounds []figures) figures {
	return figures{
		Throughput: median(rounds, func(f figures) float64 { return f.Throughput }),
		P50:        median(rounds, func(f figures) float64 { return f.P50 }),
		CPU:        median(rounds, func(f figures) float64 { return f.CPU }),
		Allocs:     median(rounds, func(f figures) float64 { return f.Allocs }),
		Bytes:      median(rounds, func(f figures) float64 { return f.Bytes }),
	}
}

// row is the outcome of one operation at one concurrency.
type row struct {
	operation         string
	concurrency       int
	ours, peer, limit figures
}

func printTable(w io.Writer, rows []row) {
	fmt.Fprintf(w, "%-16s %-10s %10s %10s %10s %10s %10s\n",
		"operation", "", "op/s", "p50 µs", "CPU µs", "allocs", "bytes")
	for _, r := range rows {
		printFigures(w, fmt.Sprintf("%s@%d", r.operation, r.concurrency), "ours", r.ours)
		printFigures(w, "", "client-go", r.peer)
		if r.limit.Throughput > 0 {
			printFigures(w, "", "limit", r.limit)
		}
	}
}

func printFigures(w io.Writer, label, name string, f figures) {
	fmt.Fprintf(w, "%-16s %-10s %10.0f %10.0f %10.1f %10.1f %10.0f\n",
		label, name, f.Throughput, f.P50, f.CPU, f.Allocs, f.Bytes)
}

func printRatios(w io.Writer, rows []row) {
	for _, r := range rows {
		fmt.Fprintf(w, "bench: %s@%d throughput=×%.2f cpu=×%.2f allocs=%.0f/%.0f", r.operation, r.concurrency,
			r.ours.Throughput/r.peer.Throughput, r.ours.CPU/r.peer.CPU, r.ours.Allocs, r.peer.Allocs)
		if r.limit.Throughput > 0 {
			fmt.Fprintf(w, " limit-cpu=×%.2f", r.ours.CPU/r.limit.CPU)
		}
		fmt.Fprintf(w, " %s\n", verdict(r))
	}
}

// verdict compares a row with its budget.
func verdict(r row) string {
	cpu, throughput := r.ours.CPU/r.peer.CPU, r.ours.Throughput/r.peer.Throughput
	switch {
	case r.concurrency == 1:
		if r.limit.CPU == 0 {
			return "(no budget)"
		}
		return within(r.ours.CPU <= 1.15*r.limit.CPU)
	case r.operation == "snapshot-get":
		return within(r.ours.Allocs <= 20 && cpu <= 0.45 && throughput >= 1.5)
	case r.operation == "txn-put":
		return within(cpu <= 0.5 && r.ours.Allocs <= 0.5*r.peer.Allocs)
	case r.operation == "batchget-100" && r.concurrency == 32:
		return within(r.ours.Allocs <= 0.4*r.peer.Allocs)
	}
	return "(no budget)"
}

func within(ok bool) string {
	if ok {
		return "(within budget)"
	}
	return "(BUDGET MISSED)"
}
