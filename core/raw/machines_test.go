package raw

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

func newPoint(init func(*Point)) func() (*Point, *smtest.Runner) {
	return func() (*Point, *smtest.Runner) {
		p := &Point{}
		init(p)
		return p, newRunner(p)
	}
}

func getA(p *Point) { p.InitGet([]byte("a"), Options{}, deadline) }
func putA(p *Point) { p.InitPut([]byte("a"), []byte("v"), 0, Options{}, deadline) }
func swapA(p *Point) {
	p.InitSwap([]byte("a"), Swap{Previous: []byte("u"), Value: []byte("v")}, Options{}, deadline)
}

func newBatch() (*Batch, *smtest.Runner) {
	b := &Batch{}
	b.InitPut([]ports.KV{{Key: []byte("a"), Value: []byte("v")}, {Key: []byte("z")}}, Options{}, deadline)
	return b, newRunner(b)
}

func newDeleteRange() (*DeleteRange, *smtest.Runner) {
	m := &DeleteRange{}
	m.Init(ports.KeyRange{Start: []byte("b")}, Options{}, deadline)
	return m, newRunner(m)
}

func newScan() (*ScanPage, *smtest.Runner) {
	m := &ScanPage{}
	m.Init(ports.KeyRange{Start: []byte("b")}, 2, false, false, Options{}, deadline)
	return m, newRunner(m)
}

// Every kind of event in every state of every machine.
func TestTransitions(t *testing.T) {
	idle := map[ports.EventKind]bool{ports.EventStart: false}
	sent := func(reply, lost bool) map[ports.EventKind]bool {
		return map[ports.EventKind]bool{
			ports.EventReply: reply, ports.EventLost: lost, ports.EventUnsent: false, ports.EventCancel: true,
		}
	}
	paused := map[ports.EventKind]bool{ports.EventTimer: false, ports.EventCancel: true}
	put := &ports.RawWriteReply{Of: ports.VerbRawPut}
	puts := &ports.RawWriteReply{Of: ports.VerbRawBatchPut}
	emptied := &ports.RawWriteReply{Of: ports.VerbRawDeleteRange}

	transitions(t, "get, idle", newPoint(getA), "", put, idle)
	transitions(t, "get, sent", newPoint(getA), "start", &ports.RawGetReply{}, sent(true, false))
	transitions(t, "get, paused", newPoint(getA), "start\nfault #1 busy", put, paused)
	transitions(t, "get, finished", newPoint(getA), "start\nvalue #1 v", put, nil)
	transitions(t, "swap, sent", newPoint(swapA), "start", &ports.RawCompareAndSwapReply{}, sent(true, true))
	transitions(t, "put, wrong reply", newPoint(putA), "start", &ports.RawGetReply{}, sent(true, false))

	transitions(t, "batch, idle", newBatch, "", puts, idle)
	transitions(t, "batch, sent", newBatch, "start", puts, sent(false, false))
	transitions(t, "batch, last", newBatch, "start\nputs #1", puts, sent(true, false))
	transitions(t, "batch, failed", newBatch, "start\nputs #1 no", puts, map[ports.EventKind]bool{
		ports.EventReply: true, ports.EventLost: true, ports.EventUnsent: true, ports.EventCancel: true,
	})
	transitions(t, "batch, regrouping", newBatch, "start\nputs #1\nfault #2 split a", puts, map[ports.EventKind]bool{
		ports.EventTell: false, ports.EventCancel: true,
	})
	transitions(t, "batch, finished", newBatch, "start\nputs #1\nputs #2", puts, nil)

	transitions(t, "delete range, idle", newDeleteRange, "", emptied, idle)
	transitions(t, "delete range, sent", newDeleteRange, "start", emptied, sent(false, false))
	transitions(t, "delete range, last", newDeleteRange, "start\nemptied #1", emptied, sent(true, false))
	transitions(t, "delete range, finished", newDeleteRange, "start\nemptied #1\nemptied #2", emptied, nil)

	scanned := &ports.RawScanReply{}
	transitions(t, "scan, idle", newScan, "", scanned, idle)
	transitions(t, "scan, sent", newScan, "start", scanned, sent(false, false))
	transitions(t, "scan, last", newScan, "start\nscanned #1", scanned, sent(true, false))
	transitions(t, "scan, finished", newScan, "start\nscanned #1\nscanned #2", scanned, nil)
}

// failing is what the four machines have in common for the test below.
type failing interface {
	sm.Machine
	Failure() *sm.Failure
}

// A call that fails, for whatever cause, ends the machine with the call's failure.
func TestEveryFailureOfACallEndsTheMachine(t *testing.T) {
	for name, fresh := range map[string]func() (failing, *smtest.Runner){
		"point":        func() (failing, *smtest.Runner) { return newPoint(putA)() },
		"batch":        func() (failing, *smtest.Runner) { return newBatch() },
		"delete range": func() (failing, *smtest.Runner) { return newDeleteRange() },
		"scan":         func() (failing, *smtest.Runner) { return newScan() },
	} {
		for cause := ports.CauseNone; cause <= ports.CauseHung; cause++ {
			m, r := fresh()
			script(t, r, "start")
			r.Now = deadline
			for n := 1; n <= r.Pending() && !m.Done(); n++ {
				sent, _ := r.Sent(n)
				r.Feed(ports.Event{Kind: ports.EventLost, Tok: sent.Tok, Cause: ports.Cause{Kind: cause}})
			}
			require.True(t, m.Done(), "%s, cause %d", name, cause)
			require.True(t, m.Failure().Failed(), "%s, cause %d", name, cause)
		}
	}
}

// A batch whose keys cannot be grouped ends with the reason.
func TestBatchCannotBeGrouped(t *testing.T) {
	b, r := newBatch()
	r.Env.Regions = smtest.Regions(nil)
	script(t, r, "start\ntold #1 closed")
	require.True(t, b.Done())
	require.Equal(t, sm.FailRejected, b.Failure().Code)
	require.Equal(t, NotApplied, b.Outcome(), "nothing was sent")
}

// An event whose address names a worker that is free, or none, finds nobody.
func TestBatchIgnoresWrongAddresses(t *testing.T) {
	b, r := newBatch()
	script(t, r, "start\nputs #1")
	sent, _ := r.Sent(2)
	before := b.String()
	for hop := range 256 {
		if addr := ports.Addr(0).With(0, uint8(hop)); addr != sent.Tok.Addr {
			r.Feed(ports.Event{Kind: ports.EventReply, Tok: ports.Tok{Addr: addr, Gen: sent.Tok.Gen}})
			require.Equal(t, before, b.String())
		}
	}
}

// After a failure a request that could be repeated at once is not.
func TestBatchRepeatsNothingAfterAFailure(t *testing.T) {
	b, r := newBatch()
	r.Env.Regions = smtest.Regions{smtest.Entry("1:1.1 [,m) 11@1* 12@2"), smtest.Entry("2:1.1 [m,) 21@2*")}
	script(t, r, "start\nputs #1 invalid cf name: x\nunsent #2 connection")
	require.True(t, b.Done())
	require.Equal(t, []Outcome{NotApplied, NotApplied}, b.Outcomes())
	require.Equal(t, 2, r.Pending(), "the second peer was not asked")
}

// Children are told apart by their address.
func TestSingleCallsIgnoreOtherAddresses(t *testing.T) {
	for name, fresh := range map[string]func() (failing, *smtest.Runner){
		"point":        func() (failing, *smtest.Runner) { return newPoint(putA)() },
		"delete range": func() (failing, *smtest.Runner) { return newDeleteRange() },
		"scan":         func() (failing, *smtest.Runner) { return newScan() },
	} {
		m, r := fresh()
		script(t, r, "start")
		sent, _ := r.Sent(1)
		before := m.String()
		r.Feed(ports.Event{Kind: ports.EventLost, Tok: ports.Tok{Addr: 2, Gen: sent.Tok.Gen}})
		require.Equal(t, before, m.String(), name)
	}
}

// Whoever gives up says what was tried.
func TestFailuresCarryTheirHistory(t *testing.T) {
	for _, tt := range []struct {
		fresh func() (failing, *smtest.Runner)
		text  string
	}{
		{func() (failing, *smtest.Runner) { return newPoint(swapA)() }, "start\nlost #1 connection"},
		{func() (failing, *smtest.Runner) { return newPoint(putA)() }, "start\nlost #1 connection\ncancel"},
		{func() (failing, *smtest.Runner) { return newBatch() }, "start\nlost #1 connection\ncancel"},
		{func() (failing, *smtest.Runner) { return newDeleteRange() }, "start\nlost #1 connection\ncancel"},
		{func() (failing, *smtest.Runner) { return newScan() }, "start\nlost #1 connection\ncancel"},
	} {
		m, r := tt.fresh()
		script(t, r, tt.text)
		require.True(t, m.Done())
		f := m.Failure()
		require.Equal(t, 1, f.History.Count, "%s", m)
		require.Equal(t, ports.CauseConnection, f.Cause.Kind)
	}
}

// A page of any size asks for no more than a request can.
func TestHugePages(t *testing.T) {
	m := &ScanPage{}
	m.Init(ports.KeyRange{}, math.MaxUint32+2, false, false, Options{}, deadline)
	r := newRunner(m)
	script(t, r, "start")
	require.Equal(t, uint32(math.MaxUint32), r.Effects[0].Request.(*ports.RawScanRequest).Limit)
}

// A region whose bounds are no keys of this client's is not scanned.
func TestForeignRegionBounds(t *testing.T) {
	for name, fresh := range map[string]func() (failing, *smtest.Runner){
		"delete range": func() (failing, *smtest.Runner) { return newDeleteRange() },
		"scan":         func() (failing, *smtest.Runner) { return newScan() },
	} {
		m, r := fresh()
		r.Env.Codec = key.Codec{Mode: key.Txn}
		r.Env.Regions = smtest.Regions{smtest.Entry("1:1.1 [,raw-keys-look-like-this) 11@1*")}
		script(t, r, "start")
		require.True(t, m.Done(), name)
		require.Equal(t, sm.FailProtocol, m.Failure().Code)
	}
}

// The outcome of a batch as a whole.
func TestJoin(t *testing.T) {
	all := []Outcome{NotApplied, Applied, Unknown}
	for _, a := range all {
		for _, b := range all {
			want := Unknown
			if a == b {
				want = a
			}
			require.Equal(t, want, join(a, b))
		}
	}
	require.Equal(t, "[not applied applied unknown invalid]",
		fmt.Sprint([]Outcome{NotApplied, Applied, Unknown, Unknown + 1}))
}

// Every text that may be shown is recognised by its beginning, and only by that.
func TestAnswers(t *testing.T) {
	for _, a := range answers {
		f, maybe := rejected(a.beginning + ", range: 61")
		require.Equal(t, a.beginning, f.Text)
		require.Equal(t, !a.refusal, maybe)
		f, maybe = rejected("61 " + a.beginning)
		require.True(t, maybe)
		require.NotContains(t, f.Text, "61")
		require.Equal(t, "61 "+a.beginning, f.KeyError.Text)
	}
}

// What is read is copied out of the reply, which is only lent.
func TestNothingLentIsKept(t *testing.T) {
	value := []byte("v")
	p, r := newPoint(getA)()
	script(t, r, "start")
	sent, _ := r.Sent(1)
	r.Feed(ports.Event{Kind: ports.EventReply, Tok: sent.Tok, Reply: &ports.RawGetReply{Value: value}})
	value[0] = '!'
	got, _ := p.Value()
	require.Equal(t, "v", string(got))

	lent := []ports.Pair{{Key: []byte("b"), Value: []byte("v")}, {Key: []byte("c"), Value: []byte{}}}
	b := &Batch{}
	b.InitGet(keysOf("b", "c"), Options{}, deadline)
	r = newRunner(b)
	script(t, r, "start")
	sent, _ = r.Sent(1)
	r.Feed(ports.Event{Kind: ports.EventReply, Tok: sent.Tok, Reply: &ports.RawBatchGetReply{Pairs: lent}})
	s, r2 := newScan()
	script(t, r2, "start")
	sent, _ = r2.Sent(1)
	r2.Feed(ports.Event{Kind: ports.EventReply, Tok: sent.Tok, Reply: &ports.RawScanReply{Pairs: lent}})
	lent[0].Key[0], lent[0].Value[0] = '!', '!'
	want := []ports.KV{{Key: []byte("b"), Value: []byte("v")}, {Key: []byte("c"), Value: []byte{}}}
	require.Equal(t, want, b.Pairs())
	require.Equal(t, want, s.Pairs(), "an empty value is not nil")
	_ = append(b.Pairs()[0].Key, '!')
	require.Equal(t, "v", string(b.Pairs()[0].Value), "pairs do not touch")
}

func TestContracts(t *testing.T) {
	for _, init := range []func(*Point){
		getA, putA, swapA,
		func(p *Point) { p.InitTTL([]byte("a"), Options{CF: "c", ForCAS: true}, deadline) },
		func(p *Point) { p.InitDelete([]byte("a"), Options{CF: "c", Priority: ports.PriorityLow}, deadline) },
	} {
		p, r := newPoint(init)()
		script(t, r, "start\nfault #1 busy")
		smtest.Contract(t, p)
	}
	p, r := newPoint(getA)()
	script(t, r, "start\nvalue #1 v")
	smtest.Contract(t, p)
	p, r = newPoint(putA)()
	script(t, r, "start\nput #1 no")
	smtest.Contract(t, p)

	for _, text := range []string{
		"start", "start\nfault #1 busy", "start\nfault #1 split a", "start\nlost #1 connection\nputs #2 no\ncancel",
	} {
		b, r := newBatch()
		script(t, r, text)
		smtest.Contract(t, b)
	}
	b := &Batch{}
	b.InitGet(keysOf("a", "b", "c", "z"), Options{CF: "c"}, deadline)
	r = newRunner(b)
	knobs := *r.Env.Knobs
	knobs.Workers, knobs.RawBatchKeys = 1, 2
	r.Env.Knobs = &knobs
	script(t, r, "start\npairs #1 z=26\npairs #2 a=1\nfault #3 busy")
	smtest.Contract(t, b)

	d, r := newDeleteRange()
	script(t, r, "start\nemptied #1\nfault #2 busy")
	smtest.Contract(t, d)
	s, r := newScan()
	script(t, r, "start\nscanned #1 b=2\nfault #2 busy")
	smtest.Contract(t, s)
}

func TestStringsNameWhatIsAwaited(t *testing.T) {
	p, r := newPoint(getA)()
	script(t, r, "start")
	require.Equal(t, "raw.Point routed: route.Call sending, region 1:1.1, attempt 1 at store 1", p.String())
	b, r := newBatch()
	script(t, r, "start\nputs #1")
	require.Equal(t, "raw.Batch working; route.Call sending, region 1:1.1, attempt 1 at store 1", b.String())
	d, r := newDeleteRange()
	script(t, r, "start")
	require.Equal(t, "raw.DeleteRange routed: route.Call sending, region 1:1.1, attempt 1 at store 1", d.String())
	s, r := newScan()
	script(t, r, "start\nscanned #1\nscanned #2")
	require.Equal(t, "raw.ScanPage finished: route.Call finished, region 2:1.1, attempt 1 at store 2", s.String())
}

// Get, the hottest of all, allocates nothing but the value once its machine is warm.
func TestPointAllocations(t *testing.T) {
	k, answer := []byte("a"), &ports.RawGetReply{Value: []byte("v")}
	p := &Point{}
	r := newRunner(p)
	out := &sm.Effects{List: make([]sm.Effect, 0, 4)}
	allocs := testing.AllocsPerRun(100, func() {
		p.InitGet(k, Options{}, deadline)
		out.Reset()
		p.Step(&r.Env, &ports.Event{Kind: ports.EventStart}, out)
		tok := out.List[0].Tok
		p.Step(&r.Env, &ports.Event{Kind: ports.EventReply, Tok: tok, Reply: answer}, out)
	})
	require.LessOrEqual(t, allocs, 1.0)
}
