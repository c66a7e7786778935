package read

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// TestConversations plays the scripts in testdata/conversations: one machine for each "get",
// "batchget", "scan" and "timestamp"; "go on" continues with the same one.
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/conversations", func(t *testing.T, path string) {
		var r *smtest.Runner
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "go" {
				r = newRunner(parseMachine(t, d))
				configure(t, d, r)
			}
			return legible(r.Play(d.Input))
		})
	})
}

// parseMachine reads "get k at=T100", "batchget a b c", "scan a z limit=3 reverse
// keys-only" ("-" is an open bound), "timestamp", each with a deadline in seconds.
func parseMachine(t *testing.T, d *datadriven.TestData) root {
	at, deadline, limit := ms(100), 20*second, 10
	var opt Options
	var reverse, keysOnly bool
	var names [][]byte
	for _, arg := range d.CmdArgs {
		var err error
		var n int
		switch arg.Key {
		case "at":
			at, err = parseTS(arg.Vals[0])
		case "deadline":
			n, err = strconv.Atoi(arg.Vals[0])
			deadline = ports.Instant(n) * second
		case "limit":
			limit, err = strconv.Atoi(arg.Vals[0])
		case "reverse":
			reverse = true
		case "keys-only":
			keysOnly = true
		case "labelled":
			opt = Options{Priority: ports.PriorityHigh, NotFillCache: true, RequestSource: "report"}
		case "workers", "keys", "page":
		default:
			names = append(names, []byte(strings.Trim(arg.Key, "-")))
		}
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	switch d.Cmd {
	case "get":
		m := new(Get)
		m.Init(names[0], at, opt, deadline)
		return m
	case "batchget":
		m := new(BatchGet)
		m.Init(names, at, opt, deadline)
		return m
	case "scan":
		m := new(ScanPage)
		m.Init(ports.KeyRange{Start: names[0], End: names[1]}, at, limit, reverse, keysOnly, opt, deadline)
		return m
	case "timestamp":
		m := new(Timestamp)
		m.Init(deadline)
		return m
	}
	d.Fatalf(t, "unknown command")
	return nil
}

// configure reads limits: workers=1 keys=2 page=3.
func configure(t *testing.T, d *datadriven.TestData, r *smtest.Runner) {
	knobs := *r.Env.Knobs
	for _, arg := range d.CmdArgs {
		var n int
		var err error
		if len(arg.Vals) > 0 && arg.Key != "at" {
			n, err = strconv.Atoi(arg.Vals[0])
		}
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		switch arg.Key {
		case "workers":
			knobs.Workers = n
		case "keys":
			knobs.BatchGetKeys = n
		case "page":
			knobs.ScanPage = n
		}
	}
	knobs.RequestTimeout, knobs.ScanTimeout = 5*time.Second, 6*time.Second
	r.Env.Knobs = &knobs
}
