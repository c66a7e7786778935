package conform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/datadriven"
)

// Script is one file of commands with their answers.
type Script struct {
	// Name is folder and file, "txn/get"; the keys of the script begin with it.
	Name  string
	path  string
	steps []step
}

// step is one command.
type step struct {
	line     int
	command  string
	args     []datadriven.CmdArg
	input    string
	expected string
	// on and why are set where the command plays on one target alone.
	on, why string
	apart   []difference
}

// difference is what one target answers in place of what is expected.
type difference struct {
	on, why  string
	expected string
}

// Scripts reads every script of a folder.
func Scripts(folder string) ([]*Script, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var scripts []*Script
	for _, f := range files {
		s, err := Read(filepath.Join(folder, f.Name()))
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, s)
	}
	return scripts, nil
}

// Read reads one script.
func Read(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Script{Name: filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path), path: path}
	r := reader{lines: strings.Split(string(text), "\n")}
	for {
		next, ok, err := r.step()
		if err == nil && ok {
			err = s.add(next)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s:%d: %w", path, next.line, err)
		case !ok:
			return s, nil
		}
	}
}

// add appends a command, or adds a difference to the one before.
func (s *Script) add(next step) error {
	if (next.on == "") != (next.why == "") {
		return fmt.Errorf("on=… and why=(…) belong together")
	}
	var last *step
	if len(s.steps) > 0 {
		last = &s.steps[len(s.steps)-1]
	}
	switch {
	case next.command == "end" && next.on == "":
		return fmt.Errorf("an end without on=… and why=(…)")
	case next.command != "differs":
		s.steps = append(s.steps, next)
		return nil
	case next.on == "":
		return fmt.Errorf("a difference without on=… and why=(…)")
	case last == nil || last.on != "":
		return fmt.Errorf("nothing to differ from")
	case next.expected == last.expected:
		return fmt.Errorf("a difference that is none")
	}
	last.apart = append(last.apart, difference{on: next.on, why: next.why, expected: next.expected})
	return nil
}

// expectedOn is what a target answers; explained says that it is a difference.
func (s *step) expectedOn(target string) (answer string, explained bool) {
	for _, d := range s.apart {
		if d.on == target {
			return d.expected, true
		}
	}
	return s.expected, false
}

// reader cuts a script into its commands.
type reader struct {
	lines []string
	at    int
}

// step reads the next command, false when there is none.
func (r *reader) step() (step, bool, error) {
	for r.at < len(r.lines) && (r.lines[r.at] == "" || strings.HasPrefix(r.lines[r.at], "#")) {
		r.at++
	}
	s := step{line: r.at + 1}
	if r.at == len(r.lines) {
		return s, false, nil
	}
	var err error
	if s.command, s.args, err = datadriven.ParseLine(r.lines[r.at]); err != nil {
		return s, false, err
	}
	r.at++
	var ruled bool
	if s.input, ruled = r.until("----"); !ruled {
		return s, false, fmt.Errorf("a command without its answer")
	}
	s.expected, _ = r.until("")
	s.on, s.why = text(s.args, "on"), text(s.args, "why")
	return s, true, nil
}

// until returns the lines before one that is end, which is passed over.
func (r *reader) until(end string) (string, bool) {
	var b strings.Builder
	for r.at < len(r.lines) {
		line := r.lines[r.at]
		r.at++
		if line == end {
			return b.String(), true
		}
		b.WriteString(line + "\n")
	}
	return b.String(), false
}

// text returns an argument, empty when it is missing.
func text(args []datadriven.CmdArg, name string) string {
	for _, arg := range args {
		if arg.Key == name {
			return strings.Join(arg.Vals, ", ")
		}
	}
	return ""
}
