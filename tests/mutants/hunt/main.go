// Command hunt runs simulated seeds, one after the other, until one goes wrong. It is built once for every mutant.
//
// Its last line is "killed seed=N workload=W by: what went wrong" with exit status 1, or "survived seeds=N". A run that
// panics, spins or eats the memory is wrong, too.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/tikvx/tikvx/tests/simrun/run"
)

// What no run of a sound client needs.
const (
	maxTime   = 20 * time.Second
	maxMemory = 1 << 30
)

func main() {
	first := flag.Uint64("first", 1, "first seed")
	seeds := flag.Uint64("seeds", math.MaxUint32, "number of seeds")
	limit := flag.Duration("time", time.Minute, "time after which no seed is begun")
	flag.Parse()
	end := time.Now().Add(*limit)
	seed := *first
	for ; seed-*first < *seeds && time.Now().Before(end); seed++ {
		if workload, wrong := watch(seed); wrong != "" {
			fmt.Printf("killed seed=%d workload=%s by: %s\n", seed, workload, wrong)
			os.Exit(1)
		}
	}
	fmt.Printf("survived seeds=%d\n", seed-*first)
}

// watch runs a seed, and does not wait for one that does not end.
func watch(seed uint64) (workload, wrong string) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		workload, wrong = try(seed)
	}()
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return workload, wrong
		case <-tick.C:
			if time.Since(began) > maxTime {
				return "?", "the run does not end"
			}
			if memory() > maxMemory {
				return "?", "the run eats the memory"
			}
		}
	}
}

func memory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func try(seed uint64) (workload, wrong string) {
	defer func() {
		if what := recover(); what != nil {
			workload, wrong = "?", fmt.Sprintf("panic: %v", what)
			if os.Getenv("STACK") != "" {
				wrong += "\n" + string(debug.Stack())
			}
		}
	}()
	r := run.Seed(seed, nil)
	if len(r.Wrong) > 0 {
		wrong = strings.ReplaceAll(r.Wrong[0], "\n", " ")
	}
	return r.Workload, wrong
}
