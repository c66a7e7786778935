package txn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/core/buffer"
)

// TestConversations plays the scripts in testdata/commit: each says what a transaction
// writes, and what happens to it.
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/commit", func(t *testing.T, path string) {
		var p *play
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "txn":
				p = newPlay(parseTxn(t, d))
				return writesText(p.c)
			case "play":
				return p.script(t, d.Input)
			default:
				d.Fatalf(t, "unknown command")
			}
			return ""
		})
	})
}

// parseTxn reads what a transaction writes, and how long it has.
func parseTxn(t *testing.T, d *datadriven.TestData) Params {
	var b buffer.Buffer
	for _, line := range strings.Split(d.Input, "\n") {
		if line == "" {
			continue
		}
		if err := write(&b, line); err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	params := params(b.View())
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "deadline":
			after, err := time.ParseDuration(arg.Vals[0])
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			params.Deadline = began.Add(after)
		default:
			d.Fatalf(t, "unknown argument %q", arg.Key)
		}
	}
	return params
}

func writesText(c *Commit) string {
	return fmt.Sprintf("%d to prewrite, %d to lock, primary %q", len(c.writes.keys), len(c.writes.locked), c.terms.primary)
}
