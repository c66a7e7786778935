// Command simrun runs workloads on the simulated cluster, one seed after the other,
// with every fault, and holds what the clients were told against what the stores
// kept. A failing seed is printed, and run again with its trace.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/tests/simrun/run"
)

func main() {
	seeds := flag.Int("seeds", 200, "number of seeds, counted from -first")
	first := flag.Uint64("first", 1, "first seed")
	replay := flag.String("replay", "", "run this seed alone and print its trace")
	triples := flag.String("triples", "", "write the triples that were reached to this file")
	twice := flag.Bool("check", false, "run each seed twice and stop at the first decision that differs")
	flag.Parse()
	if *twice {
		runTwice(*first, *seeds)
		return
	}
	if *replay != "" {
		seed, err := strconv.ParseUint(*replay, 0, 64)
		if err != nil {
			fail("seed %q: %v", *replay, err)
		}
		replaySeed(seed)
		return
	}
	runSeeds(*first, *seeds, *triples)
}

// replaySeed prints a run as it goes; the trace goes to standard output.
func replaySeed(seed uint64) {
	report := run.Seed(seed, os.Stdout)
	fmt.Fprintf(os.Stderr, "sim: seed=%d %s\n", seed, report.Dealt)
	for _, w := range report.Wrong {
		fmt.Fprintln(os.Stderr, "wrong:", w)
	}
	fmt.Printf("replay: seed=%d workload=%s events=%d hash=%016x wrong=%d\n", seed, report.Workload, report.Events,
		report.Hash, len(report.Wrong))
	if len(report.Wrong) > 0 {
		os.Exit(1)
	}
}

// runTwice looks for seeds that do not repeat.
func runTwice(first uint64, seeds int) {
	for seed := first; seed < first+uint64(seeds); seed++ {
		if parted := run.Twice(seed); parted != "" {
			fail("seed=%d does not repeat: %s", seed, parted)
		}
	}
	fmt.Printf("sim: ok seeds=%d repeated\n", seeds)
}

func runSeeds(first uint64, seeds int, triples string) {
	began := time.Now()
	var sum run.Report
	var wrong int
	for report := range all(first, seeds) {
		sum.Add(report)
		if len(report.Wrong) == 0 {
			continue
		}
		wrong += len(report.Wrong)
		fmt.Printf("sim: FAILED seed=%d workload=%s %s\n", report.Seed, report.Workload, report.Dealt)
		for _, w := range report.Wrong {
			fmt.Println("  wrong:", w)
		}
		fmt.Printf("  trace: make replay SEED=%d\n", report.Seed)
	}
	elapsed := time.Since(began).Seconds()
	fmt.Println("sim: faults", sum.Counts.String(), "client-crash="+strconv.Itoa(sum.Crashed))
	fmt.Printf("sim: committed=%d aborted=%d unknown=%d events=%d\n", sum.Tally.Committed, sum.Tally.Aborted,
		sum.Tally.Unknown, sum.Events)
	fmt.Printf("sim: rpc=%.2f/txn most=%.1f/key\n", float64(sum.Needed.Requests)/float64(sum.Needed.Txns), sum.Needed.Most)
	if missing := sum.Counts.Missing(sim.OptimisticFaults); len(missing) > 0 && seeds >= run.Enough {
		fmt.Printf("sim: FAILED these faults never happened: %v\n", missing)
		os.Exit(1)
	}
	missed := sum.Marks.Missing()
	if len(missed) > 0 {
		fmt.Printf("sim: never met: %v\n", missed)
	}
	if unreached := sum.Triples.Unreached(); len(unreached) > 0 {
		fmt.Printf("sim: %d triples reached, %d that others reached were not:\n", len(sum.Triples), len(unreached))
		for _, t := range unreached {
			fmt.Println("  ", t)
		}
	}
	if triples != "" {
		if err := os.WriteFile(triples, []byte(sum.Triples.String()), 0o644); err != nil {
			fail("%v", err)
		}
	}
	if len(missed) > 0 && seeds >= run.EnoughForMarks {
		fail("seeds=%d marks=%d/%d", seeds, run.NumMarks-len(missed), run.NumMarks)
	}
	if wrong > 0 {
		fail("seeds=%d wrong=%d", seeds, wrong)
	}
	marks := run.NumMarks - len(missed)
	fmt.Printf("sim: ok seeds=%d txn/s=%.0f events/s=%.0f marks=%d/%d wrong=0\n", seeds,
		float64(sum.Tally.Committed)/elapsed, float64(sum.Events)/elapsed, marks, run.NumMarks)
}

// all runs the seeds on every processor and yields the reports in the order of the
// seeds.
func all(first uint64, seeds int) func(yield func(run.Report) bool) {
	return func(yield func(run.Report) bool) {
		reports := make([]chan run.Report, seeds)
		for i := range reports {
			reports[i] = make(chan run.Report, 1)
		}
		next := make(chan int)
		var workers sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			workers.Go(func() {
				for i := range next {
					reports[i] <- run.Seed(first+uint64(i), nil)
				}
			})
		}
		workers.Go(func() {
			defer close(next)
			for i := range seeds {
				next <- i
			}
		})
		progress := isTerminal()
		for i := range reports {
			report := <-reports[i]
			if progress {
				fmt.Fprintf(os.Stderr, "\rsim: %d of %d", i+1, seeds)
			}
			if !yield(report) {
				break
			}
		}
		if progress {
			fmt.Fprintln(os.Stderr)
		}
		workers.Wait()
	}
}

func isTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func fail(format string, args ...any) {
	fmt.Printf("sim: FAILED "+format+"\n", args...)
	os.Exit(1)
}
