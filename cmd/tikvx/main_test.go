package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call runs a command line and returns what it printed.
func call(t *testing.T, args ...string) (status int, out, problems string) {
	t.Helper()
	var o, p bytes.Buffer
	status = run(t.Context(), args, &o, &p)
	return status, o.String(), p.String()
}

// cluster serves a simulated cluster and returns where its PD is.
func cluster(t *testing.T, cfg sim.Config) string {
	t.Helper()
	w, err := sim.New(cfg)
	require.NoError(t, err)
	c, err := serve.Start(w, serve.Config{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c.PD()
}

// What one command writes the next one reads, for both kinds of keys.
func TestKeys(t *testing.T) {
	for _, raw := range []bool{false, true} {
		t.Run(fmt.Sprint("raw=", raw), func(t *testing.T) {
			pd := cluster(t, sim.Config{RawKeys: raw})
			on := func(args ...string) (int, string, string) {
				args = append(args, "--pd", pd)
				if raw {
					args = append(args, "--raw")
				}
				return call(t, args...)
			}
			prints := func(want string, args ...string) {
				t.Helper()
				status, out, problems := on(args...)
				require.Zero(t, status, problems)
				require.Equal(t, want, out)
				require.Empty(t, problems)
			}
			prints("", "put", "a", "1")
			prints("", "put", "b1", "2")
			prints("", "put", "b2", "3")
			prints("1\n", "get", "a")
			prints("a\t1\nb1\t2\nb2\t3\n", "scan")
			prints("b2\t3\nb1\t2\n", "scan", "--prefix", "b", "--reverse")
			prints("b1\nb2\n", "scan", "--from", "b", "--keys-only")
			prints("a\t1\n", "scan", "--to", "b", "--limit", "1")
			prints("", "del", "a")
			prints("", "scan", "--to", "b")

			status, out, problems := on("get", "a")
			require.Equal(t, 1, status)
			require.Empty(t, out)
			require.Equal(t, "tikvx: key not found\n", problems, "a real cluster needs no hint")
		})
	}
}

func TestLifeOfRawKeys(t *testing.T) {
	pd := cluster(t, sim.Config{RawKeys: true})
	status, _, problems := call(t, "put", "k", "v", "--raw", "--ttl", "1h", "--pd", pd)
	require.Zero(t, status, problems)
	db, err := tikvx.Open(t.Context(), []string{pd})
	require.NoError(t, err)
	life, err := db.Raw().TTL(t.Context(), []byte("k"))
	require.NoError(t, err)
	require.InDelta(t, time.Hour, life, float64(time.Minute))
	require.NoError(t, db.Close(t.Context()))
}

// Without --pd each command has a cluster of its own.
func TestEmbedded(t *testing.T) {
	for _, raw := range [][]string{nil, {"--raw"}} {
		for _, args := range [][]string{{"put", "k", "v"}, {"del", "k"}, {"scan"}} {
			status, out, problems := call(t, append(args, raw...)...)
			require.Zero(t, status, problems)
			require.Empty(t, out+problems)
		}
		status, _, problems := call(t, append([]string{"get", "k"}, raw...)...)
		require.Equal(t, 1, status)
		require.Equal(t, "tikvx: key not found (without --pd the cluster is simulated and empty)\n", problems)
	}
}

// Whatever goes wrong is one line that begins with the program's name, once, and says what to do.
func TestProblems(t *testing.T) {
	const down = "127.0.0.1:1"
	for line, want := range map[string]string{
		"get":                            `^usage: tikvx get KEY \[flags\] \(see tikvx --help\)$`,
		"put k":                          `^usage: tikvx put KEY VALUE \[flags\] \(see`,
		"scan k":                         `^usage: tikvx scan \[flags\] \(see`,
		"demo now":                       `^usage: tikvx demo \[flags\] \(see`,
		"fetch k":                        `^unknown command "fetch" for "tikvx"`,
		"get k --limit 1":                `^unknown flag: --limit \(see`,
		"scan --limit many":              `^invalid argument "many".*\(see`,
		"scan --limit 0":                 `^scan: misuse \(limit\): not positive \(see`,
		"scan --from b --to a":           `^scan: misuse \(range\): end before start \(see`,
		"scan --prefix a --to b":         `^--prefix and --from or --to exclude each other \(see`,
		"put k v --ttl 1h":               `^--ttl needs --raw: transactional keys live for ever \(see`,
		"demo --for 0s":                  `^--for must be positive \(see`,
		"get k --pd host":                `^open: misuse \(endpoints\): .*host.*\(is PD running there\? --pd takes`,
		"get k --timeout 1ns":            `^.*: unavailable: deadline passed.*\(are all stores up\?`,
		"get k --ca ca.pem --pd " + down: `^open: misuse \(WithTLS\): a file is not named \(see`,
		"get k --timeout 300ms --pd " + down: `^open: unavailable: deadline passed: .*127\.0\.0\.1:1.*` +
			`\(is PD running there\?`,
	} {
		t.Run(line, func(t *testing.T) {
			status, out, problems := call(t, strings.Fields(line)...)
			require.Equal(t, 1, status)
			require.Empty(t, out)
			text, named := strings.CutPrefix(problems, "tikvx: ")
			require.True(t, named, problems)
			require.Regexp(t, want, strings.TrimSuffix(text, "\n"))
			require.Equal(t, 1, strings.Count(problems, "\n"), problems)
			require.NotContains(t, text, "tikvx: ")
		})
	}
}

func TestHints(t *testing.T) {
	unknown := &tikvx.Error{Code: tikvx.ErrUnavailable, Op: "put", Outcome: tikvx.Unknown}
	require.Contains(t, explain(unknown, true), "put: unavailable; outcome unknown (the write may have happened")
	lock := &tikvx.Error{Code: tikvx.ErrUnsupported, Op: "get", Outcome: tikvx.Aborted}
	require.Contains(t, explain(lock, true), "(another program left a lock")
	internal := &tikvx.Error{Code: tikvx.ErrInternal, Op: "get", Outcome: tikvx.Aborted}
	require.Equal(t, "get: internal error", explain(internal, false))
	require.Equal(t, "audit: get: internal error", explain(fmt.Errorf("audit: %w", internal), false))
	require.Equal(t, "open: context canceled (interrupted)", explain(fmt.Errorf("open: %w", context.Canceled), false))
}

// The demonstration judges itself, and draws nothing where no terminal is.
func TestDemo(t *testing.T) {
	status, out, problems := call(t, "demo", "--for", "500ms", "--seed", "3")
	require.Zero(t, status, problems)
	require.Empty(t, problems, "no bar")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Regexp(t, `^faults: \w`, lines[0])
	require.Regexp(t, `^did not happen: \w`, lines[1], "half a second is too short for everything")
	last := lines[len(lines)-1]
	require.Regexp(t, regexp.MustCompile(
		`^demo: ok transfers=[1-9]\d* conflicts=\d+ unknown=\d+ lost=\d+ wrong=0 total=100000 expected=100000$`), last)
}

func TestDemoIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, problems bytes.Buffer
	timer := time.AfterFunc(200*time.Millisecond, cancel)
	defer timer.Stop()
	require.Equal(t, 1, run(ctx, []string{"demo", "--for", "1h"}, &out, &problems))
	require.Contains(t, problems.String(), "(interrupted)")
	require.NotContains(t, out.String(), "demo: ok")
}

// A device that takes characters is drawn on; the bar ends with its context.
func TestProgress(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer device.Close()
	require.True(t, isTerminal(device))
	drawn := 0
	ctx, cancel := context.WithCancel(t.Context())
	showProgress(ctx, device, time.Millisecond, func() string {
		if drawn++; drawn == 3 {
			cancel()
		}
		return "state"
	})
	require.GreaterOrEqual(t, drawn, 3)
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer file.Close()
	require.False(t, isTerminal(file))
}
