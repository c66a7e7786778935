package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// profile is a merged coverage profile, keyed by "file:range".
type profile map[string]block

type block struct {
	pkg        string
	statements int
	covered    bool
}

// coverage counts statements.
type coverage struct{ statements, covered int }

// percent of nothing is nothing: an empty core must not pass for a covered one.
func (c coverage) percent() float64 {
	if c.statements == 0 {
		return 0
	}
	return 100 * float64(c.covered) / float64(c.statements)
}

// parse reads lines "file.go:12.3,14.5 statements count"; the first one is "mode: …".
func parse(r io.Reader) (profile, error) {
	p := profile{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "mode: ") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("malformed line %q", line)
		}
		file, _, ok := strings.Cut(fields[0], ":")
		statements, err := strconv.Atoi(fields[1])
		count, err2 := strconv.ParseUint(fields[2], 10, 64)
		if err := errors.Join(err, err2); !ok || err != nil {
			return nil, fmt.Errorf("malformed line %q: %w", line, err)
		}
		if strings.HasSuffix(file, "_gen.go") {
			continue
		}
		b := p[fields[0]]
		p[fields[0]] = block{path.Dir(file), statements, b.covered || count > 0}
	}
	if len(p) == 0 && lines.Err() == nil {
		return nil, errors.New("the profile is empty")
	}
	return p, lines.Err()
}

func (p profile) sum(counts func(pkg string) bool) coverage {
	var c coverage
	for _, b := range p {
		if !counts(b.pkg) {
			continue
		}
		c.statements += b.statements
		if b.covered {
			c.covered += b.statements
		}
	}
	return c
}

// packages are those of the profile, in order.
func (p profile) packages() []string {
	var all []string
	for _, b := range p {
		all = append(all, b.pkg)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func anyPackage(string) bool { return true }

func inCore(pkg string) bool { return strings.Contains(pkg+"/", "/core/") }

func only(pkg string) func(string) bool {
	return func(p string) bool { return p == pkg }
}
