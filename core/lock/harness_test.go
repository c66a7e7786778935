package lock

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// caller is the smallest machine that owns a resolver: EventStart begins a round
// over locks.
type caller struct {
	spec     Spec
	locks    []ports.Lock
	resolver Resolver
}

func (c *caller) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(1)
	if ev.Kind == ports.EventStart {
		c.resolver.Start(env, ev.Now, c.spec, c.locks, out)
	} else {
		c.resolver.Step(env, ev, out)
	}
	env.Leave()
}

func (c *caller) Done() bool             { return c.resolver.Done() }
func (c *caller) Fingerprint(h *sm.Hash) { c.resolver.Fingerprint(h) }
func (c *caller) String() string         { return c.resolver.String() }

// status describes the resolver for a transcript.
func (c *caller) status() string {
	r := &c.resolver
	if !r.Resolved() {
		return "= " + resolverStates[r.state]
	}
	s := "= resolved"
	switch res := r.Result(); {
	case res.Failure.Failed():
		s = "= failed: " + failureText(&res.Failure)
	case res.Wait > 0:
		s += ", somebody lives for " + res.Wait.String()
	}
	for _, list := range []struct {
		name string
		txns []ports.Timestamp
	}{{"may ignore", r.ResolvedLocks()}, {"may read through", r.CommittedLocks()}} {
		if len(list.txns) > 0 {
			s += fmt.Sprintf(", %s %v", list.name, list.txns)
		}
	}
	if !r.Done() {
		s += "; still removing"
	}
	return s
}

func failureText(f *sm.Failure) string {
	s := map[sm.FailureCode]string{
		sm.FailCancelled: "cancelled", sm.FailDeadline: "deadline", sm.FailRejected: "rejected",
		sm.FailProtocol: "protocol", sm.FailUnsupported: "unsupported",
	}[f.Code]
	if f.KeyError != nil {
		s += fmt.Sprintf(" for key error %d", f.KeyError.Kind)
	}
	if f.Text != "" {
		s += ": " + f.Text
	}
	return s
}

// ms is a timestamp so many milliseconds after the epoch. Transcripts write it as
// T5, scripts as T5 or T5+3.
func ms(physical int64) ports.Timestamp { return ports.ComposeTimestamp(physical, 0) }

var bigNumber = regexp.MustCompile(`\b\d{6,20}\b`)

// legible writes timestamps as scripts do.
func legible(text string) string {
	return bigNumber.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseUint(s, 10, 64)
		switch ts := ports.Timestamp(n); {
		case err != nil:
			return s
		case ts == ports.MaxTimestamp:
			return "max"
		case ts.Logical() > 0:
			return fmt.Sprintf("T%d+%d", ts.Physical(), ts.Logical())
		default:
			return fmt.Sprintf("T%d", ts.Physical())
		}
	})
}

func parseTS(text string) (ports.Timestamp, error) {
	if text == "max" {
		return ports.MaxTimestamp, nil
	}
	var physical, logical int64
	if !strings.HasPrefix(text, "T") {
		return 0, fmt.Errorf("timestamp %q", text)
	}
	p, l, _ := strings.Cut(text[1:], "+")
	physical, err := strconv.ParseInt(p, 10, 64)
	if err == nil && l != "" {
		logical, err = strconv.ParseInt(l, 10, 64)
	}
	return ports.ComposeTimestamp(physical, logical), err
}

// parseLock reads "key<primary@T10" with, after commas, ttl=3000, size=600, fu=T12,
// pessimistic, shared, async, file; and "key{lock|lock}" for a set of shared locks.
func parseLock(text string) (ports.Lock, error) {
	if name, members, ok := strings.Cut(strings.TrimSuffix(text, "}"), "{"); ok {
		l := ports.Lock{Key: []byte(name)}
		for _, m := range strings.Split(members, "|") {
			member, err := parseLock(m)
			if err != nil {
				return l, err
			}
			l.Shared = append(l.Shared, member)
		}
		return l, nil
	}
	fields := strings.Split(text, ",")
	name, rest, _ := strings.Cut(fields[0], "<")
	primary, start, ok := strings.Cut(rest, "@")
	if !ok {
		return ports.Lock{}, fmt.Errorf("lock %q", text)
	}
	l := ports.Lock{Key: []byte(name), Primary: []byte(primary), TTL: 3000, TxnSize: 1}
	var err error
	if l.StartTS, err = parseTS(start); err != nil {
		return l, err
	}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "ttl":
			l.TTL, err = strconv.ParseUint(value, 10, 64)
		case "size":
			l.TxnSize, err = strconv.ParseUint(value, 10, 64)
		case "fu":
			l.ForUpdateTS, err = parseTS(value)
		case "pessimistic":
			l.Kind = ports.KindPessimisticLock
		case "shared":
			l.Kind = ports.KindSharedLock
		case "async":
			l.UseAsyncCommit = true
		case "file":
			l.IsTxnFile = true
		default:
			err = fmt.Errorf("lock flag %q", f)
		}
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

var actionNames = map[string]ports.TxnAction{
	"none": ports.ActionNone, "expired": ports.ActionTTLExpireRollback, "missing": ports.ActionLockNotExistRollback,
	"pushed": ports.ActionMinCommitTSPushed, "unlocked": ports.ActionTTLExpirePessimisticRollback,
	"nothing": ports.ActionLockNotExistDoNothing,
}

// parseStatus reads the answers of CheckTxnStatus: "committed T20", "rolledback
// expired", "alive 3000 [pushed] [async]", "absent", "mismatch", "error".
func parseStatus(args []string) (ports.Event, error) {
	r := &ports.CheckTxnStatusReply{}
	ev := ports.Event{Kind: ports.EventReply, Reply: r}
	var err error
	switch args[0] {
	case "committed":
		r.CommitTS, err = parseTS(args[1])
	case "rolledback":
		action, ok := actionNames[args[1]]
		if r.Action = action; !ok {
			err = fmt.Errorf("action %q", args[1])
		}
	case "alive":
		r.TTL, err = strconv.ParseUint(args[1], 10, 64)
		r.Lock = &ports.Lock{TTL: r.TTL}
		for _, f := range args[2:] {
			switch f {
			case "pushed":
				r.Action = ports.ActionMinCommitTSPushed
			case "async":
				r.Lock.UseAsyncCommit = true
			default:
				err = fmt.Errorf("flag %q", f)
			}
		}
	case "absent":
		r.Err = &ports.KeyError{Kind: ports.KeyTxnNotFound}
	case "mismatch":
		r.Err = &ports.KeyError{Kind: ports.KeyPrimaryMismatch}
	case "error":
		r.Err = &ports.KeyError{Kind: ports.KeyErrorOther, Text: "no"}
	default:
		err = fmt.Errorf("status %q", args[0])
	}
	return ev, err
}

// play is a runner with the commands that scripts about locks need.
type play struct {
	*smtest.Runner
	caller *caller
}

// newPlay makes a resolver in a cluster of two regions, [,m) on store 1 and [m,)
// on store 2. It reads at T100 or writes for a transaction that began then.
func newPlay(purpose Purpose) *play {
	c := &caller{spec: Spec{Purpose: purpose, CallerTS: ms(100), Deadline: ports.Instant(20 * time.Second)}}
	p := &play{Runner: newRunner(c), caller: c}
	p.Status = c.status
	p.Commands = map[string]func([]string) (ports.Event, error){
		"meet":      p.meet,
		"present":   present,
		"status":    parseStatus,
		"removed":   removed,
		"unlocked":  unlocked,
		"splits":    p.splits,
		"reading":   p.reading,
		"undefined": func([]string) (ports.Event, error) { return ports.Event{Kind: ports.EventReply}, nil },
	}
	return p
}

func newRunner(m sm.Machine) *smtest.Runner {
	r := smtest.NewRunner(m)
	r.Env.Codec = key.Codec{Mode: key.Raw}
	r.Env.Regions = smtest.Regions{smtest.Entry("1:1.1 [,m) 11@1*"), smtest.Entry("2:1.1 [m,) 21@2*")}
	r.Env.Stores = smtest.Up(1, 2)
	return r
}

// meet begins a round.
func (p *play) meet(args []string) (ports.Event, error) {
	p.caller.locks = nil
	for _, text := range args {
		l, err := parseLock(text)
		if err != nil {
			return ports.Event{}, err
		}
		p.caller.locks = append(p.caller.locks, l)
	}
	return ports.Event{Kind: ports.EventStart}, nil
}

// reading changes the timestamp at which the caller reads from the next round on.
func (p *play) reading(args []string) (ports.Event, error) {
	var err error
	p.caller.spec.CallerTS, err = parseTS(args[0])
	return ports.Event{Kind: ports.EventTimer}, err
}

// splits answers that region 1 is now two, which meet at the given key.
func (p *play) splits(args []string) (ports.Event, error) {
	f := &ports.RegionFault{Kind: ports.FaultEpochNotMatch}
	for _, text := range []string{"1:2.1 [," + args[0] + ") 11@1", "3:2.1 [" + args[0] + ",m) 31@1"} {
		r, err := smtest.ParseRegion(text)
		if err != nil {
			return ports.Event{}, err
		}
		f.Regions = append(f.Regions, r)
	}
	return ports.Event{
		Kind: ports.EventReply, Reply: &ports.ResolveLockReply{ReplyHeader: ports.ReplyHeader{Fault: f}},
	}, nil
}

func present(args []string) (ports.Event, error) {
	ts, err := parseTS(args[0])
	return ports.Event{Kind: ports.EventTimestamp, TS: ts}, err
}

func removed(args []string) (ports.Event, error) {
	r := &ports.ResolveLockReply{}
	if len(args) > 0 {
		r.Err = &ports.KeyError{Kind: ports.KeyAbort, Text: args[0]}
	}
	return ports.Event{Kind: ports.EventReply, Reply: r}, nil
}

func unlocked(args []string) (ports.Event, error) {
	r := &ports.PessimisticRollbackReply{}
	if len(args) > 0 {
		r.Errors = []ports.KeyError{{Kind: ports.KeyErrorOther, Text: args[0]}}
	}
	return ports.Event{Kind: ports.EventReply, Reply: r}, nil
}

// script plays a script and fails the test when it cannot be read.
func (p *play) script(t testing.TB, text string) string {
	t.Helper()
	transcript := legible(p.Play(text))
	if strings.Contains(transcript, "script error") {
		t.Fatal(transcript)
	}
	return transcript
}

// lock is a prewrite lock of the transaction that began at T10 with primary p.
func lock(name string) ports.Lock {
	return ports.Lock{Key: []byte(name), Primary: []byte("p"), StartTS: ms(10), TTL: 3000, TxnSize: 1}
}
