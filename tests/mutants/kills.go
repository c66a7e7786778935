package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kill is what killed a mutant: a seed, or a property.
type kill struct {
	what string
	seed uint64
}

func (k kill) String() string {
	if k.seed != 0 {
		return fmt.Sprintf("%s %d", k.what, k.seed)
	}
	return k.what
}

// kills is what killed each mutant when the whole hunt was last run: kills.tsv. It only makes hunts shorter. A seed
// that kills no more, because the simulator has changed since, is followed by all the others.
type kills map[string]kill

func readKills() (kills, error) {
	text, err := data.ReadFile("kills.tsv")
	if err != nil {
		return nil, err
	}
	known := kills{}
	for line := range strings.Lines(string(text)) {
		name, what, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			return nil, fmt.Errorf("kills.tsv: %q", line)
		}
		known[name] = parseKill(what)
	}
	return known, nil
}

func parseKill(what string) kill {
	if number, ok := strings.CutPrefix(what, bySeeds+" "); ok {
		if seed, err := strconv.ParseUint(number, 10, 64); err == nil {
			return kill{bySeeds, seed}
		}
	}
	return kill{what: what}
}

func (k kills) String() string {
	lines := make([]string, 0, len(k))
	for name, by := range k {
		lines = append(lines, name+"\t"+by.String()+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
