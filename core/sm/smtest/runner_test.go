package smtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// wisher wants one of everything when it starts and tells what it was brought.
type wisher struct{ log string }

func (m *wisher) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	m.log = fmt.Sprintf("kind %d gen %d cause %d ts %d at %s",
		ev.Kind, ev.Tok.Gen, ev.Cause.Kind, ev.TS, time.Duration(ev.Now))
	if ev.Kind != ports.EventStart {
		return
	}
	to := ports.Endpoint{Store: 1, Address: "s1"}
	hdr := &ports.Header{Region: ports.RegionVersion{ID: 2, Epoch: ports.Epoch{ConfVer: 3, Version: 7}},
		Peer: ports.Peer{ID: 21}, MaxExecution: 1, IsRetry: true}
	out.Send(env.Token(), to, hdr, &ports.GetRequest{Key: []byte("k")}, 5)
	out.Timestamp(env.Token(), ports.Never)
	out.Arm(env.Token(), 2_000_000, "txnLock")
	out.Arm(env.Token(), 3_000_000, "")
	for kind := ports.QueryRegion; kind <= ports.QueryStores; kind++ {
		out.Query(env.Token(), &ports.Query{Kind: kind, Key: []byte("a"), End: []byte("b"), Limit: 2, Store: 7,
			Fresh: kind == ports.QueryStores}, 5)
	}
	out.Probe(env.Token(), to, 5)
	out.Ask(env.Token(), &ports.Ask{Key: []byte("a"), Until: []byte{}, Newer: hdr.Region, Deadline: 5})
	out.Ask(env.Token(), &ports.Ask{Kind: ports.AskRegionByEnd, Deadline: 5})
	out.Ask(env.Token(), &ports.Ask{Kind: ports.AskStore, Store: 7, Deadline: 5})
	out.Learn(&ports.Fact{Kind: ports.FactStoreBusy, Store: 7, Wait: time.Second})
	out.Tell(ports.Waiter{Op: 4, Tok: ports.Tok{Gen: 5}}, ports.Cause{Kind: ports.CauseHung, Text: "silent"})
	out.Tell(ports.Waiter{}, ports.Cause{})
	out.Forget(to)
	out.Answer()
}
func (m *wisher) Done() bool           { return false }
func (m *wisher) Fingerprint(*sm.Hash) {}
func (m *wisher) String() string       { return "wisher" }

func newWisher() *smtest.Runner {
	m := &wisher{}
	r := smtest.NewRunner(m)
	r.Status = func() string { return "= " + m.log }
	return r
}

func TestRunnerWritesEveryEffect(t *testing.T) {
	require.Equal(t, `send #1 to store 1, region 2:7.3 peer 21 {IsRetry:true}: GetRequest{Key:"k"} by 5ns
ask #2 the oracle by never
pause #3 until 2ms (txnLock)
arm #4 at 3ms
query #5 PD for region of "a" by 5ns
query #6 PD for region below "a" by 5ns
query #7 PD for 2 regions of ["a","b") by 5ns
query #8 PD for store 7 by 5ns
query #9 PD for stores, fresh by 5ns
probe #10 store 1 at s1 by 5ns
ask #11 the table for region of "a" until "" newer than 2:7.3 by 5ns
ask #12 the table for region below nil by 5ns
ask #13 the table for store 7 by 5ns
learn store busy {Store:7 Wait:1s}
tell 4/5: hung (silent)
tell 0/0: ok
forget store 1 at s1
answer
= kind 0 gen 0 cause 0 ts 0 at 0s
`, newWisher().Feed(ports.Event{Kind: ports.EventStart}))
}

// A script's answers carry the tokens of the effects that their numbers name; a timer
// comes at its instant.
func TestRunnerAnswers(t *testing.T) {
	r := newWisher()
	r.Commands = map[string]func([]string) (ports.Event, error){
		"served": func(args []string) (ports.Event, error) {
			return ports.Event{Kind: ports.EventReply}, nil
		},
		"refuse": func(args []string) (ports.Event, error) { return ports.Event{}, fmt.Errorf("no: %v", args) },
	}
	r.Play("start")
	require.Equal(t, 13, r.Pending())
	sent, ok := r.Sent(4)
	require.True(t, ok)
	require.Equal(t, sm.EffectArm, sent.Kind)
	for script, want := range map[string]string{
		"lost #1 hung":      "= kind 2 gen 1 cause 7 ts 0 at 0s",
		"unsent #1":         "= kind 3 gen 1 cause 0 ts 0 at 0s",
		"told #11 notfound": "= kind 11 gen 11 cause 6 ts 0 at 0s",
		"probed #10":        "= kind 8 gen 10 cause 0 ts 0 at 0s",
		"timestamp #2 42":   "= kind 5 gen 2 cause 0 ts 42 at 0s",
		"served #1":         "= kind 1 gen 1 cause 0 ts 0 at 0s",
		"cancel":            "= kind 9 gen 0 cause 0 ts 0 at 0s",
		"lost #99":          "script error: nothing has the number 99",
		"lost #x":           "script error: strconv.Atoi: parsing \"x\": invalid syntax",
		"lost #1 tired":     "script error: unknown cause \"tired\"",
		"advance":           "script error: advance by how much?",
		"advance soon":      "script error: time: invalid duration \"soon\"",
		"refuse #1 it":      "script error: no: [it]",
		"sing":              "script error: unknown command \"sing\"",
	} {
		require.Equal(t, script+"\n  "+want+"\n", r.Play(script+"\n\n# a comment"), script)
	}
	require.Contains(t, r.Play("timer #4"), "at 3ms")
	require.Contains(t, r.Play("advance 1ms\ntimer #3"), "at 4ms", "late, as its instant has passed")
}

func TestRegionText(t *testing.T) {
	for _, text := range []string{
		"2:7.3 [a,m)", "2:7.3 [,) 21@1* 22@2/learner 23@3/down", "1:1.1 [a,) 1@1/incoming 2@2/demoting/witness/down*",
	} {
		r, err := smtest.ParseRegion(text)
		require.NoError(t, err)
		require.Equal(t, text, smtest.FormatRegion(&r))
	}
	for _, text := range []string{"", "2:7.3", "2-7 [a,b)", "2:7.3 [a)", "2:7.3 [a,b) 21", "2:7.3 [a,b) 21@1/king"} {
		_, err := smtest.ParseRegion(text)
		require.Error(t, err, text)
		require.Panics(t, func() { smtest.Entry(text) }, text)
	}
	require.Equal(t, 1, smtest.Entry("2:7.3 [a,b) 21@1 22@2*").Leading)
}

// Values are written without what is zero, whatever they are.
func TestValueText(t *testing.T) {
	region, err := smtest.ParseRegion("2:1.1 [a,b) 21@1*")
	require.NoError(t, err)
	scan := &ports.RawScanRequest{Range: ports.KeyRange{Start: []byte("a")}, Limit: 2, Reverse: true}
	for want, x := range map[string]any{
		"nil":                        nil,
		`KV{Key:"k" Value:"" TTL:3}`: ports.KV{Key: []byte("k"), Value: []byte{}, TTL: 3},
		`Cause{Kind:7 Text:"x"}`:     &ports.Cause{Kind: ports.CauseHung, Text: "x"},
		`[2:1.1 [a,b) 21@1*]`:        []ports.Region{region},
		`RawScanRequest{Range:["a",) Limit:2 Reverse:true}`: scan,
		"-3":  int8(-3),
		"1.5": 1.5,
	} {
		require.Equal(t, want, smtest.Value(x))
	}
}

func TestViews(t *testing.T) {
	v := smtest.Regions{smtest.Entry("1:1.1 [,b) 1@1*"), smtest.Entry("2:1.1 [b,m) 1@1*"), smtest.Entry("3:1.1 [t,) 1@1*")}
	v = append(v, smtest.Entry("4:1.1 [m,t) 1@1*"))
	v[3].Expiry = 5
	find := func(r *sm.Region) string {
		if r == nil {
			return "-"
		}
		return fmt.Sprint(r.ID)
	}
	var from, below []string
	for _, key := range []string{"", "a", "b", "c", "m", "n", "t", "z"} {
		from = append(from, find(v.Find([]byte(key), 5)))
		below = append(below, find(v.FindByEnd([]byte(key), 5)))
	}
	require.Equal(t, "1 1 2 2 - - 3 3", strings.Join(from, " "))
	require.Equal(t, "3 1 1 2 2 - - 3", strings.Join(below, " "))
	require.Equal(t, "4", find(v.FindByEnd([]byte("n"), 4)))

	stores := smtest.Up(1, 3)
	require.Equal(t, "store3", stores.Store(3).Address)
	require.Nil(t, stores.Store(2))
}
