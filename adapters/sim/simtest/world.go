package simtest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/app/drive"
)

// Turmoil is how long [World.Wait] lets things go wrong, Calm how long the tasks may need after that.
const (
	Turmoil = 5 * time.Second
	Calm    = time.Minute
)

// World is the simulated cluster of one run, as a test sees it. It can be given to testify's require and assert.
//
// The goroutine of the test and those of the tasks may use it, and the clients, at any time. Only one of them runs
// between two waits, so that they need not be synchronized with each other as long as they share nothing across a
// call that waits.
type World struct {
	stage  *stage
	sim    *sim.World
	script *script
	seed   uint64
	ctx    context.Context
	cancel context.CancelFunc
	// tasks have not ended yet.
	tasks map[*actor]bool
	// main runs the test; it waits for the tasks when parked.
	main     *actor
	parked   bool
	clients  []*app.Client
	failures []Failure
	// aborted: what follows in the run does not count.
	aborted bool
}

// Failure is one thing that went wrong in a run.
type Failure struct {
	// Kind is "check" for what the test found, "error" for a task's error, "panic" for a panic in the test or its
	// tasks, "stuck" for what has not come to an end, and "diverged" for a run that does not repeat.
	Kind string
	// Text says what is wrong, in as many lines as it takes.
	Text string
}

// String returns kind and text.
func (f Failure) String() string { return f.Kind + ": " + f.Text }

// brief returns the failure without the stack of a panic, which is of that moment only.
func (f Failure) brief() string {
	text := f.String()
	if f.Kind == "panic" {
		text, _, _ = strings.Cut(text, "\n")
	}
	return text
}

func newWorld(w *sim.World, stage *stage, script *script, seed uint64) *World {
	ctx, cancel := context.WithCancel(context.Background())
	return &World{
		stage: stage, sim: w, script: script, seed: seed, ctx: ctx, cancel: cancel, tasks: map[*actor]bool{},
	}
}

// Client opens one more client: a process of its own, with its own connections and its own view of the cluster. It is
// closed at the end of the run. The name appears in traces.
func (w *World) Client(name string, opts ...app.ClientOption) *app.Client {
	w.stage.enter()
	process := w.sim.Client(name)
	host := drive.Host{
		NewWaiter: func() drive.Waiter { return &waiter{stage: w.stage} },
		Direct:    true,
		Enter:     w.stage.enter,
	}
	own := []app.ClientOption{
		app.WithHost(host), app.WithSeed(w.seed + uint64(len(w.clients))), app.WithPanics(),
	}
	db, err := app.New(app.Ports{
		Network: process, Oracle: process, Placement: process, Timers: process, Close: process.Close,
	}, append(own, opts...)...)
	if err != nil {
		w.fail("check", "client %s: %v", name, err)
		w.FailNow()
	}
	w.clients = append(w.clients, db)
	return db
}

// Go starts a task. Its context ends with the run. An error that it returns fails the run: what the task is prepared
// for, an unknown outcome for example, it handles itself. With the first task faults begin to happen; before, the
// cluster behaves.
//
// Everything that uses the cluster must be started with Go. What an ordinary go statement started has no place in the
// order of things, and may make runs differ.
func (w *World) Go(name string, f func(ctx context.Context) error) {
	w.stage.enter()
	w.script.begin()
	a := w.stage.cast(name)
	w.tasks[a] = true
	go w.stage.perform(a, func() error { return f(w.ctx) }, func(err error, panicked any, stack []byte) {
		delete(w.tasks, a)
		switch {
		case panicked != nil:
			w.fail("panic", "%s: %v\n%s", name, panicked, stack)
			w.aborted = true
		case err != nil:
			w.fail("error", "%s: %v", name, err)
			w.aborted = true
		default:
			w.sim.Logf("## %s has ended", name)
		}
		w.unpark()
	})
}

// Wait lets faults happen for [Turmoil], or until every task has ended, then heals the cluster and waits for the tasks:
// one that has not ended after [Calm] fails the run. What the test checks after Wait, it checks in a cluster in which
// nothing goes wrong any more.
func (w *World) Wait() { w.WaitFor(Turmoil, Calm) }

// WaitFor is [World.Wait] with other times.
func (w *World) WaitFor(turmoil, calm time.Duration) {
	w.stage.enter()
	if w.stage.self() != w.main {
		w.fail("check", "Wait was called by a task: it is for the test itself")
		w.FailNow()
	}
	w.park(turmoil)
	if !w.sim.Healed() {
		w.sim.Heal()
	}
	if w.park(calm) {
		return
	}
	for _, a := range w.stage.all() {
		if w.tasks[a] {
			w.fail("stuck", "%s has not ended %v after the cluster was healed", a.name, calm)
		}
	}
	w.FailNow()
}

// park waits until all tasks have ended, at most for a time, and reports whether they have.
func (w *World) park(limit time.Duration) bool {
	end := w.sim.Now().Add(limit)
	w.sim.After(end, w.unpark)
	for len(w.tasks) > 0 && w.sim.Now() < end {
		w.parked = true
		w.stage.suspend(w.main)
	}
	return len(w.tasks) == 0
}

func (w *World) unpark() {
	if w.parked {
		w.parked = false
		w.stage.bring(w.main, w.sim.Now())
	}
}

// Context returns the context for calls of the test itself. It ends with the run.
func (w *World) Context() context.Context { return w.ctx }

// Seed returns the seed of the run, or that from which its transcript came.
func (w *World) Seed() uint64 { return w.seed }

// Choose returns a number below n that the run decides, for a test that has something to choose itself: which key, how
// much, how long. Shrinking lowers it to 0.
func (w *World) Choose(n int) int {
	w.stage.enter()
	return w.sim.Choose(sim.SiteWorkload, n)
}

// Script lets chosen things go wrong: "lose-reply verb=Commit primary" loses the answer to the next commit of a primary
// key. See [sim.World.Script]. Scripts end when the cluster is healed.
func (w *World) Script(text string) {
	w.stage.enter()
	if err := w.sim.Script(text); err != nil {
		w.fail("check", "%v", err)
		w.FailNow()
	}
}

// Do calls f on the cluster itself, to break, split or inspect it. f must not wait.
func (w *World) Do(f func(*sim.World)) {
	w.stage.enter()
	f(w.sim)
}

// Logf writes a line into the trace, and into the story that a transcript tells.
func (w *World) Logf(format string, args ...any) {
	w.stage.enter()
	w.sim.Logf("## "+format, args...)
}

// NoErr fails the run and ends the caller's goroutine unless err is nil.
func (w *World) NoErr(err error) {
	if err != nil {
		w.Errorf("%v", err)
		w.FailNow()
	}
}

// Errorf fails the run, which goes on.
func (w *World) Errorf(format string, args ...any) {
	w.stage.enter()
	w.fail("check", format, args...)
}

// FailNow fails the run and ends the caller's goroutine. What follows in the run does not count any more.
func (w *World) FailNow() {
	w.stage.enter()
	if len(w.failures) == 0 {
		w.fail("check", "the test gave up")
	}
	w.aborted = true
	runtime.Goexit()
}

// fail notes a failure. Called with the stage.
func (w *World) fail(kind, format string, args ...any) {
	f := Failure{Kind: kind, Text: tidy(fmt.Sprintf(format, args...))}
	w.failures = append(w.failures, f)
	w.sim.Logf("## FAILED %s", strings.ReplaceAll(f.brief(), "\n", " "))
}

// conclude ends a test that has returned: whatever it left running must end, and the clients must close.
func (w *World) conclude() {
	w.Wait()
	ctx, cancel := context.WithTimeout(w.ctx, Calm)
	defer cancel()
	for i, db := range w.clients {
		if err := db.Close(ctx); err != nil {
			w.fail("stuck", "client %d was not closed %v after the cluster was healed: %v", i+1, Calm, err)
		}
	}
}

// tidy takes from what testify says the stack, which names folders of this machine, and the indentation.
func tidy(text string) string {
	var kept []string
	inTrace := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		inTrace = strings.HasPrefix(line, "Error Trace:") || inTrace && !strings.HasPrefix(line, "Error:")
		if line = strings.TrimSpace(strings.TrimPrefix(line, "Error:")); !inTrace && line != "" {
			kept = append(kept, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(kept, "\n")
}
