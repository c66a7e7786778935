package main

import (
	"fmt"
	"os"

	"github.com/tikvx/tikvx/tests/conform"
)

// score adds up what came of the scripts on one target.
type score struct {
	name                                 string
	scripts, passed, commands, explained int
	// cut counts the scripts that ended early, where the target lacks something.
	cut int
	// well is false when a probe of what is lacking went wrong.
	well bool
}

func newScore(name string) *score { return &score{name: name, well: true} }

// probe finds out what the target lacks.
func (s *score) probe(script *conform.Script, target *conform.Target) conform.Lacking {
	lacking, played := script.Probe(target)
	s.explained += played.Explained
	s.well = len(played.Wrong) == 0
	complain(played.Wrong)
	return lacking
}

func (s *score) add(played conform.Played) {
	s.scripts++
	s.commands += played.Commands
	s.explained += played.Explained
	if played.Lacking != "" {
		s.cut++
	}
	if len(played.Wrong) == 0 {
		s.passed++
	}
	complain(played.Wrong)
}

func complain(wrong []string) {
	for _, w := range wrong {
		fmt.Fprintln(os.Stderr, w)
	}
}

func (s *score) print() {
	fmt.Printf("  %s: scripts=%d/%d commands=%d explained=%d; %d scripts end early, at what it lacks\n",
		s.name, s.passed, s.scripts, s.commands, s.explained, s.cut)
}
