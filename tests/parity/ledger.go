// Package parity keeps the account with client-go's own test suite.
//
// upstream.tsv lists every test and benchmark of client-go at b75f6efa (August 2026) with the behaviour that it
// verifies. ledger.tsv has the same rows in the same order and says of each what became of it here:
//
//	tested  our_test names what shows the behaviour. note is empty, or says "differs: " and how we do it on purpose,
//	        "rest n/a: " and why a part does not apply, or "rest waits: " and the capability that a part needs
//	n/a     the behaviour does not apply; note says why
//	waits   note names the capability that has to come first
//
// Several names are separated by "; ". A name is one of
//
//	./folder.TestName                        a test, fuzz target, example or benchmark
//	./folder.TestName/a case                 a subtest by the name that it has in the source
//	./folder.TestName/script#Opening words   a conversation of a script, by how the comment above it begins
//
// The tests of this package hold that no row is lost, added or judged twice, and that whatever is named exists. A
// test that plays scripts is never named without the conversation, for it shows a hundred things.
package parity

import (
	"fmt"
	"slices"
	"strings"
)

// capabilities are what a row may wait for. The row of a capability that exists names a test instead, or is wrong.
var capabilities = []string{
	"PD followers", "admin", "assertions", "async commit", "buckets", "collapsed requests", "commit timestamps of values",
	"commit wait", "concurrency limits", "fair locking", "forwarding", "garbage collection", "health feedback",
	"interceptors", "keyspaces", "low-resolution timestamps", "observability", "one-phase commit",
	"pessimistic transactions", "pipelined transactions", "range tasks", "raw checksum", "read committed",
	"replica reads", "request options", "request source", "resource control", "shared locks", "snapshot cache",
	"stale reads",
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

// names returns what a row of the ledger names.
func (r row) names() []string { return strings.Split(r[3], "; ") }

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

// audit returns what is wrong with the ledger. find says what is wrong with a name, or nothing.
func audit(upstream, ledger []row, find func(name string) string) []string {
	var wrong []string
	seen := map[string]int{}
	for _, r := range ledger {
		seen[r.id()]++
		if why := judge(r, find); why != "" {
			wrong = append(wrong, r.id()+": "+why)
		}
	}
	for i, r := range upstream {
		switch n := seen[r.id()]; {
		case n != 1:
			wrong = append(wrong, fmt.Sprintf("%s: %d rows, not 1", r.id(), n))
		case len(ledger) > i && ledger[i].id() != r.id():
			wrong = append(wrong, r.id()+": not in upstream's order")
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
func judge(r row, find func(name string) string) string {
	status, note := r[4], r[5]
	switch status {
	case "tested":
		return judgeTested(r, find)
	case "n/a":
		if r[3] != "" || note == "" {
			return "n/a needs a reason and no test"
		}
	case "waits":
		if r[3] != "" || !slices.Contains(capabilities, note) {
			return fmt.Sprintf("waits needs a known capability, not %q, and no test", note)
		}
	default:
		return fmt.Sprintf("status %q", status)
	}
	return ""
}

func judgeTested(r row, find func(name string) string) string {
	names := r.names()
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name + " is named twice"
		}
		if why := find(name); why != "" {
			return why
		}
	}
	benchmark := func(name string) bool { return strings.Contains(name, ".Benchmark") }
	if strings.HasPrefix(r[1], "Benchmark") != slices.ContainsFunc(names, benchmark) {
		return "a benchmark is answered by a benchmark, and a test is not"
	}
	kind, text, _ := strings.Cut(r[5], ": ")
	switch {
	case r[5] == "", (kind == "differs" || kind == "rest n/a") && text != "":
		return ""
	case kind == "rest waits" && slices.Contains(capabilities, text):
		return ""
	}
	return fmt.Sprintf("note %q", r[5])
}

// idle returns the capabilities that no row waits for any more.
func idle(ledger []row) []string {
	return slices.DeleteFunc(slices.Clone(capabilities), func(c string) bool {
		return slices.ContainsFunc(ledger, func(r row) bool { return r[4] == "waits" && r[5] == c })
	})
}

// summary counts the rows of a ledger in one line.
func summary(ledger []row) string {
	var tested, differ, partly, waiting, other int
	ours, wanted := map[string]bool{}, map[string]bool{}
	for _, r := range ledger {
		switch r[4] {
		case "tested":
			tested++
			for _, name := range r.names() {
				ours[name] = true
			}
			switch kind, _, _ := strings.Cut(r[5], ": "); kind {
			case "differs":
				differ++
			case "rest n/a", "rest waits":
				partly++
			}
		case "waits":
			waiting++
			wanted[r[5]] = true
		default:
			other++
		}
	}
	return fmt.Sprintf("parity: rows=%d tested=%d (differs=%d partly=%d ours=%d) n/a=%d waits=%d (capabilities=%d)",
		len(ledger), tested, differ, partly, len(ours), other, waiting, len(wanted))
}
