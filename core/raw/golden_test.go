package raw

import (
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// arguments are those of a command in testdata.
type arguments struct {
	options           Options
	key, value        string
	start, end        string
	ttl               uint64
	limit             int
	keys              []string
	swap              Swap
	reverse, keysOnly bool
	deadline          ports.Instant
	knobs             sm.Knobs
}

// TestConversations plays the scripts in testdata/command.
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/command", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			a := parseArguments(t, d)
			r := newRunner(a.machine(t, d))
			r.Env.Knobs = &a.knobs
			return script(t, r, d.Input)
		})
	})
}

func (a *arguments) machine(t *testing.T, d *datadriven.TestData) sm.Machine {
	var p Point
	var b Batch
	rng := ports.KeyRange{Start: []byte(a.start), End: []byte(a.end)}
	switch d.Cmd {
	case "get":
		p.InitGet([]byte(a.key), a.options, a.deadline)
	case "ttl":
		p.InitTTL([]byte(a.key), a.options, a.deadline)
	case "put":
		p.InitPut([]byte(a.key), []byte(a.value), a.ttl, a.options, a.deadline)
	case "delete":
		p.InitDelete([]byte(a.key), a.options, a.deadline)
	case "swap":
		a.swap.TTL = a.ttl
		p.InitSwap([]byte(a.key), a.swap, a.options, a.deadline)
	case "batch-get":
		b.InitGet(keysOf(a.keys...), a.options, a.deadline)
		return &b
	case "batch-put":
		var pairs []ports.KV
		for i, k := range a.keys {
			pairs = append(pairs, ports.KV{Key: []byte(k), Value: []byte(a.value), TTL: uint64(i)})
		}
		b.InitPut(pairs, a.options, a.deadline)
		return &b
	case "batch-delete":
		b.InitDelete(keysOf(a.keys...), a.options, a.deadline)
		return &b
	case "delete-range":
		var m DeleteRange
		m.Init(rng, a.options, a.deadline)
		return &m
	case "scan":
		var m ScanPage
		m.Init(rng, a.limit, a.reverse, a.keysOnly, a.options, a.deadline)
		return &m
	default:
		d.Fatalf(t, "unknown command")
	}
	return &p
}

func parseArguments(t *testing.T, d *datadriven.TestData) *arguments {
	a := &arguments{limit: 10, deadline: deadline, knobs: sm.DefaultKnobs()}
	for _, arg := range d.CmdArgs {
		value := ""
		if len(arg.Vals) > 0 {
			value = arg.Vals[0]
		}
		var err error
		switch arg.Key {
		case "key":
			a.key = value
		case "value":
			a.value = value
		case "start":
			a.start = value
		case "end":
			a.end = value
		case "keys":
			a.keys = arg.Vals
		case "cf":
			a.options.CF = value
		case "atomic":
			a.options.ForCAS = true
		case "high":
			a.options.Priority = ports.PriorityHigh
		case "limit":
			a.limit, err = strconv.Atoi(value)
		case "life":
			a.ttl, err = strconv.ParseUint(value, 10, 64)
		case "reverse":
			a.reverse = true
		case "keys-only":
			a.keysOnly = true
		case "from":
			a.swap.Previous = []byte(value)
		case "from-absent":
			a.swap.PreviousAbsent = true
		case "to":
			a.swap.Value = []byte(value)
		case "to-absent":
			a.swap.Delete = true
		case "deadline":
			var limit time.Duration
			limit, err = time.ParseDuration(value)
			a.deadline = ports.Instant(limit)
		case "workers":
			a.knobs.Workers, err = strconv.Atoi(value)
		case "batch-keys":
			a.knobs.RawBatchKeys, err = strconv.Atoi(value)
		case "batch-bytes":
			a.knobs.RawBatchBytes, err = strconv.Atoi(value)
		default:
			d.Fatalf(t, "unknown argument %s", arg.Key)
		}
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	return a
}
