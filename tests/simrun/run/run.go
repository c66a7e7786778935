// Package run is one simulated run: a world, a workload, several clients, faults,
// healing, and the checks at the end. Everything follows from the seed.
package run

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
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
	// again is how many steps each task does after the audit, and patience what each may take.
	again    = 3
	patience = 5 * time.Second
)

// weather is what can go wrong in a run. Of sixteen seeds two have no faults, one has faults that cost nothing but
// time, one changes regions all the time, and two lose stores, one at a time: nothing may fail there, nor anywhere
// after the audit. One has few faults, at points drawn before the run, in a calm that lets each of them have all its
// consequences ([sim.PCT]).
type weather struct {
	faults sim.FaultSet
	// patience is what a step may take, and then must have succeeded; 0: steps may fail.
	patience time.Duration
	// lasts is how long the faults happen.
	lasts time.Duration
	// depth is the number of points at which something goes wrong; 0: everywhere, at rates that the seed is dealt.
	depth int
}

func weatherOf(seed uint64) weather {
	switch seed % 16 {
	case 7, 15:
		// Nobody waits longer than for a lock, which is gone when its life is over.
		return weather{patience: sm.DefaultKnobs().LockTTL, lasts: turmoil / 20}
	case 5, 13:
		return weather{patience: 12 * time.Second, lasts: turmoil / 2,
			faults: sim.FaultsOf(sim.FaultCrash, sim.FaultHang, sim.FaultMove, sim.FaultTransfer,
				sim.FaultOverload, sim.FaultBlankPD)}
	case 3:
		return weather{patience: 3 * time.Second, lasts: turmoil / 4,
			faults: sim.FaultsOf(sim.FaultDuplicate, sim.FaultLateDuplicate, sim.FaultSplit, sim.FaultTransfer,
				sim.FaultOracleGap, sim.FaultStalePD, sim.FaultGapPD)}
	case 11:
		// Regions change, and PD's followers are no help.
		return weather{patience: 3 * time.Second, lasts: turmoil * 3 / 4,
			faults: sim.FaultsOf(sim.FaultSplit, sim.FaultTransfer, sim.FaultMerge, sim.FaultMovePeer, sim.FaultLagPD)}
	case 4:
		return weather{lasts: turmoil / 10, faults: sim.AllFaults, depth: 2 + int(seed/16%7)}
	}
	return weather{faults: sim.AllFaults, lasts: turmoil}
}

// requests is how many requests a transaction may need for each of its keys. In fair weather a prewrite and a commit,
// and some more where others are in the way; what goes wrong makes for as many again as there are pauses until a call
// is given up, but not for a loop without pauses.
func (w *weather) requests() float64 {
	if w.faults == 0 {
		return 6
	}
	return 100
}

// questions is about how often a run of few faults asks a site.
const questions = 1 << 13

// dealt is a chooser that says what a run was dealt.
type dealt interface {
	sim.Chooser
	fmt.Stringer
}

// chooser returns what decides the run of a seed, and the faults that can happen.
func (w *weather) chooser(seed uint64) (dealt, sim.FaultSet) {
	if w.depth > 0 {
		return sim.NewPCT(seed, w.depth, questions, w.faults), w.faults
	}
	swarm := sim.NewSwarm(seed, w.faults)
	return swarm, swarm.Faults()
}

// Enough is the number of seeds from which every fault must have happened.
const Enough = 50

// EnoughForMarks is the number of seeds from which every mark must have been met.
const EnoughForMarks = 500

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
	// Marks and Triples are what was met; Needed is what committed transactions needed of their clients.
	Marks   Marks
	Triples Coverage
	Needed  check.Amplification
}

// Add adds the figures of another run.
func (r *Report) Add(o Report) {
	r.Counts.Add(&o.Counts)
	r.Crashed += o.Crashed
	r.Events += o.Events
	r.Tally.Committed += o.Tally.Committed
	r.Tally.Aborted += o.Tally.Aborted
	r.Tally.Unknown += o.Tally.Unknown
	r.Marks.Add(&o.Marks)
	if r.Triples == nil {
		r.Triples = Coverage{}
	}
	r.Triples.Add(o.Triples)
	r.Needed.Add(o.Needed)
}

// Seed runs a seed; trace may be nil.
func Seed(seed uint64, trace io.Writer) Report {
	return seeded(seed, trace, func(c sim.Chooser) sim.Chooser { return c })
}

// seeded runs a seed behind whatever wraps its chooser.
func seeded(seed uint64, trace io.Writer, wrap func(sim.Chooser) sim.Chooser) Report {
	r := &simulation{report: Report{Seed: seed}, workload: workloadOf(seed)}
	r.report.Workload = r.workload.Name()
	if err := r.prepare(trace, wrap); err != nil {
		r.report.Wrong = append(r.report.Wrong, "prepare: "+err.Error())
		return r.report
	}
	defer r.world.Close()
	if r.setUp() {
		r.turmoil()
		r.calm()
	}
	r.conclude()
	r.report.Counts = r.world.Counts()
	r.report.Events, r.report.Hash = r.world.Events(), r.world.Hash()
	return r.report
}

// conclude fills in what the run was.
func (r *simulation) conclude() {
	tally, marks := r.workload.Done(), &r.observer.marks
	marks[MarkCommitted], marks[MarkAborted], marks[MarkUnknown] =
		uint64(tally.Committed), uint64(tally.Aborted), uint64(tally.Unknown)
	if s, ok := r.workload.(*load.SkewLoad); ok {
		marks[MarkSkew] = uint64(s.Seen)
	}
	if b, ok := r.workload.(*load.BatchLoad); ok {
		r.observer.met(MarkRawOrder, len(b.Calls()) > 0)
		r.observer.met(MarkRawRepeated, len(b.Calls()) == 0)
	}
	r.observer.met(MarkPoints, r.weather.depth > 0)
	r.report.Tally, r.report.Marks, r.report.Triples = tally, *marks, r.triples.coverage()
	r.report.Needed = r.observer.invariants.Amplification()
	r.report.Wrong = append(r.report.Wrong, r.report.Needed.Exceeds(r.weather.requests())...)
	r.report.Wrong = slices.Concat(r.report.Wrong, r.observer.invariants.Wrong(), r.observer.stores.Wrong())
}

// workloads are made anew for each run; their number shares no divisor with healthy.
var workloads = [...]func() load.Workload{
	func() load.Workload { return load.NewBank(30) },
	func() load.Workload { return load.NewScan(40) },
	func() load.Workload { return load.NewSwap(4) },
	func() load.Workload { return load.NewAppend(6) },
	func() load.Workload { return load.NewCycle(12) },
	func() load.Workload { return load.NewSkew(8) },
	func() load.Workload { return load.NewRegister(4) },
	func() load.Workload { return load.NewOwn(12) },
	func() load.Workload { return load.NewBatch() },
}

func workloadOf(seed uint64) load.Workload { return workloads[seed%uint64(len(workloads))]() }

// simulation is a run in progress.
type simulation struct {
	report   Report
	workload load.Workload
	world    *sim.World
	weather  weather
	knobs    sm.Knobs
	// observer and triples watch everything.
	observer *observer
	triples  visits
	tasks    []*sim.Task
	users    map[string]*load.Task
	opened   []opened
	// crashed clients take their tasks with them.
	crashed map[*sim.Task]bool
}

func (r *simulation) prepare(trace io.Writer, wrap func(sim.Chooser) sim.Chooser) error {
	r.weather = weatherOf(r.report.Seed)
	chooser, faults := r.weather.chooser(r.report.Seed)
	r.report.Dealt = chooser.String()
	world, err := sim.New(sim.Config{
		Seed: r.report.Seed, Chooser: wrap(chooser), Faults: faults, Splits: r.workload.Splits(),
		LeftDerive: r.report.Seed%3 == 0,
		Stores:     3 + int(r.report.Seed%3),
		RawKeys:    r.workload.RawKeys(), Trace: trace,
	})
	if err != nil {
		return err
	}
	r.world, r.users, r.crashed = world, map[string]*load.Task{}, map[*sim.Task]bool{}
	r.observer = observe(world)
	r.observer.patient = r.weather.patience > 0
	r.knobs = knobs(world)
	return nil
}

// turmoil lets the clients work while everything goes wrong. One of them crashes.
func (r *simulation) turmoil() {
	w := r.world
	end := w.Now().Add(r.weather.lasts) // much happens where little goes wrong
	for c := range clients {
		db, process := r.open(fmt.Sprintf("c%d", c+1), r.report.Seed+uint64(c))
		var own []*sim.Task
		for i := range tasks {
			name := fmt.Sprintf("c%d.t%d", c+1, i+1)
			own = append(own, w.Go(name, func(*sim.Task) { r.work(db, name, end) }))
		}
		r.tasks = append(r.tasks, own...)
		if c == clients-1 && r.weather.patience == 0 {
			at := w.Now().Add(r.weather.lasts/4 + time.Duration(w.Choose(sim.SiteWorkload, 64))*r.weather.lasts/128)
			w.After(at, func() {
				process.Crash()
				r.observer.met(MarkCrashLeftLocks, len(w.Locks()) > 0)
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
	r.users[name] = t
	for r.world.Now() < end {
		r.step(t, r.weather.patience)
	}
}

// step lets a task do one thing. If there is a limit, it must succeed by then; a transaction whose locks have expired
// may be aborted by others where anything is in its way, or where a lock lives no longer than a commit takes.
func (r *simulation) step(t *load.Task, limit time.Duration) {
	began := r.world.Now()
	t.Patient = limit > 0
	err := r.workload.Step(t)
	took := r.world.Now().Sub(began)
	switch {
	case limit == 0 || errors.Is(err, app.ErrTxnAborted) && (r.weather.faults != 0 || r.knobs.LockTTL < shortLife):
	case err != nil:
		r.wrong("%s failed although nothing was in its way: %v", t.Name, err)
	case took > limit:
		r.wrong("%s needed %v although nothing was in its way", t.Name, took)
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
	r.swept(r.ended())
	r.settle()
	r.foresee()
	r.goOn()
	r.report.Wrong = append(r.report.Wrong, r.observer.invariants.AtRest()...)
	r.report.Wrong = append(r.report.Wrong, r.workload.Check(load.Kept{World: w})...)
	r.rest()
	r.close()
	if registers, ok := r.workload.(load.Registers); ok {
		r.report.Wrong = append(r.report.Wrong, linearizable(registers.Calls())...)
	}
}

// goOn lets the clients that are left do a few more things in the healed cluster.
func (r *simulation) goOn() {
	w := r.world
	before := len(r.workload.Txns())
	old := r.tasks
	r.tasks = nil
	for _, t := range old {
		if user := r.users[t.Name()]; !r.crashed[t] && user != nil {
			r.tasks = append(r.tasks, w.Go(t.Name()+".again", func(*sim.Task) {
				for range again {
					r.step(user, patience)
				}
			}))
		}
	}
	if !r.until(w.Now().Add(calm), r.finished) {
		r.wrong("clients hang in a healed cluster")
		return
	}
	late := map[ports.Timestamp]bool{}
	for _, t := range r.workload.Txns()[before:] {
		late[t.Start] = true
	}
	r.swept(late)
}

// ended returns the transactions that must not have left any lock once their clients have had time: those that were
// committed, and, if no prewrite can come once more when it is over, those that were aborted.
func (r *simulation) ended() map[ports.Timestamp]bool {
	counts := r.world.Counts()
	clean := map[ports.Timestamp]bool{}
	gone := map[string]bool{}
	for t := range r.crashed {
		gone[t.Name()] = true
	}
	once := counts[sim.FaultDuplicate]+counts[sim.FaultLateDuplicate] == 0
	for _, t := range r.workload.Txns() {
		if !gone[t.Task] && (t.Outcome == check.Committed || t.Outcome == check.Aborted && once) {
			clean[t.Start] = true
		}
	}
	return clean
}

// swept waits until transactions that have ended hold no locks any more, although nobody meets them.
func (r *simulation) swept(ended map[ports.Timestamp]bool) {
	held := func() int {
		return slices.IndexFunc(r.world.Locks(), func(l ports.Lock) bool { return ended[l.StartTS] })
	}
	end := r.world.Now().Add(calm)
	for held() >= 0 {
		if r.world.Now() >= end {
			l := r.world.Locks()[held()]
			r.wrong("%d has ended and still locks %q", l.StartTS, l.Key)
			return
		}
		next := r.world.Now().Add(time.Second)
		r.until(next, func() bool { return false })
		r.world.After(next, func() {})
		r.world.Step()
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
	db, process, err := embed.Tasks(r.world, name, seed, app.WithKnobs(r.knobs), app.WithVisitor(&r.triples))
	if err != nil {
		panic(err)
	}
	r.opened = append(r.opened, opened{db, process})
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
