package txn

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// ms is a timestamp so many milliseconds after the epoch; scripts and transcripts
// write it as T5, or T5+3 with a logical part.
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
	var physical, logical int64
	n, err := fmt.Sscanf(text, "T%d+%d", &physical, &logical)
	if n == 0 {
		return 0, fmt.Errorf("timestamp %q: %w", text, err)
	}
	return ports.ComposeTimestamp(physical, logical), nil
}

// write applies one line to a buffer: "put a 1", "insert b 2", "delete c".
func write(b *buffer.Buffer, line string) error {
	f := strings.Fields(line)
	if len(f) < 2 {
		return fmt.Errorf("write %q", line)
	}
	r := buffer.Accepted
	switch f[0] {
	case "put":
		r = b.Put([]byte(f[1]), []byte(f[2]))
	case "insert":
		r = b.Insert([]byte(f[1]), []byte(f[2]))
	case "delete":
		r = b.Delete([]byte(f[1]))
	default:
		return fmt.Errorf("write %q", line)
	}
	if r != buffer.Accepted {
		return fmt.Errorf("%s: %s", line, r)
	}
	return nil
}

// view makes a view of a buffer that the lines have written.
func view(t testing.TB, lines ...string) buffer.View {
	t.Helper()
	var b buffer.Buffer
	for _, line := range lines {
		require.NoError(t, write(&b, line))
	}
	return b.View()
}

// newRunner makes a runner in a cluster of two regions, [,m) on store 1 and [m,)
// on store 2, at one second, where the client has seen the timestamp T1000.
func newRunner(m sm.Machine) *smtest.Runner {
	r := smtest.NewRunner(m)
	r.Now = ports.Instant(time.Second)
	r.Env.Codec = key.Codec{Mode: key.Raw}
	r.Env.Regions = smtest.Regions{smtest.Entry("1:1.1 [,m) 11@1*"), smtest.Entry("2:1.1 [m,) 21@2*")}
	r.Env.Stores = smtest.Up(1, 2, 3)
	r.Env.Clock = sm.Clock{TS: ms(1000), At: r.Now}
	r.Commands = map[string]func([]string) (ports.Event, error){
		"present": present, "prewritten": prewritten, "committed": committedReply, "rolledback": rolledBackReply,
		"beaten": beaten, "status": status, "removed": removed, "fault": fault, "misreply": misreply, "nothing": nothing,
	}
	return r
}

// regions makes a view of the regions that follow a split, from their ranges: the
// first keeps its id, and all are on stores of their own.
func regions(ranges []string) smtest.Regions {
	var v smtest.Regions
	for i, rng := range ranges {
		if rng == "none" {
			continue
		}
		id := 2*i + 1
		v = append(v, smtest.Entry(fmt.Sprintf("%d:2.1 %s %d1@%d*", id, rng, id, i+1)))
	}
	return v
}

// began is when the transactions of the scripts began: T1000 came at one second.
const began = ports.Instant(time.Second)

// params are those of a transaction that began at T1000 and ends 20 s later.
func params(v buffer.View) Params {
	return Params{StartTS: ms(1000), Began: began, View: v, Deadline: began.Add(20 * time.Second)}
}

// play is a commit under a runner.
type play struct {
	*smtest.Runner
	c *Commit
}

func newPlay(p Params) *play {
	c := &Commit{}
	c.Init(p)
	r := newRunner(c)
	r.Status = func() string { return "= " + describe(c) }
	r.Commands["regions"] = func(ranges []string) (ports.Event, error) {
		r.Env.Regions = regions(ranges)
		return ports.Event{Kind: ports.EventSweep}, nil // legal everywhere, awaited nowhere
	}
	return &play{Runner: r, c: c}
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

// describe says where a commit stands, for a transcript.
func describe(c *Commit) string {
	s := commitStates[c.state]
	if c.state == commitDeciding {
		s += ", fate " + fateKinds[c.primary.fate.kind]
	}
	if !c.heartbeat.Done() {
		s += ", kept alive"
	}
	if c.answered {
		s += "; answered " + outcomeText(c.Outcome())
	}
	if f := c.Trouble(); f != nil {
		s += "; trouble: " + failureText(f)
	}
	return s
}

func outcomeText(o Outcome) string {
	switch o.Kind {
	case Committed:
		return fmt.Sprintf("committed at %d", o.CommitTS)
	case Aborted:
		return "aborted: " + failureText(&o.Failure)
	default:
		return "unknown: " + failureText(&o.Failure)
	}
}

var codeNames = map[sm.FailureCode]string{
	sm.FailCancelled: "cancelled", sm.FailDeadline: "deadline", sm.FailRejected: "rejected", sm.FailConflict: "conflict",
	sm.FailKeyExists: "key exists", sm.FailTxnAborted: "rolled back by somebody else", sm.FailTxnTooOld: "too old",
	sm.FailUnsupported: "unsupported", sm.FailMisuse: "misuse", sm.FailProtocol: "protocol",
}

func failureText(f *sm.Failure) string {
	s := codeNames[f.Code]
	if f.Text != "" {
		s += " (" + f.Text + ")"
	}
	return s
}

func reply(r ports.Reply) ports.Event { return ports.Event{Kind: ports.EventReply, Reply: r} }

// present brings a timestamp of the oracle: "present #1 T110".
func present(args []string) (ports.Event, error) {
	ts, err := parseTS(args[0])
	return ports.Event{Kind: ports.EventTimestamp, TS: ts}, err
}

// keyError reads an error: "conflict k", "locked k<p@T10,ttl=3000", "exists k",
// "gone k", "expired k T120", "abort", "retryable", …
func keyError(args []string) (*ports.KeyError, error) {
	e := &ports.KeyError{}
	if len(args) > 1 {
		e.Key = []byte(args[1])
	}
	var err error
	switch args[0] {
	case "conflict":
		e.Kind, e.Reason = ports.KeyWriteConflict, ports.ConflictOptimistic
	case "selfrolledback":
		e.Kind, e.Reason = ports.KeyWriteConflict, ports.ConflictSelfRolledBack
	case "exists":
		e.Kind = ports.KeyAlreadyExists
	case "gone":
		e.Kind = ports.KeyTxnLockNotFound
	case "expired":
		e.Kind = ports.KeyCommitTSExpired
		e.MinCommitTS, err = parseTS(args[2])
	case "abort":
		e.Kind, e.Text = ports.KeyAbort, "k is not well"
	case "retryable":
		e.Kind = ports.KeyRetryable
	case "notfound":
		e.Kind = ports.KeyTxnNotFound
	case "locked":
		e.Kind, e.Key = ports.KeyLocked, nil
		e.Lock, err = parseLock(args[1])
	default:
		err = fmt.Errorf("key error %q", args[0])
	}
	return e, err
}

// parseLock reads "k<p@T10,ttl=3000".
func parseLock(text string) (ports.Lock, error) {
	l := ports.Lock{TTL: 3000, TxnSize: 1}
	name, rest, _ := strings.Cut(text, "<")
	primary, rest, _ := strings.Cut(rest, "@")
	start, ttl, _ := strings.Cut(rest, ",ttl=")
	l.Key, l.Primary = []byte(name), []byte(primary)
	var err error
	if l.StartTS, err = parseTS(start); err == nil && ttl != "" {
		l.TTL, err = strconv.ParseUint(ttl, 10, 64)
	}
	return l, err
}

func prewritten(args []string) (ports.Event, error) {
	r := &ports.PrewriteReply{}
	for _, group := range strings.Split(strings.Join(args, " "), ";") {
		if group == "" {
			continue
		}
		e, err := keyError(strings.Fields(group))
		if err != nil {
			return ports.Event{}, err
		}
		r.Errors = append(r.Errors, *e)
	}
	return reply(r), nil
}

func committedReply(args []string) (ports.Event, error) {
	r := &ports.CommitReply{}
	var err error
	if len(args) > 0 {
		r.Err, err = keyError(args)
	}
	return reply(r), err
}

func rolledBackReply(args []string) (ports.Event, error) {
	r := &ports.BatchRollbackReply{}
	var err error
	if len(args) > 0 {
		r.Err, err = keyError(args)
	}
	return reply(r), err
}

func beaten(args []string) (ports.Event, error) {
	r := &ports.TxnHeartBeatReply{}
	var err error
	if len(args) > 0 {
		r.Err, err = keyError(args)
	}
	return reply(r), err
}

// status answers CheckTxnStatus: "status #1 committed T20", "status #1 rolledback",
// "status #1 alive 3000".
func status(args []string) (ports.Event, error) {
	r := &ports.CheckTxnStatusReply{}
	var err error
	switch args[0] {
	case "committed":
		r.CommitTS, err = parseTS(args[1])
	case "rolledback":
		r.Action = ports.ActionTTLExpireRollback
	case "alive":
		r.TTL, err = strconv.ParseUint(args[1], 10, 64)
		r.Lock = &ports.Lock{TTL: r.TTL}
	default:
		err = fmt.Errorf("status %q", args[0])
	}
	return reply(r), err
}

func removed([]string) (ports.Event, error) { return reply(&ports.ResolveLockReply{}), nil }

// misreply answers with a reply of a verb that nobody sent.
func misreply([]string) (ports.Event, error) { return reply(&ports.RawGetReply{}), nil }

// nothing is a reply that is none.
func nothing([]string) (ports.Event, error) { return ports.Event{Kind: ports.EventReply}, nil }

var faults = map[string]ports.FaultKind{
	"NotLeader": ports.FaultNotLeader, "StaleCommand": ports.FaultStaleCommand,
	"UndeterminedResult": ports.FaultUndeterminedResult, "EpochNotMatch": ports.FaultEpochNotMatch,
	"FlashbackInProgress": ports.FaultFlashbackInProgress, "RegionNotFound": ports.FaultRegionNotFound,
	"MaxTimestampNotSynced": ports.FaultMaxTimestampNotSynced,
}

// fault answers with a region error; EpochNotMatch takes regions without blanks:
// "fault #1 EpochNotMatch 1:2.1/,g/11@1 3:2.1/g,m/31@1".
func fault(args []string) (ports.Event, error) {
	kind, ok := faults[args[0]]
	if !ok {
		return ports.Event{}, fmt.Errorf("fault %q", args[0])
	}
	f := &ports.RegionFault{Kind: kind}
	for _, text := range args[1:] {
		parts := strings.SplitN(text, "/", 3)
		r, err := smtest.ParseRegion(fmt.Sprintf("%s [%s) %s", parts[0], parts[1], parts[2]))
		if err != nil {
			return ports.Event{}, err
		}
		f.Regions = append(f.Regions, r)
	}
	return reply(&ports.PrewriteReply{ReplyHeader: ports.ReplyHeader{Fault: f}}), nil
}
