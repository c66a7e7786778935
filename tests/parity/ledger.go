// Package parity keeps the account with client-go's own test suite.
//
// upstream.tsv lists every test and benchmark of client-go at b75f6efa (August 2026) with the behaviour that it
// verifies. ledger.tsv has the same rows in the same order and says of each what became of it here:
//
//	tested  our_test names the Go tests that show the behaviour, separated by commas, as ./folder.TestName
//	n/a     the behaviour does not apply; note says why
//	waits   note names the capability that has to come first
//
// The test of this package holds that no row is lost, added or judged twice, and that every test named exists.
package parity

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// capabilities are what a row may wait for. The row of a capability that exists names a test instead, or is wrong;
// "naming" is for behaviour that is built and whose tests are yet to be entered.
var capabilities = []string{
	"naming",
	"PD followers", "admin", "assertions", "async commit", "buckets", "commit timestamps of values", "commit wait",
	"fair locking", "forwarding", "garbage collection", "health feedback", "interceptors", "keyspaces",
	"low-resolution timestamps", "observability", "one-phase commit", "pessimistic transactions",
	"pipelined transactions", "range tasks", "raw checksum", "read committed", "replica reads", "request options",
	"request source", "resource control", "shared locks", "snapshot cache", "stale reads",
}

// Headers of the two tables.
const (
	upstreamHeader = "file\tname\ttag\tbehaviour"
	ledgerHeader   = "file\tname\ttag\tour_test\tstatus\tnote"
)

// row is one line of a table, by column.
type row []string

// id is what a row of either table is about: file, name and tag.
func (r row) id() string { return strings.Join(r[:3], " ") }

// table splits a table into rows and checks that each has as many columns as the header.
func table(text, header string) ([]row, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != header {
		return nil, fmt.Errorf("header is %q, not %q", lines[0], header)
	}
	var rows []row
	for i, line := range lines[1:] {
		r := row(strings.Split(line, "\t"))
		if want := strings.Count(header, "\t") + 1; len(r) != want {
			return nil, fmt.Errorf("line %d has %d columns, not %d", i+2, len(r), want)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// audit returns what is wrong with the ledger. exists tells whether a folder has a test of a name.
func audit(upstream, ledger []row, exists func(folder, test string) bool) []string {
	var wrong []string
	seen := map[string]int{}
	for _, r := range ledger {
		seen[r.id()]++
		if why := judge(r, exists); why != "" {
			wrong = append(wrong, r.id()+": "+why)
		}
	}
	for _, r := range upstream {
		if n := seen[r.id()]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: %d rows, not 1", r.id(), n))
		}
		delete(seen, r.id())
	}
	for id := range seen {
		wrong = append(wrong, id+": no such test upstream")
	}
	slices.Sort(wrong)
	return wrong
}

// judge says what is wrong with one row of the ledger, or nothing.
func judge(r row, exists func(folder, test string) bool) string {
	tests, status, note := r[3], r[4], r[5]
	switch status {
	case "tested":
		for name := range strings.SplitSeq(tests, ",") {
			if why := judgeName(strings.TrimSpace(name), exists); why != "" {
				return why
			}
		}
	case "n/a":
		if tests != "" || note == "" {
			return "n/a needs a reason and no test"
		}
	case "waits":
		if tests != "" || !slices.Contains(capabilities, note) {
			return fmt.Sprintf("waits needs a known capability, not %q, and no test", note)
		}
	default:
		return fmt.Sprintf("status %q", status)
	}
	return ""
}

func judgeName(name string, exists func(folder, test string) bool) string {
	dot := strings.LastIndexByte(name, '.')
	if !strings.HasPrefix(name, "./") || dot < 2 {
		return fmt.Sprintf("%q is not of the form ./folder.TestName", name)
	}
	if !exists(path.Clean(name[:dot]), name[dot+1:]) {
		return name + " does not exist"
	}
	return ""
}
