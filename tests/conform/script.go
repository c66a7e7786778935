package conform

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/ports"
)

// Counts is what became of the commands of a run.
type Counts struct {
	// Commands ran; Explained were left to other targets, with a reason.
	Commands, Explained int
}

// Run plays every script of a folder on a target.
func Run(t *testing.T, folder, name string, target Sender) Counts {
	var sum Counts
	datadriven.Walk(t, folder, func(t *testing.T, path string) {
		s := script{target: target, name: name, prefix: "conform/" + filepath.Base(path) + "/"}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return s.run(t, d, &sum)
		})
	})
	return sum
}

var isolations = map[string]ports.Isolation{"rc": ports.IsolationRC, "rc-check-ts": ports.IsolationRCCheckTS}

// script is one file that is being played.
type script struct {
	target Sender
	name   string
	prefix string
}

func (s *script) run(t *testing.T, d *datadriven.TestData, sum *Counts) string {
	if d.HasArg("on") {
		var on, why string
		d.ScanArgs(t, "on", &on)
		d.ScanArgs(t, "why", &why)
		if on != s.name {
			sum.Explained++
			return d.Expected
		}
	}
	sum.Commands++
	build, ok := commands[d.Cmd]
	if !ok {
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	a := args{t: t, d: d, prefix: s.prefix}
	first, req := build(&a)
	header := ports.Header{
		ResolvedLocks: a.timestamps("resolved"), CommittedLocks: a.timestamps("committed"), IsRetry: d.HasArg("retry"),
		Isolation: isolations[a.text("level")],
	}
	reply, err := s.target.Do(first, header, req)
	if err != nil {
		return fmt.Sprintf("failed: %v\n", err)
	}
	return strings.ReplaceAll(format(reply), s.prefix, "")
}
