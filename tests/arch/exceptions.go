package arch

import "strings"

// exception excuses the faults of one file whose text contains a phrase.
type exception struct{ file, phrase, reason string }

const pdLogger = "pd/client logs through a process-wide logger, which the first Open silences if nobody has set it"

var exceptions = []exception{
	{"adapters/pd/client.go", "pingcap/log.L", pdLogger},
	{"adapters/pd/client.go", "variable libraryLogger", pdLogger},
	{"adapters/pd/client.go", "variable silence", pdLogger},
}

// excuse removes the faults that an exception covers, and returns the exceptions that cover none.
func excuse(faults []fault, exceptions []exception) (left []fault, unused []exception) {
	used := map[exception]bool{}
	for _, f := range faults {
		excused := false
		for _, e := range exceptions {
			if f.pos.Filename == e.file && strings.Contains(f.text, e.phrase) {
				excused, used[e] = true, true
			}
		}
		if !excused {
			left = append(left, f)
		}
	}
	for _, e := range exceptions {
		if !used[e] {
			unused = append(unused, e)
		}
	}
	return left, unused
}
