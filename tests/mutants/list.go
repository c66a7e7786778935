package main

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// data are the mutants, one file for each kind of bug, the records of bugs that clients of TiKV have had, and what
// killed each mutant last.
//
//go:embed bugs records.tsv kills.tsv
var data embed.FS

// entry is what the list says about one record: a mutant, or why there is none yet, or why there will never be one.
type entry struct {
	// name is the record's id, a slash, and a word; an entry without a mutant is named after the record alone.
	name string
	// what is the bug, in one sentence.
	what  string
	hunks []hunk
	// kills are the names of what may kill the mutant, in the order in which they are tried.
	kills []string
	// waits is the package without which the bug cannot be made, or, behind a #, a word that its code does not contain.
	waits string
	// moot says why no code can have the bug.
	moot string
	// blind says why nothing sees the mutant yet. It still has to apply, and is not hunted without being asked for.
	blind string
	line  string
}

func (e *entry) mutant() bool { return len(e.hunks) > 0 }

// hunk replaces one piece of a file by another.
type hunk struct {
	file     string
	old, new string
}

// readList reads every entry.
func readList() ([]*entry, error) {
	var list []*entry
	files, err := fs.Glob(data, "bugs/*.diff")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		text, err := data.ReadFile(name)
		if err != nil {
			return nil, err
		}
		some, err := parseList(path.Base(name), string(text))
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// parseList reads entries in this form:
//
//	== RC-02/epoch
//	An older region takes the place of a newer one.
//	kill: seeds
//	--- core/route/regionentry.go
//	 a line before, if the next is not found exactly once
//	-a line that goes
//	+a line that comes
//
// In place of the hunks "waits: core/gc" or "moot: why" may stand. Without a kill, seeds must do it; with "blind: why"
// nothing does yet.
func parseList(file, text string) ([]*entry, error) {
	var list []*entry
	for i, line := range strings.Split(text, "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		if name, ok := strings.CutPrefix(line, "== "); ok {
			list = append(list, &entry{name: name, line: where})
			continue
		}
		if len(list) == 0 {
			if line != "" && line[0] != '#' {
				return nil, fmt.Errorf("%s: text before the first entry", where)
			}
			continue
		}
		if err := list[len(list)-1].add(line); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
	}
	for _, e := range list {
		if e.mutant() && len(e.kills) == 0 {
			e.kills = []string{bySeeds}
		}
	}
	return list, nil
}

// add takes one line of an entry.
func (e *entry) add(line string) error {
	if file, ok := strings.CutPrefix(line, "--- "); ok {
		e.hunks = append(e.hunks, hunk{file: file})
		return nil
	}
	if e.mutant() {
		return e.hunks[len(e.hunks)-1].add(line)
	}
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "":
	case "kill":
		e.kills = append(e.kills, value)
	case "waits":
		e.waits = value
	case "moot":
		e.moot = value
	case "blind":
		e.blind = value
	default:
		e.what = strings.TrimSpace(e.what + " " + line)
	}
	return nil
}

func (h *hunk) add(line string) error {
	if line == "" {
		return nil
	}
	text := line[1:] + "\n"
	switch line[0] {
	case ' ':
		h.old, h.new = h.old+text, h.new+text
	case '-':
		h.old += text
	case '+':
		h.new += text
	default:
		return fmt.Errorf("a line of a hunk begins with a blank, - or +")
	}
	return nil
}

// apply returns the files that the mutant changes, as it changes them. read reads a file of the tree.
func (e *entry) apply(read func(string) ([]byte, error)) (map[string]string, error) {
	changed := map[string]string{}
	for _, h := range e.hunks {
		text, ok := changed[h.file]
		if !ok {
			raw, err := read(h.file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			text = string(raw)
		}
		// A hunk begins at the start of a line.
		if n := strings.Count("\n"+text, "\n"+h.old); n != 1 {
			return nil, fmt.Errorf("%s (%s): its text is in %s %d times", e.name, e.line, h.file, n)
		}
		changed[h.file] = strings.Replace("\n"+text, "\n"+h.old, "\n"+h.new, 1)[1:]
	}
	return changed, nil
}

// mutants returns the entries that are mutants and whose names contain a text.
func mutants(list []*entry, name string) []*entry {
	return slices.DeleteFunc(slices.Clone(list), func(e *entry) bool {
		return !e.mutant() || !strings.Contains(e.name, name)
	})
}
