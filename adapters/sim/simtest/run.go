package simtest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tikvx/tikvx/adapters/sim"
)

// Run runs a test in simulated worlds, one for each of a number of seeds, which begin with cfg.Seed. At the first that
// fails it fails t: it says which seed that was and how to repeat it, shrinks the run, and writes what is left to
// testdata/sim/<name of the test>.log. As long as that file exists, Run begins with it; commit it with the fix.
//
// cfg.Faults are the classes of faults of which each seed is dealt some ([sim.NewSwarm]); cfg.Chooser must be nil.
// Flags (-sim.seed, -sim.seeds, -sim.check, -sim.replay, -sim.shrink, -sim.trace) choose something else to run.
func Run(t *testing.T, cfg sim.Config, test Test) {
	t.Helper()
	run(t, cfg, flags(t), filepath.Join("testdata", "sim", filepath.FromSlash(t.Name())+".log"), test)
}

// reporter is the part of testing.T that tells about failures.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

// run is Run with settings and a file.
func run(t *testing.T, cfg sim.Config, s settings, file string, test Test) {
	t.Helper()
	if failed := search(t, t, cfg, s, file, test); failed != nil {
		report(t, t, cfg, s, failed, file, test)
	}
}

// search runs what the settings say until something fails. What cannot even begin is reported at once.
func search(t *testing.T, out reporter, cfg sim.Config, s settings, file string, test Test) *Result {
	t.Helper()
	path, given := s.replay, s.replay != ""
	if !given && !s.only {
		path = file
	}
	if path != "" {
		transcript, err := ReadTranscript(path)
		switch {
		case err == nil:
			r := once(t, out, cfg, s, plan{seed: transcript.Seed, transcript: transcript}, test)
			if given || r.Failed() {
				return onlyFailed(r)
			}
		case given || !errors.Is(err, fs.ErrNotExist):
			out.Errorf("%v", err)
			return nil
		}
	}
	first := cfg.Seed
	if s.only {
		first = s.seed
	}
	for i := range s.seeds {
		if r := once(t, out, cfg, s, plan{seed: first + uint64(i)}, test); r.Failed() || t.Failed() {
			return r
		}
	}
	return nil
}

func onlyFailed(r *Result) *Result {
	if r.Failed() {
		return r
	}
	return nil
}

// once makes one run, or two of which the second must be like the first.
func once(t *testing.T, out reporter, cfg sim.Config, s settings, p plan, test Test) *Result {
	t.Helper()
	p.ask = s.check
	if s.trace != "" {
		file, err := os.Create(s.trace)
		if err != nil {
			out.Errorf("-sim.trace: %v", err)
		} else {
			defer file.Close() //nolint:errcheck // a trace is for reading
			p.trace = file
		}
	}
	r := attempt(t, cfg, p, test)
	if s.check {
		if where, differs := divergence(r, attempt(t, cfg, p, test)); differs {
			r.Failures = append([]Failure{{Kind: "diverged", Text: where}}, r.Failures...)
		}
	}
	return r
}

// report tells what failed, and how to see it again.
func report(t *testing.T, out reporter, cfg sim.Config, s settings, r *Result, file string, test Test) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "the simulation failed with seed %#x\n", r.Transcript.Seed)
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(f.String(), "\n", "\n    "))
	}
	if len(r.Failures) == 0 {
		b.WriteString("  (the test failed its testing.T: give the *World to require and assert instead)\n")
	}
	fmt.Fprintf(&b, "faults dealt:   %s\n", r.Dealt)
	fmt.Fprintf(&b, "that happened:  %s\n", cmp.Or(r.Counts.String(), "none"))
	name := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	if !r.Searched {
		fmt.Fprintf(&b, "run it again:   go test -run '%s' -sim.seed=%#x\n", name, r.Transcript.Seed)
	}
	if s.replay != "" || len(r.Failures) == 0 || r.Failures[0].Kind == "diverged" {
		out.Errorf("%s", b.String())
		return
	}
	small := Shrink(t, cfg, r.Transcript, s.shrink, test)
	if err := small.Write(file); err != nil {
		fmt.Fprintf(&b, "no transcript:  %v\n", err)
	} else {
		fmt.Fprintf(&b, "or its %d of %d decisions:  go test -run '%s' -sim.replay=%s\n", small.Len(),
			r.Transcript.Len(), name, filepath.ToSlash(file))
		fmt.Fprintf(&b, "%s", small)
	}
	out.Errorf("%s", b.String())
}
