// Package run is one simulated run: a world, a workload, several clients, faults,
// healing, and the checks at the end. Everything follows from the seed.
package run

import (
	"fmt"
	"io"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// The shape of a run.
const (
	clients = 3
	tasks   = 4
	// turmoil is how long faults happen, calm how long the clients may need to end
	// what they began once the cluster is healed, and audit what the checks may need.
	turmoil = 5 * time.Second
	calm    = 45 * time.Second
	audit   = 60 * time.Second
)

// Enough is the number of seeds from which every fault must have happened.
const Enough = 50

// Report is what a run was.
type Report struct {
	Seed     uint64
	Workload string
	// Dealt describes the faults that the seed allowed.
	Dealt   string
	Wrong   []string
	Tally   load.Tally
	Counts  sim.Counts
	Crashed int
	Events  uint64
	Hash    uint64
}

// Add adds the figures of another run.
func (r *Report) Add(o Report) {
	r.Counts.Add(&o.Counts)
	r.Crashed += o.Crashed
	r.Events += o.Events
	r.Tally.Committed += o.Tally.Committed
	r.Tally.Aborted += o.Tally.Aborted
	r.Tally.Unknown += o.Tally.Unknown
}

// Seed runs a seed; trace may be nil.
func Seed(seed uint64, trace io.Writer) Report {
	r := &simulation{report: Report{Seed: seed}, workload: workloadOf(seed)}
	r.report.Workload = r.workload.Name()
	if err := r.prepare(trace); err != nil {
		r.report.Wrong = append(r.report.Wrong, "prepare: "+err.Error())
		return r.report
	}
	defer r.world.Close()
	if r.setUp() {
		r.turmoil()
		r.calm()
	}
	r.report.Tally = r.workload.Done()
	r.report.Counts = r.world.Counts()
	r.report.Events, r.report.Hash = r.world.Events(), r.world.Hash()
	return r.report
}

func workloadOf(seed uint64) load.Workload {
	switch seed % 3 {
	case 0:
		return load.NewBank(30)
	case 1:
		return load.NewScan(20)
	}
	return load.NewRegister(4)
}

// simulation is a run in progress.
type simulation struct {
	report   Report
	workload load.Workload
	world    *sim.World
	knobs    sm.Knobs
	tasks    []*sim.Task
	// crashed clients take their tasks with them.
	crashed map[*sim.Task]bool
}

func (r *simulation) prepare(trace io.Writer) error {
	chooser := sim.NewSwarm(r.report.Seed, sim.AllFaults)
	r.report.Dealt = chooser.String()
	world, err := sim.New(sim.Config{
		Seed: r.report.Seed, Chooser: chooser, Faults: chooser.Faults(), Splits: r.workload.Splits(),
		RawKeys: r.workload.RawKeys(), Trace: trace,
	})
	if err != nil {
		return err
	}
	r.world, r.crashed = world, map[*sim.Task]bool{}
	r.knobs = knobs(world)
	return nil
}

// turmoil lets the clients work while everything goes wrong. One of them crashes.
func (r *simulation) turmoil() {
	w := r.world
	end := w.Now().Add(turmoil)
	for c := range clients {
		db, process := r.open(fmt.Sprintf("c%d", c+1), r.report.Seed+uint64(c))
		var own []*sim.Task
		for i := range tasks {
			name := fmt.Sprintf("c%d.t%d", c+1, i+1)
			own = append(own, w.Go(name, func(*sim.Task) { r.work(db, name, end) }))
		}
		r.tasks = append(r.tasks, own...)
		if c == clients-1 {
			at := w.Now().Add(turmoil/4 + time.Duration(w.Choose(sim.SiteWorkload, 64))*turmoil/128)
			w.After(at, func() {
				process.Crash()
				r.report.Crashed++
				for _, t := range own {
					t.Abandon()
					r.crashed[t] = true
				}
			})
		}
	}
	r.until(end, func() bool { return false })
}

func (r *simulation) work(db *app.Client, name string, end ports.Instant) {
	t := &load.Task{World: r.world, DB: db, Name: name}
	for r.world.Now() < end {
		r.workload.Step(t)
	}
}

// setUp prepares the data, as often as the faults make it fail. What cannot be done
// under the faults must be done without them.
func (r *simulation) setUp() bool {
	done := false
	db, _ := r.open("setup", r.report.Seed)
	r.world.Go("setup", func(*sim.Task) {
		for !done {
			ctx, cancel := embed.Context(r.world, load.CallTimeout)
			done = r.workload.Setup(ctx, db) == nil
			cancel()
		}
	})
	holds := func() bool { return done }
	if r.until(r.world.Now().Add(turmoil), holds) {
		return true
	}
	r.world.Heal()
	if !r.until(r.world.Now().Add(calm), holds) {
		r.wrong("the data was not set up within %v of healing", calm)
	}
	return done
}

// calm heals the cluster, waits until every client has ended, and checks.
func (r *simulation) calm() {
	w := r.world
	w.Heal()
	if !r.until(w.Now().Add(calm), r.finished) {
		for _, t := range r.tasks {
			if !t.Done() && !r.crashed[t] {
				r.wrong("%s has not come back %v after the cluster was healed", t.Name(), calm)
			}
		}
		return
	}
	r.settle()
	r.report.Wrong = append(r.report.Wrong, r.workload.Check(load.Kept{World: w})...)
	if register, ok := r.workload.(*load.RegisterLoad); ok {
		r.report.Wrong = append(r.report.Wrong, linearizable(register.Ops)...)
	}
}

// settle lets a fresh client read everything, again and again until no lock is left:
// those of clients that crashed are resolved once they have expired.
func (r *simulation) settle() {
	w := r.world
	end := w.Now().Add(audit)
	done := false
	db, _ := r.open("audit", r.report.Seed)
	w.Go("audit", func(t *sim.Task) {
		for !done {
			ctx, cancel := embed.Context(w, load.CallTimeout)
			if err := r.workload.Settle(ctx, db); err != nil {
				r.wrong("the audit failed in a healed cluster: %v", err)
			}
			cancel()
			t.Sleep(time.Second) // what readers resolve, they resolve behind their backs
			done = len(w.Locks()) == 0
		}
	})
	if !r.until(end, func() bool { return done }) {
		left := w.Locks()
		r.wrong("%d locks are left, the first on %q of %d with primary %q", len(left), left[0].Key, left[0].StartTS,
			left[0].Primary)
	}
}

// open adds a client; a world in which that fails was not made by this package.
func (r *simulation) open(name string, seed uint64) (*app.Client, *sim.Client) {
	db, process, err := embed.Tasks(r.world, name, seed, app.WithKnobs(r.knobs))
	if err != nil {
		panic(err)
	}
	return db, process
}

// until lets events happen until the condition holds or the instant has come.
func (r *simulation) until(end ports.Instant, holds func() bool) bool {
	for !holds() {
		if r.world.Next() >= end {
			return false
		}
		r.world.Step()
	}
	return true
}

func (r *simulation) finished() bool {
	for _, t := range r.tasks {
		if !t.Done() && !r.crashed[t] {
			return false
		}
	}
	return true
}

func (r *simulation) wrong(format string, args ...any) {
	r.report.Wrong = append(r.report.Wrong, fmt.Sprintf(format, args...))
}
