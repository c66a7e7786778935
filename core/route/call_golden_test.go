package route

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// TestCallConversations plays the scripts in testdata/call. Views are set by the
// script: regions and stores, one a line, as the tables would show them.
func TestCallConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/call", func(t *testing.T, path string) {
		var p *parent
		var r *smtest.Runner
		var regions smtest.Regions
		var stores smtest.Stores
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "regions":
				regions = parseEntries(t, d.Input)
			case "stores":
				stores = parseStores(t, d.Input)
			case "call":
				p = &parent{spec: parseSpec(t, d), get: ports.GetRequest{Key: []byte("k"), TS: 5}}
				if d.HasArg("pause") {
					p.pauses = 1
				}
				r = smtest.NewRunner(p)
				if !d.HasArg("txn") {
					rawEnv(r)
				}
				r.Status = p.status
				r.Commands = map[string]func([]string) (ports.Event, error){"reply": parseReply}
			case "play":
			default:
				d.Fatalf(t, "unknown command")
			}
			if r == nil {
				return ""
			}
			r.Env.Regions, r.Env.Stores = regions, stores
			if d.Cmd == "call" || d.Cmd == "play" {
				return r.Play(d.Input)
			}
			return ""
		})
	})
}

// parseEntries reads regions with, optionally, the fail epoch of the leader's store:
// "2:1.1 [a,z) 21@1* 22@2 23@3 epoch=1".
func parseEntries(t *testing.T, text string) smtest.Regions {
	var list smtest.Regions
	for _, line := range strings.Split(text, "\n") {
		if line == "" {
			continue
		}
		line, epoch, _ := strings.Cut(line, " epoch=")
		e := smtest.Entry(line)
		if n, err := strconv.Atoi(epoch); err == nil {
			e.FailEpoch = uint32(n)
		}
		list = append(list, e)
	}
	return list
}

// parseStores reads stores: "1", "2 suspect", "3 unreachable epoch=2", "4 tombstone".
func parseStores(t *testing.T, text string) smtest.Stores {
	var list smtest.Stores
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		id, err := strconv.Atoi(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		s := &sm.Store{Store: storeMeta(ports.StoreID(id))}
		for _, f := range fields[1:] {
			switch {
			case f == "suspect":
				s.Liveness = sm.Suspect
			case f == "unreachable":
				s.Liveness = sm.Unreachable
			case f == "tombstone":
				s.State = ports.StoreTombstone
			case strings.HasPrefix(f, "epoch="):
				n, _ := strconv.Atoi(f[6:])
				s.FailEpoch = uint32(n)
			default:
				t.Fatalf("store: %q", f)
			}
		}
		list = append(list, s)
	}
	return list
}

// parseSpec reads the arguments of a call: key=k, end=k, bound=k, region=2:1.1 (with key),
// deadline, timeout, write. With pause, the parent lets it pause after the first reply.
func parseSpec(t *testing.T, d *datadriven.TestData) Spec {
	spec := Spec{Deadline: ports.Instant(10 * time.Second), Timeout: 5 * time.Second}
	for _, arg := range d.CmdArgs {
		value := ""
		if len(arg.Vals) > 0 {
			value = arg.Vals[0]
		}
		var err error
		switch arg.Key {
		case "key":
			spec.Key = []byte(value)
		case "end":
			spec.By, spec.Key = ByEnd, []byte(value)
		case "bound":
			spec.By, spec.Key = ByBound, []byte(value)
		case "region":
			spec.By = ByRegion
			spec.Region, err = smtest.ParseVersion(value)
		case "txn", "pause":
		case "deadline":
			var dl time.Duration
			dl, err = time.ParseDuration(value)
			spec.Deadline = ports.Instant(dl)
		case "timeout":
			spec.Timeout, err = time.ParseDuration(value)
		case "write":
			spec.Write = true
		default:
			err = fmt.Errorf("unknown argument %q", arg.Key)
		}
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	return spec
}
