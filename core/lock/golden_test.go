package lock

import (
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// TestConversations plays the scripts in testdata/resolver. "reader" and "writer" make
// a resolver, optionally lite, with one worker, a nearer deadline, and known
// transactions ("known=(T10,T20)": committed, "known=T10": rolled back).
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/resolver", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var p *play
			switch d.Cmd {
			case "reader":
				p = newPlay(Read)
			case "writer":
				p = newPlay(Write)
			default:
				d.Fatalf(t, "unknown command")
			}
			for _, arg := range d.CmdArgs {
				p.configure(t, d, arg)
			}
			return p.script(t, d.Input)
		})
	})
}

func (p *play) configure(t *testing.T, d *datadriven.TestData, arg datadriven.CmdArg) {
	var err error
	switch arg.Key {
	case "lite":
		p.caller.spec.Lite = true
	case "source":
		p.caller.spec.RequestSource = arg.Vals[0]
	case "at":
		p.caller.spec.CallerTS, err = parseTS(arg.Vals[0])
	case "deadline":
		var limit time.Duration
		limit, err = time.ParseDuration(arg.Vals[0])
		p.caller.spec.Deadline = ports.Instant(limit)
	case "one-worker":
		knobs := *p.Env.Knobs
		knobs.Workers = 1
		p.Env.Knobs = &knobs
	case "known":
		var start, commit ports.Timestamp
		start, err = parseTS(arg.Vals[0])
		if err == nil && len(arg.Vals) > 1 {
			commit, err = parseTS(arg.Vals[1])
		}
		p.Env.Txns = smtest.Txns{start: sm.TxnStatus{CommitTS: commit}}
	default:
		d.Fatalf(t, "unknown argument %s", arg.Key)
	}
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
}
