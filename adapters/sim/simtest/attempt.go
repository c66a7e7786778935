package simtest

import (
	"fmt"
	"io"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
)

// Test is what is run in a simulated world: a test of an application that uses the client db. It is called once for
// each run, and must begin each time as if it were the first.
type Test func(w *World, db *app.Client)

// Result is what a run was.
type Result struct {
	// Transcript repeats the run.
	Transcript *Transcript
	// Dealt describes which faults the seed allowed, and how likely they were.
	Dealt string
	// Failures are what went wrong, in the order in which it did.
	Failures []Failure
	Counts   sim.Counts
	Events   uint64
	// Searched: the decisions were tried one after the other, and follow from no seed.
	Searched bool
	// Hash is that of everything that happened: equal hashes, equal runs.
	Hash uint64

	asked []question
}

// Failed reports whether anything went wrong.
func (r *Result) Failed() bool { return len(r.Failures) > 0 }

// limit bounds the virtual time of a run.
const limit = 6 * time.Hour

// plan says what a run follows.
type plan struct {
	seed uint64
	// transcript is where the decisions come from; nil means from the seed.
	transcript *Transcript
	// every, when set, decides instead of the seed.
	every *sim.Exhaustive
	// trace, when set, receives the trace, beside that of the configuration; story: keep what tells the story.
	trace io.Writer
	story bool
	// ask: remember every question.
	ask bool
}

// Try runs a test once with the faults that follow from a seed.
func Try(t *testing.T, cfg sim.Config, seed uint64, test Test) *Result {
	t.Helper()
	return attempt(t, cfg, plan{seed: seed, story: true}, test)
}

// Replay runs a test once with the decisions of a transcript.
func Replay(t *testing.T, cfg sim.Config, transcript *Transcript, test Test) *Result {
	t.Helper()
	return attempt(t, cfg, plan{seed: transcript.Seed, transcript: transcript, story: true}, test)
}

// attempt is one run in a bubble of its own.
func attempt(t *testing.T, cfg sim.Config, p plan, test Test) (r *Result) {
	t.Helper()
	r = &Result{}
	alive := watch(t.Name())
	defer alive.stop()
	defer func() {
		// A bubble that cannot end panics here: an actor would not be cleared.
		if stuck := recover(); stuck != nil {
			r.Failures = append(r.Failures, Failure{Kind: "stuck", Text: fmt.Sprint(stuck)})
		}
	}()
	synctest.Test(t, func(*testing.T) { r.run(cfg, p, alive, test) })
	return r
}

func (r *Result) run(cfg sim.Config, p plan, alive *watchdog, test Test) {
	script, err := p.script(cfg)
	if err == nil {
		cfg.Chooser = script
		if p.story || p.trace != nil {
			story := &story{to: [2]io.Writer{cfg.Trace, p.trace}}
			cfg.Trace = story
			defer func() { r.Transcript.Story = story.lines }()
		}
		script.world, err = sim.New(cfg)
	}
	r.Transcript = &Transcript{Seed: p.seed}
	if err != nil {
		r.Failures = []Failure{{Kind: "check", Text: err.Error()}}
		return
	}
	stage := newStage(script.world, &alive.progress)
	w := newWorld(script.world, stage, script, p.seed)
	r.direct(w, test)
	w.cancel()
	r.Failures, r.Dealt, r.Searched = w.failures, script.dealt, p.every != nil
	r.Counts, r.Events, r.Hash = w.sim.Counts(), w.sim.Events(), w.sim.Hash()
	r.Transcript.note(script.record.Log(), r.Failures)
	if script.asked != nil {
		r.asked = *script.asked
	}
}

// script makes the chooser of a run.
func (p plan) script(cfg sim.Config) (*script, error) {
	if cfg.Chooser != nil {
		return nil, fmt.Errorf("simtest: the choices of a run follow from its seed: leave Config.Chooser nil")
	}
	var source sim.Chooser = sim.NewSwarm(p.seed, cfg.Faults)
	if p.every != nil {
		source = p.every
	}
	if p.transcript != nil {
		decisions, err := p.transcript.decisions()
		if err != nil {
			return nil, err
		}
		source = sim.NewReplay(decisions)
	}
	s := newScript(source)
	if p.transcript != nil {
		s.dealt = fmt.Sprintf("a transcript of %d decisions", p.transcript.Len())
	}
	if p.ask {
		s.asked = new([]question)
	}
	return s, nil
}

// direct lets the test and the world run until the test has ended.
func (r *Result) direct(w *World, test Test) {
	over := false
	w.main = w.stage.cast("the test")
	go w.stage.perform(w.main, func() error {
		test(w, w.Client("client"))
		w.conclude()
		return nil
	}, func(_ error, panicked any, stack []byte) {
		over = true
		if panicked != nil {
			w.fail("panic", "%v\n%s", panicked, stack)
		}
	})
	func() {
		defer func() {
			if broken := recover(); broken != nil { // a machine that an event of the world was brought to
				w.fail("panic", "%v\n%s", broken, debug.Stack())
			}
		}()
		if !w.stage.direct(func() bool { return over || w.aborted }, limit) {
			w.fail("stuck", "the test has not ended after %v", limit)
		}
	}()
	for _, a := range w.stage.clear(w.cancel) {
		w.fail("stuck", "%s cannot be ended: it waits neither for the cluster nor for its context", a.name)
	}
}
