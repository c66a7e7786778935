package raw

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

const deadline = ports.Instant(60 * time.Second)

// newRunner surrounds a machine with two regions, [,m) on store 1 and [m,) on
// store 2, whose keys are as users write them.
func newRunner(m sm.Machine) *smtest.Runner {
	r := smtest.NewRunner(m)
	r.Env.Codec = key.Codec{Mode: key.Raw}
	r.Env.Regions = smtest.Regions{smtest.Entry("1:1.1 [,m) 11@1*"), smtest.Entry("2:1.1 [m,) 21@2*")}
	r.Env.Stores = smtest.Up(1, 2)
	r.Commands = map[string]func([]string) (ports.Event, error){}
	for name, command := range commands {
		r.Commands[name] = command
	}
	r.Commands["relocated"] = func(a []string) (ports.Event, error) {
		r.Env.Regions = smtest.Regions{
			smtest.Entry("1:2.1 [," + a[0] + ") 11@1*"), smtest.Entry("3:2.1 [" + a[0] + ",m) 31@1*"),
			smtest.Entry("2:1.1 [m,) 21@2*"),
		}
		return ports.Event{Kind: ports.EventTell}, nil
	}
	r.Status = func() string { return status(m) }
	return r
}

// commands are the answers that scripts give. "relocated #2 b" is the table's: it
// has learnt that region 1 is now two, which meet at b.
var commands = map[string]func([]string) (ports.Event, error){
	"value": func(a []string) (ports.Event, error) {
		return reply(&ports.RawGetReply{Value: []byte(strings.Join(a, " "))})
	},
	"notfound": func([]string) (ports.Event, error) { return reply(&ports.RawGetReply{NotFound: true}) },
	"ttl": func(a []string) (ports.Event, error) {
		n, err := strconv.ParseUint(a[0], 10, 64)
		return ports.Event{Kind: ports.EventReply, Reply: &ports.RawGetKeyTTLReply{TTL: n}}, err
	},
	"put":      func(a []string) (ports.Event, error) { return wrote(ports.VerbRawPut, a) },
	"deleted":  func(a []string) (ports.Event, error) { return wrote(ports.VerbRawDelete, a) },
	"puts":     func(a []string) (ports.Event, error) { return wrote(ports.VerbRawBatchPut, a) },
	"deletes":  func(a []string) (ports.Event, error) { return wrote(ports.VerbRawBatchDelete, a) },
	"emptied":  func(a []string) (ports.Event, error) { return wrote(ports.VerbRawDeleteRange, a) },
	"swapped":  func(a []string) (ports.Event, error) { return swap(true, a) },
	"mismatch": func(a []string) (ports.Event, error) { return swap(false, a) },
	"pairs":    func(a []string) (ports.Event, error) { return reply(&ports.RawBatchGetReply{Pairs: pairs(a)}) },
	"scanned":  func(a []string) (ports.Event, error) { return reply(&ports.RawScanReply{Pairs: pairs(a)}) },
	"fault":    fault,
}

func reply(r ports.Reply) (ports.Event, error) {
	return ports.Event{Kind: ports.EventReply, Reply: r}, nil
}

func wrote(of ports.Verb, text []string) (ports.Event, error) {
	return reply(&ports.RawWriteReply{Of: of, Text: strings.Join(text, " ")})
}

func swap(done bool, previous []string) (ports.Event, error) {
	r := &ports.RawCompareAndSwapReply{Succeeded: done, PreviousAbsent: len(previous) == 0}
	if len(previous) > 0 {
		r.Previous = []byte(strings.Trim(previous[0], `"`))
	}
	return reply(r)
}

// pairs reads "k=v", or "k!" for an error.
func pairs(args []string) []ports.Pair {
	var list []ports.Pair
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		p := ports.Pair{Key: []byte(k), Value: []byte(v)}
		if name, bad := strings.CutSuffix(k, "!"); bad {
			p = ports.Pair{Key: []byte(name), Err: &ports.KeyError{Kind: ports.KeyErrorOther, Text: "broken"}}
		}
		list = append(list, p)
	}
	return list
}

// fault reads "stale", "toolarge", "busy" or "split k": region 1 is now two, which
// meet at k.
func fault(args []string) (ports.Event, error) {
	f := &ports.RegionFault{}
	switch args[0] {
	case "stale":
		f.Kind = ports.FaultStaleCommand
	case "toolarge":
		f.Kind = ports.FaultRaftEntryTooLarge
	case "busy":
		f.Kind, f.Backoff = ports.FaultServerIsBusy, time.Millisecond
	case "split":
		f.Kind = ports.FaultEpochNotMatch
		for _, text := range []string{"1:2.1 [," + args[1] + ") 11@1", "3:2.1 [" + args[1] + ",m) 31@1"} {
			r, err := smtest.ParseRegion(text)
			if err != nil {
				return ports.Event{}, err
			}
			f.Regions = append(f.Regions, r)
		}
	default:
		return ports.Event{}, fmt.Errorf("fault %q", args[0])
	}
	return reply(&ports.RawGetReply{ReplyHeader: ports.ReplyHeader{Fault: f}})
}

// status describes what a machine has come to.
func status(m sm.Machine) string {
	if !m.Done() {
		return "= working"
	}
	switch m := m.(type) {
	case *Point:
		return pointStatus(m)
	case *Batch:
		s := ended(m.Failure())
		if m.outcomes != nil {
			s = fmt.Sprintf("= %s, of which %v", m.Outcome(), m.Outcomes())
		}
		return s + pairText(m.Pairs()) + failureText(m.Failure())
	case *DeleteRange:
		return fmt.Sprintf("= %s%s%s", m.Outcome(), rest(m.Rest(), m.Failure().Failed()), failureText(m.Failure()))
	case *ScanPage:
		next, more := m.Next()
		return ended(m.Failure()) + pairText(m.Pairs()) + rest(next, more) + failureText(m.Failure())
	}
	return "="
}

func ended(f *sm.Failure) string {
	if f.Failed() {
		return "= failed"
	}
	return "= done"
}

func pointStatus(p *Point) string {
	if p.Failure().Failed() {
		if p.writes() {
			return "= " + p.Outcome().String() + failureText(p.Failure())
		}
		return "= failed" + failureText(p.Failure())
	}
	value, found := p.Value()
	ttl, _ := p.TTL()
	return fmt.Sprintf("= found %v, value %q, ttl %d, swapped %v, %s", found, value, ttl, p.Swapped(), p.Outcome())
}

func pairText(pairs []ports.KV) string {
	s := ""
	for _, p := range pairs {
		s += fmt.Sprintf(", %s=%q", p.Key, p.Value)
	}
	return s
}

func rest(r ports.KeyRange, left bool) string {
	if !left {
		return ""
	}
	return fmt.Sprintf(", [%q,%q) is left", r.Start, r.End)
}

func failureText(f *sm.Failure) string {
	if !f.Failed() {
		return ""
	}
	s := ": " + map[sm.FailureCode]string{
		sm.FailCancelled: "cancelled", sm.FailDeadline: "deadline", sm.FailRejected: "rejected", sm.FailLost: "lost",
		sm.FailProtocol: "protocol",
	}[f.Code]
	if f.Text != "" {
		s += " (" + f.Text + ")"
	}
	return s
}

// script plays a script and fails the test when it cannot be read.
func script(t testing.TB, r *smtest.Runner, text string) string {
	t.Helper()
	transcript := r.Play(text)
	require.NotContains(t, transcript, "script error")
	return transcript
}

func keysOf(names ...string) [][]byte {
	var keys [][]byte
	for _, n := range names {
		keys = append(keys, []byte(n))
	}
	return keys
}

// transitions feeds every kind of event to a machine in the situation that a script
// leads to, from the newest effect and from nowhere. moves lists where events of the
// awaited effect lead: true if the machine is done then. What is not listed changes
// nothing and wants nothing.
func transitions[M sm.Machine](t *testing.T, name string, fresh func() (M, *smtest.Runner), text string,
	answer ports.Reply, moves map[ports.EventKind]bool) {
	t.Helper()
	for kind := range ports.EventKind(ports.EventKinds) {
		for _, mine := range []bool{true, false} {
			m, r := fresh()
			script(t, r, text)
			done := m.Done()
			before := m.String()
			ev := ports.Event{Kind: kind, TS: 42, Reply: answer, Cause: ports.Cause{Kind: ports.CauseConnection}}
			if sent, ok := r.Sent(r.Pending()); ok {
				ev.Tok = sent.Tok
			}
			if !mine {
				ev.Tok.Gen = 99
			}
			want, moved := moves[kind]
			everybody := kind == ports.EventCancel || kind == ports.EventStart
			r.Feed(ev)
			if !moved || !mine && !everybody {
				require.Equal(t, done, m.Done(), "%s on %d, mine %v", name, kind, mine)
				require.Equal(t, before, m.String(), "%s on %d, mine %v", name, kind, mine)
				require.Empty(t, r.Effects, "%s on %d, mine %v", name, kind, mine)
				continue
			}
			require.Equal(t, want, m.Done(), "%s on %d, mine %v", name, kind, mine)
		}
	}
}
