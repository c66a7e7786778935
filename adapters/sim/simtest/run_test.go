package simtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
)

// said is a reporter that keeps what it is told.
type said struct{ strings.Builder }

func (*said) Helper()                          {}
func (s *said) Errorf(f string, a ...any)      { fmt.Fprintf(s, f, a...) }
func (s *said) Logf(f string, a ...any)        { fmt.Fprintf(s, f, a...) }
func (s *said) failed(t *testing.T, r *Result) { require.NotNil(t, r, s.String()) }

// lost fails when a request was lost: the smallest story is that of one lost request.
func lost(w *World, db *app.Client) {
	w.Go("writer", func(ctx context.Context) error {
		for i := range 30 {
			_ = write(ctx, db, fmt.Sprint(i))
		}
		return nil
	})
	w.Wait()
	w.Do(func(world *sim.World) {
		if counts := world.Counts(); counts[sim.FaultRequestLost] > 0 {
			w.Errorf("a request was lost")
		}
	})
}

var messages = sim.Config{Faults: sim.FaultsOf(sim.FaultRequestLost, sim.FaultReplyLost, sim.FaultSlow)}

func TestAFailureIsShrunkReportedAndReplayed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sub", "x.log")
	out, s := &said{}, settings{seeds: 50, shrink: 500}
	r := search(t, out, messages, s, file, lost)
	out.failed(t, r)
	report(t, out, messages, s, r, file, lost)
	require.Contains(t, out.String(), "check: a request was lost")
	require.Contains(t, out.String(), fmt.Sprintf("-sim.seed=%#x", r.Transcript.Seed))
	require.Contains(t, out.String(), "-sim.replay="+filepath.ToSlash(file))

	small, err := ReadTranscript(file)
	require.NoError(t, err)
	require.Equal(t, 1, small.Len(), "%v", small)
	require.Contains(t, small.log(), "request-lost ")

	// The file is what the next run begins with.
	again := &said{}
	next := search(t, again, messages, settings{seeds: 1}, file, lost)
	again.failed(t, next)
	require.Equal(t, small.made, next.Transcript.made)
	// Once it does not fail any more, seeds are run again.
	require.Nil(t, search(t, again, messages, settings{seeds: 1}, file, func(*World, *app.Client) {}))
}

// added adds to a counter once, within a time in which the client cannot make up for everything. A test that takes an
// unknown outcome for a failure is found out by one loss; honest is one that does not.
func added(honest bool) Test {
	return func(w *World, db *app.Client) {
		var outcome app.Outcome
		w.Go("adder", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second/10)
			defer cancel()
			outcome = app.OutcomeOf(write(ctx, db, "k"))
			return nil
		})
		w.Wait()
		snap, err := db.Snapshot(w.Context())
		w.NoErr(err)
		_, err = snap.Get(w.Context(), []byte("k"))
		if outcome == app.Aborted || !honest && outcome == app.Unknown {
			require.ErrorIs(w, err, app.ErrNotFound)
		}
	}
}

func TestEverySequenceIsRun(t *testing.T) {
	bounds := sim.Bounds{Sites: []sim.Site{sim.SiteRequestLost, sim.SiteReplyLost}, Depth: 20, Most: 2}
	file := filepath.Join(t.TempDir(), "x.log")
	out := &said{}
	require.Greater(t, exhaust(t, out, messages, settings{seeds: 5}, bounds, file, added(true)), 5)
	require.Empty(t, out.String())
	Exhaust(t, messages, bounds, added(true))

	found := exhaust(t, out, messages, settings{shrink: 10}, bounds, file, added(false))
	require.Contains(t, out.String(), "-sim.replay="+filepath.ToSlash(file))
	require.NotContains(t, out.String(), "-sim.seed")
	small, err := ReadTranscript(file)
	require.NoError(t, err)
	require.Equal(t, 1, small.Len(), "%v", small)
	require.Equal(t, found, exhaust(t, &said{}, messages, settings{}, bounds, "", added(false)), "always the same")
	require.Zero(t, exhaust(t, out, messages, settings{}, bounds, file, added(false)), "the file comes first")
	require.Zero(t, exhaust(t, out, messages, settings{replay: file}, bounds, file, added(true)))
}

func TestOneSeedOneTranscript(t *testing.T) {
	runs := 0
	count := func(*World, *app.Client) { runs++ }
	trace := filepath.Join(t.TempDir(), "trace")
	run(t, messages, settings{only: true, seed: 7, seeds: 1, trace: trace}, "", count)
	require.Equal(t, 1, runs)
	require.FileExists(t, trace)
	run(t, messages, settings{seeds: 3, check: true}, "", count)
	require.Equal(t, 7, runs)
	file := filepath.Join(t.TempDir(), "x.log")
	require.NoError(t, os.WriteFile(file, []byte("seed 0x7\n"), 0o600))
	run(t, messages, settings{seeds: 3, replay: file}, "", count)
	require.Equal(t, 8, runs)
	out := &said{}
	require.Nil(t, search(t, out, messages, settings{seeds: 3, replay: file + ".missing"}, "", count))
	require.Contains(t, out.String(), "no such file")
	require.Equal(t, 8, runs)
}

// What makes runs differ is found, and where.
func TestDivergence(t *testing.T) {
	calls := 0
	out := &said{}
	s := settings{seeds: 1, check: true}
	r := search(t, out, messages, s, "", func(w *World, db *app.Client) {
		calls++
		w.Go("t", func(ctx context.Context) error {
			time.Sleep(time.Duration(calls) * time.Millisecond)
			return write(ctx, db, "k")
		})
	})
	out.failed(t, r)
	require.Equal(t, "diverged", r.Failures[0].Kind)
	require.Regexp(t, `^decision \d+ differs: `, r.Failures[0].Text)
	report(t, out, messages, s, r, "", nil)
	require.Contains(t, out.String(), "diverged: ")

	longer := &Result{asked: []question{{}}}
	where, _ := divergence(&Result{}, longer)
	require.Equal(t, "0 decisions, then 1", where)
	where, _ = divergence(&Result{}, &Result{Hash: 1})
	require.Contains(t, where, "after the last decision")
	_, differs := divergence(longer, longer)
	require.False(t, differs)
}

func TestRunUsesFlags(t *testing.T) {
	Run(t, messages, func(w *World, db *app.Client) { w.NoErr(write(w.Context(), db, "k")) })
	_, err := os.Stat("testdata")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTranscripts(t *testing.T) {
	text := "seed 0x2a\ndelay 3=1 9=4\nrequest-lost 17=1\n"
	tr, err := ParseTranscript("# a comment\n\n" + text)
	require.NoError(t, err)
	require.Equal(t, text, tr.String())
	require.Equal(t, 3, tr.Len())
	tr.Failure = Failure{"panic", "ouch\nstack"}
	tr.Story = make([]string, storyLines+2)
	require.Contains(t, tr.String(), "# panic: ouch\n#\n")
	require.NotContains(t, tr.String(), "stack")
	require.Contains(t, tr.String(), "# … and 2 more\n")
	for _, bad := range []string{"", "seed x\n", "seed 1\nseed 2\n", "seed 1\nno-site 1=1\n", "seed 1\ndelay 1=0\n"} {
		_, err := ParseTranscript(bad)
		require.Error(t, err, bad)
	}
	_, err = ReadTranscript(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
	require.Error(t, tr.Write("/dev/null/x/y"))
}

func TestConfigurationsThatMakeNoRun(t *testing.T) {
	nothing := func(*World, *app.Client) {}
	r := Try(t, sim.Config{Chooser: sim.Boring{}}, 1, nothing)
	require.Contains(t, r.Failures[0].Text, "leave Config.Chooser nil")
	require.True(t, Try(t, sim.Config{Stores: -1}, 1, nothing).Failed())
	bad := &Transcript{made: []decision{{"no-site", 1, 1}}}
	require.True(t, Replay(t, sim.Config{}, bad, nothing).Failed())
	require.Equal(t, bad, Shrink(t, sim.Config{}, bad, 0, nothing))
}
