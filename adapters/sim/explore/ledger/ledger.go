// Package ledger keeps the committed numbers of states: a search that suddenly sees less, or more, must be explained.
package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// header is the first line of a table.
const header = "configuration\tstates\tends\tbefore\twhy it changed"

// Table is the committed numbers, one row for each configuration.
type Table struct {
	names []string
	rows  map[string]row
}

type row struct {
	states, ends int
	// before is what states was before its last change, 0 if it never changed; why explains that change.
	before int
	why    string
}

// Read reads a table; a file that does not exist is an empty one.
func Read(path string) (*Table, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Table{rows: map[string]row{}}, nil
	}
	if err != nil {
		return nil, err
	}
	return Parse(string(data))
}

// Parse reads a table from its text.
func Parse(text string) (*Table, error) {
	t := &Table{rows: map[string]row{}}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if n == 0 && line == header {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 5 {
			return nil, fmt.Errorf("line %d: %d columns, want 5", n+1, len(fields))
		}
		r := row{why: fields[4]}
		for i, to := range []*int{&r.states, &r.ends, &r.before} {
			var err error
			if *to, err = strconv.Atoi(fields[i+1]); err != nil {
				return nil, fmt.Errorf("line %d: %w", n+1, err)
			}
		}
		t.put(fields[0], r)
	}
	return t, nil
}

func (t *Table) put(name string, r row) {
	if _, ok := t.rows[name]; !ok {
		t.names = append(t.names, name)
	}
	t.rows[name] = r
}

// Set notes new numbers. A number that changes loses its explanation, so that a new one has to be given.
func (t *Table) Set(name string, states, ends int) {
	r, known := t.rows[name]
	if known && r.states != states {
		r.before, r.why = r.states, ""
	}
	r.states, r.ends = states, ends
	t.put(name, r)
}

// Check says what is wrong with numbers that were found, "" if nothing is.
func (t *Table) Check(name string, states, ends int) string {
	r, known := t.rows[name]
	switch {
	case !known:
		return "not in the table of states: add it with -update"
	case r.states != states || r.ends != ends:
		return fmt.Sprintf("%d states and %d ends, the table says %d and %d", states, ends, r.states, r.ends)
	case r.before != 0 && r.why == "":
		return fmt.Sprintf("%d states in place of %d: say why in the table", states, r.before)
	}
	return ""
}

// States returns the number of states of a configuration, 0 when it is not in the table.
func (t *Table) States(name string) int { return t.rows[name].states }

// Names returns the configurations in the table.
func (t *Table) Names() []string { return t.names }

// String is the table as text.
func (t *Table) String() string {
	var b strings.Builder
	b.WriteString(header + "\n")
	for _, name := range t.names {
		r := t.rows[name]
		fmt.Fprintf(&b, "%s\t%d\t%d\t%d\t%s\n", name, r.states, r.ends, r.before, r.why)
	}
	return b.String()
}

// Write writes the table.
func (t *Table) Write(path string) error {
	if err := os.WriteFile(path, []byte(t.String()), 0o644); err != nil {
		return fmt.Errorf("table of states: %w", err)
	}
	return nil
}
