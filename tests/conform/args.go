package conform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/ports"
)

// args reads the arguments of one command.
type args struct {
	list   []datadriven.CmdArg
	input  string
	prefix string
	// err is the first argument that makes no sense.
	err error
}

func (a *args) fail(format string, details ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, details...)
	}
}

// text returns an argument, empty when it is missing.
func (a *args) text(name string) string { return text(a.list, name) }

func (a *args) has(name string) bool {
	return slices.ContainsFunc(a.list, func(arg datadriven.CmdArg) bool { return arg.Key == name })
}

func (a *args) key(name string) []byte { return []byte(a.prefix + a.text(name)) }

// keys returns a list; without the argument it is empty.
func (a *args) keys(name string) [][]byte {
	var keys [][]byte
	for _, arg := range a.list {
		if arg.Key == name {
			for _, v := range arg.Vals {
				keys = append(keys, []byte(a.prefix+v))
			}
		}
	}
	return keys
}

// rng returns from=… to=…; without a bound the script's own keys end it.
func (a *args) rng() ports.KeyRange {
	r := ports.KeyRange{Start: a.key("from"), End: a.key("to")}
	if !a.has("to") {
		r.End = []byte(a.prefix + "\xff")
	}
	return r
}

func (a *args) number(name string, missing uint64) uint64 {
	if !a.has(name) {
		return missing
	}
	n, err := strconv.ParseUint(a.text(name), 10, 64)
	if err != nil {
		a.fail("%s: %v", name, err)
	}
	return n
}

// clocked is a time that only a clock tells, in milliseconds: timestamps from then on
// are PD's own and are written as "now".
const clocked = 1_600_000_000_000

// now is a timestamp that PD will not reach while the scripts play.
var now = ports.ComposeTimestamp(4*clocked, 0)

// ts reads a timestamp: "120" is 120 ms, "120+1" one after it, "max" the greatest.
func (a *args) ts(name string) ports.Timestamp { return a.parseTS(a.text(name)) }

func (a *args) timestamps(name string) []ports.Timestamp {
	var list []ports.Timestamp
	for _, arg := range a.list {
		if arg.Key == name {
			for _, v := range arg.Vals {
				list = append(list, a.parseTS(v))
			}
		}
	}
	return list
}

func (a *args) parseTS(text string) ports.Timestamp {
	switch text {
	case "":
		return 0
	case "max":
		return ports.MaxTimestamp
	case "now":
		return now
	}
	physical, logical, _ := strings.Cut(text, "+")
	ms, err := strconv.ParseInt(physical, 10, 64)
	if err != nil {
		a.fail("timestamp %q: %v", text, err)
	}
	var n int64
	if logical != "" {
		if n, err = strconv.ParseInt(logical, 10, 64); err != nil {
			a.fail("timestamp %q: %v", text, err)
		}
	}
	return ports.ComposeTimestamp(ms, n)
}

func formatTS(ts ports.Timestamp) string {
	switch {
	case ts == 0:
		return "0"
	case ts == ports.MaxTimestamp:
		return "max"
	case ts.Physical() >= clocked:
		return "now"
	case ts.Logical() == 0:
		return strconv.FormatInt(ts.Physical(), 10)
	}
	return fmt.Sprintf("%d+%d", ts.Physical(), ts.Logical())
}

// lines returns the input, each line cut into fields: "put a 1".
func (a *args) lines() [][]string {
	var out [][]string
	for line := range strings.Lines(a.input) {
		if fields := strings.Fields(line); len(fields) > 0 {
			out = append(out, fields)
		}
	}
	return out
}

// pairs returns the input as pairs: "a 1" or, with a life in seconds, "a 1 ttl 30".
func (a *args) pairs() []ports.KV {
	var out []ports.KV
	for _, f := range a.lines() {
		kv := ports.KV{Key: []byte(a.prefix + f[0])}
		if len(f) > 1 {
			kv.Value = []byte(f[1])
		}
		if len(f) == 4 {
			ttl, err := strconv.ParseUint(f[3], 10, 64)
			if err != nil {
				a.fail("ttl: %v", err)
			}
			kv.TTL = ttl
		}
		out = append(out, kv)
	}
	return out
}
