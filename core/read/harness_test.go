package read

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// ms is a timestamp so many milliseconds after the epoch; scripts and transcripts
// write it as T5.
func ms(physical int64) ports.Timestamp { return ports.ComposeTimestamp(physical, 0) }

var bigNumber = regexp.MustCompile(`\b\d{6,20}\b`)

func legible(text string) string {
	return bigNumber.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseUint(s, 10, 64)
		switch ts := ports.Timestamp(n); {
		case err != nil || ts.Logical() > 0 && ts != ports.MaxTimestamp:
			return s
		case ts == ports.MaxTimestamp:
			return "max"
		default:
			return fmt.Sprintf("T%d", ts.Physical())
		}
	})
}

func parseTS(text string) (ports.Timestamp, error) {
	if text == "max" {
		return ports.MaxTimestamp, nil
	}
	physical, err := strconv.ParseInt(strings.TrimPrefix(text, "T"), 10, 64)
	return ms(physical), err
}

// root is what every machine of this package is.
type root interface {
	sm.Machine
	Failure() *sm.Failure
}

// newRunner makes a runner in a cluster of two regions, [,m) on store 1 and [m,) on
// store 2, with readable keys, at a time at which the oracle is known.
func newRunner(m root) *smtest.Runner {
	r := smtest.NewRunner(m)
	r.Env.Codec = key.Codec{Mode: key.Raw}
	r.Env.Regions = smtest.Regions{smtest.Entry("1:1.1 [,m) 11@1*"), smtest.Entry("2:1.1 [m,) 21@2*")}
	r.Env.Stores = smtest.Up(1, 2)
	r.Status = func() string { return status(m) }
	r.Commands = map[string]func([]string) (ports.Event, error){
		"get":     parseGet,
		"batch":   parseBatch,
		"scan":    parseScan,
		"status":  parseStatus,
		"present": parsePresent,
		"removed": reply(&ports.ResolveLockReply{}),
		"nothing": func([]string) (ports.Event, error) { return ports.Event{Kind: ports.EventReply}, nil },
		"forgets": func([]string) (ports.Event, error) { return forgets(r) },
		"elsewhere": reply(&ports.GetReply{
			ReplyHeader: ports.ReplyHeader{Fault: &ports.RegionFault{Kind: ports.FaultRegionNotFound}},
		}),
		"splits": func(args []string) (ports.Event, error) { return splits(r, args) },
	}
	return r
}

// status describes a machine for a transcript.
func status(m root) string {
	if f := m.Failure(); f.Failed() {
		return "= failed: " + failureText(f) + rest(m)
	}
	var s string
	switch m := m.(type) {
	case *Get:
		if value, found := m.Value(); found {
			s = fmt.Sprintf("= value %q", value)
		} else if m.state >= readerCleaning {
			s = "= absent"
		}
	case *BatchGet:
		if m.state >= batchCleaning {
			s = "= " + pairsText(m.Pairs())
		}
	case *ScanPage:
		if m.state >= readerCleaning {
			s = "= " + pairsText(m.Pairs())
			if left, more := m.Next(); more {
				s += fmt.Sprintf(", then [%q,%q)", left.Start, left.End)
			} else {
				s += ", the end"
			}
		}
	case *Timestamp:
		if m.Done() {
			s = fmt.Sprintf("= %d", m.TS())
		}
	}
	if s == "" {
		return "= " + m.String()
	}
	return s + rest(m)
}

func rest(m root) string {
	if m.Done() {
		return ""
	}
	return "; still cleaning"
}

func pairsText(pairs []ports.KV) string {
	if len(pairs) == 0 {
		return "nothing"
	}
	var texts []string
	for _, p := range pairs {
		texts = append(texts, fmt.Sprintf("%s=%s", p.Key, p.Value))
	}
	return strings.Join(texts, " ")
}

func failureText(f *sm.Failure) string {
	s := map[sm.FailureCode]string{
		sm.FailCancelled: "cancelled", sm.FailDeadline: "deadline", sm.FailRejected: "rejected",
		sm.FailProtocol: "protocol", sm.FailUnsupported: "unsupported", sm.FailMisuse: "misuse",
	}[f.Code]
	if f.KeyError != nil {
		s += fmt.Sprintf(" for key error %d", f.KeyError.Kind)
	}
	if f.History.Count > 0 {
		s += fmt.Sprintf(" after %d attempts", f.History.Count)
	}
	if f.Text != "" {
		s += ": " + f.Text
	}
	return s
}

// parseLock reads "k!T10": the lock of the transaction that began at T10, whose
// primary is p; "k!T10*" is one of very many. "k!max" is an error of the key that is no
// lock.
func parseLock(name, start string) (*ports.KeyError, error) {
	if start == "max" {
		return &ports.KeyError{Kind: ports.KeyAbort, Text: "no"}, nil
	}
	size := uint64(1)
	if large, ok := strings.CutSuffix(start, "*"); ok {
		start, size = large, 100_000
	}
	ts, err := parseTS(start)
	return &ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{
		Key: []byte(name), Primary: []byte("p"), StartTS: ts, TTL: 3000, TxnSize: size,
	}}, err
}

// parsePairs reads "a=1 b!T10"; a single "!T10" is an error of the response.
func parsePairs(args []string) (pairs []ports.Pair, whole *ports.KeyError, err error) {
	for _, arg := range args {
		if name, start, ok := strings.Cut(arg, "!"); ok {
			e, err := parseLock(name, start)
			if err != nil {
				return nil, nil, err
			}
			if name == "" {
				e.Lock.Key = []byte("k")
				return pairs, e, nil
			}
			pairs = append(pairs, ports.Pair{Err: e})
			if e.Kind != ports.KeyLocked {
				pairs[len(pairs)-1].Key = []byte(name)
			}
			continue
		}
		name, value, _ := strings.Cut(arg, "=")
		pairs = append(pairs, ports.Pair{Key: []byte(name), Value: []byte(value)})
	}
	return pairs, nil, nil
}

func parseGet(args []string) (ports.Event, error) {
	r := &ports.GetReply{}
	ev := ports.Event{Kind: ports.EventReply, Reply: r}
	switch name, start, locked := strings.Cut(args[0], "!"); {
	case locked:
		var err error
		r.Err, err = parseLock(name, start)
		return ev, err
	case args[0] == "absent":
		r.NotFound = true
	case args[0] == "empty":
		r.Value = []byte{}
	default:
		r.Value = []byte(args[0])
	}
	return ev, nil
}

func parseBatch(args []string) (ports.Event, error) {
	pairs, whole, err := parsePairs(args)
	return ports.Event{Kind: ports.EventReply, Reply: &ports.BatchGetReply{Pairs: pairs, Err: whole}}, err
}

func parseScan(args []string) (ports.Event, error) {
	pairs, whole, err := parsePairs(args)
	return ports.Event{Kind: ports.EventReply, Reply: &ports.ScanReply{Pairs: pairs, Err: whole}}, err
}

// parseStatus reads the answers of CheckTxnStatus: "committed T20", "rolledback",
// "alive 3000", "pushed 3000", "error".
func parseStatus(args []string) (ports.Event, error) {
	r := &ports.CheckTxnStatusReply{}
	ev := ports.Event{Kind: ports.EventReply, Reply: r}
	var err error
	switch args[0] {
	case "committed":
		r.CommitTS, err = parseTS(args[1])
	case "rolledback":
		r.Action = ports.ActionTTLExpireRollback
	case "alive", "pushed":
		if args[0] == "pushed" {
			r.Action = ports.ActionMinCommitTSPushed
		}
		r.TTL, err = strconv.ParseUint(args[1], 10, 64)
		r.Lock = &ports.Lock{TTL: r.TTL}
	case "error":
		r.Err = &ports.KeyError{Kind: ports.KeyErrorOther, Text: "no"}
	default:
		err = fmt.Errorf("status %q", args[0])
	}
	return ev, err
}

func parsePresent(args []string) (ports.Event, error) {
	ts, err := parseTS(args[0])
	return ports.Event{Kind: ports.EventTimestamp, TS: ts}, err
}

func reply(r ports.Reply) func([]string) (ports.Event, error) {
	return func([]string) (ports.Event, error) { return ports.Event{Kind: ports.EventReply, Reply: r}, nil }
}

// splits answers that region 1 is now two, which meet at the given key, and shows
// the same in the view.
func splits(r *smtest.Runner, args []string) (ports.Event, error) {
	f := &ports.RegionFault{Kind: ports.FaultEpochNotMatch}
	view := smtest.Regions{smtest.Entry("2:1.1 [m,) 21@2*")}
	for _, text := range []string{"1:2.1 [," + args[0] + ") 11@1*", "3:2.1 [" + args[0] + ",m) 31@1*"} {
		e := smtest.Entry(text)
		view = append(view, e)
		f.Regions = append(f.Regions, e.Region)
	}
	r.Env.Regions = view
	return ports.Event{
		Kind: ports.EventReply, Reply: &ports.ScanReply{ReplyHeader: ports.ReplyHeader{Fault: f}},
	}, nil
}

// forgets answers that region 1 is something else by now, and shows an empty view.
func forgets(r *smtest.Runner) (ports.Event, error) {
	r.Env.Regions = smtest.Regions(nil)
	fault := &ports.RegionFault{Kind: ports.FaultEpochNotMatch}
	return ports.Event{
		Kind: ports.EventReply, Reply: &ports.BatchGetReply{ReplyHeader: ports.ReplyHeader{Fault: fault}},
	}, nil
}

// second is a deadline that scripts do not reach unless they want to.
const second = ports.Instant(time.Second)
