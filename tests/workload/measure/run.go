package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Result is one measurement.
type Result struct {
	Operation   string  `json:"op"`
	Concurrency int     `json:"concurrency"`
	Throughput  float64 `json:"ops_per_s"`
	P50         float64 `json:"p50_us"`
	CPU         float64 `json:"cpu_us_per_op"`
	Allocs      float64 `json:"allocs_per_op"`
	Bytes       float64 `json:"bytes_per_op"`
}

// warmUp is the share of the measured time that precedes it.
const warmUp = 0.2

// Run measures an operation after a warm-up of a fifth of the length. CPU and
// allocations are those of the whole process.
func Run(ctx context.Context, op Operation, name string, concurrency int, length time.Duration) (Result, error) {
	if _, err := drive(ctx, op, concurrency, time.Duration(float64(length)*warmUp)); err != nil {
		return Result{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore, start := cpu(), time.Now()
	latencies, err := drive(ctx, op, concurrency, length)
	if err != nil {
		return Result{}, err
	}
	elapsed, cpuUsed := time.Since(start), cpu()-cpuBefore
	runtime.ReadMemStats(&after)
	n := float64(len(latencies))
	slices.Sort(latencies)
	return Result{
		Operation: name, Concurrency: concurrency,
		Throughput: n / elapsed.Seconds(),
		P50:        micros(latencies[len(latencies)/2]),
		CPU:        micros(cpuUsed) / n,
		Allocs:     float64(after.Mallocs-before.Mallocs) / n,
		Bytes:      float64(after.TotalAlloc-before.TotalAlloc) / n,
	}, nil
}

// drive runs op from as many goroutines for a while and returns all latencies.
func drive(ctx context.Context, op Operation, concurrency int, length time.Duration) ([]time.Duration, error) {
	end := time.Now().Add(length)
	perWorker := make([][]time.Duration, concurrency)
	errs := make([]error, concurrency)
	var workers sync.WaitGroup
	for w := range concurrency {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), uint64(length)))
			// Room for what one worker can do, so that growing is not measured.
			latencies := make([]time.Duration, 0, 1<<16)
			for begin := time.Now(); begin.Before(end); {
				if errs[w] = op(ctx, random, w); errs[w] != nil {
					return
				}
				now := time.Now()
				latencies = append(latencies, now.Sub(begin))
				begin = now
			}
			perWorker[w] = latencies
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	all := slices.Concat(perWorker...)
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing finished in %v", length)
	}
	return all, nil
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
