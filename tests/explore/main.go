// Command explore searches every behaviour of the committed configurations (see
// adapters/sim/explore) and compares what it finds with the numbers in its testdata/states.tsv.
// QUICK=1 leaves out the large ones.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/explore"
	"github.com/tikvx/tikvx/adapters/sim/explore/ledger"
)

// shortest bounds the states among which a transcript is looked for.
const shortest = 3_000_000

// heavyStates is the number of states above which a configuration is searched alone: it needs gigabytes.
const heavyStates = 1_000_000

func main() {
	quick := flag.Bool("quick", os.Getenv("QUICK") != "", "leave out the large configurations")
	only := flag.String("only", "", "search only configurations whose name contains this")
	table := flag.String("table", "adapters/sim/explore/testdata/states.tsv", "the committed numbers of states")
	update := flag.Bool("update", false, "write the numbers of states to the table")
	blind := flag.Bool("blind", false, "do not compare the numbers of states: violations only")
	flag.Parse()
	if err := run(*quick, *only, *table, *update, *blind); err != nil {
		fmt.Println("explore: FAILED:", err)
		os.Exit(1)
	}
}

func run(quick bool, only, path string, update, blind bool) error {
	rows, err := ledger.Read(path)
	if err != nil {
		return err
	}
	var configs []explore.Config
	for _, c := range explore.Configurations(quick) {
		if strings.Contains(c.Name, only) {
			configs = append(configs, c)
		}
	}
	results := search(configs, rows)
	if update {
		for i, r := range results {
			if r.Exhausted {
				rows.Set(configs[i].Name, r.States, r.Ends)
			}
		}
		if err := rows.Write(path); err != nil {
			return err
		}
	}
	if blind {
		rows = nil
	}
	return report(configs, results, rows)
}

// search searches the configurations, as many at a time as there are processors, but one after the other where the
// table says that one needs much memory, and prints a line for each.
func search(configs []explore.Config, rows *ledger.Table) []explore.Result {
	fmt.Printf("%-52s %10s %7s %12s %6s %8s\n", "configuration", "states", "ends", "transitions", "depth", "time")
	var light, heavy []int
	for i := range configs {
		if rows.States(configs[i].Name) > heavyStates {
			heavy = append(heavy, i)
		} else {
			light = append(light, i)
		}
	}
	results := make([]explore.Result, len(configs))
	inParallel(runtime.GOMAXPROCS(0), light, configs, results)
	inParallel(1, heavy, configs, results)
	return results
}

func inParallel(n int, which []int, configs []explore.Config, results []explore.Result) {
	var printing sync.Mutex
	var workers sync.WaitGroup
	next := make(chan int)
	for range n {
		workers.Go(func() {
			for i := range next {
				r := explore.New(configs[i]).Run()
				results[i] = r
				printing.Lock()
				fmt.Printf("%-52s %10d %7d %12d %6d %8s\n", configs[i].Name, r.States, r.Ends, r.Transitions, r.Depth,
					r.Elapsed.Round(time.Millisecond))
				printing.Unlock()
			}
		})
	}
	for _, i := range which {
		next <- i
	}
	close(next)
	workers.Wait()
}

// report prints what is wrong, with transcripts, or the last line. Without rows numbers of states are not compared.
func report(configs []explore.Config, results []explore.Result, rows *ledger.Table) error {
	var states int
	var transitions uint64
	var failures []error
	for i, r := range results {
		states += r.States
		transitions += r.Transitions
		switch name := configs[i].Name; {
		case r.Violation != "":
			failures = append(failures, fmt.Errorf("%s: %s", name, r.Violation))
			fmt.Println(explore.New(configs[i]).Shortest(shortest))
		case !r.Exhausted:
			failures = append(failures, fmt.Errorf("%s: not exhausted after %d states", name, r.States))
		case rows != nil:
			if wrong := rows.Check(name, r.States, r.Ends); wrong != "" {
				failures = append(failures, fmt.Errorf("%s: %s", name, wrong))
			}
		}
	}
	if len(failures) > 0 {
		return errors.Join(failures...)
	}
	fmt.Printf("explore: ok configs=%d states=%d transitions/s=%.0f\n", len(configs), states,
		float64(transitions)/processorTime().Seconds())
	return nil
}

// processorTime is what this process has used of all processors, garbage collection included: rates are rates of one
// core, whatever else the machine does.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return time.Nanosecond
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
