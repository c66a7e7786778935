package simtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tikvx/tikvx/adapters/sim"
)

// Transcript repeats a run: its seed, and every decision that was not the boring one. What failed and what happened
// stand beside it, for whoever reads it; they are not read back.
//
// As text it is a line "seed 0x…" and a line for each site of decisions, as [sim.Decisions] writes them, among
// comments that begin with #. Seed is the seed of the run in which the decisions were made: the clients' own random
// numbers still come from it.
type Transcript struct {
	Seed uint64
	// Failure is what the run failed with, empty if it did not.
	Failure Failure
	// Story are the lines of the trace that begin with !!, -- and ##: faults, what became of the cluster, and what
	// tasks had to say.
	Story []string

	made []decision
}

// decision is the answer to the index-th question at a site.
type decision struct {
	site         string
	index, value int
}

// Len returns the number of decisions.
func (tr *Transcript) Len() int { return len(tr.made) }

// note takes what a run decided and how it ended.
func (tr *Transcript) note(log *sim.Decisions, failures []Failure) {
	var b strings.Builder
	_, _ = log.WriteTo(&b)
	tr.made, _ = parseDecisions(b.String())
	if len(failures) > 0 {
		tr.Failure = failures[0]
	}
}

// decisions returns the log that a run can follow.
func (tr *Transcript) decisions() (*sim.Decisions, error) {
	return sim.ReadDecisions(strings.NewReader(tr.log()))
}

// log writes the decisions as [sim.Decisions] does.
func (tr *Transcript) log() string {
	var b strings.Builder
	for i, d := range tr.made {
		if i == 0 || tr.made[i-1].site != d.site {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(d.site)
		}
		fmt.Fprintf(&b, " %d=%d", d.index, d.value)
	}
	if len(tr.made) > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// storyLines bounds the story in a text.
const storyLines = 100

// String returns the transcript as text.
func (tr *Transcript) String() string {
	var b strings.Builder
	if tr.Failure.Text != "" {
		for line := range strings.Lines(tr.Failure.brief()) {
			fmt.Fprintf(&b, "# %s\n", strings.TrimSpace(line))
		}
		b.WriteString("#\n")
	}
	for i, line := range tr.Story {
		if i == storyLines {
			fmt.Fprintf(&b, "# … and %d more\n", len(tr.Story)-i)
			break
		}
		fmt.Fprintf(&b, "# %s\n", line)
	}
	fmt.Fprintf(&b, "seed %#x\n", tr.Seed)
	b.WriteString(tr.log())
	return b.String()
}

// ParseTranscript reads what [Transcript.String] wrote.
func ParseTranscript(text string) (*Transcript, error) {
	tr := &Transcript{}
	var log strings.Builder
	seeds := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		seed, isSeed := strings.CutPrefix(line, "seed ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case isSeed:
			var err error
			if tr.Seed, err = strconv.ParseUint(seed, 0, 64); err != nil {
				return nil, fmt.Errorf("simtest: transcript: seed: %w", err)
			}
			seeds++
		default:
			log.WriteString(line + "\n")
		}
	}
	if seeds != 1 {
		return nil, fmt.Errorf("simtest: transcript: %d lines with a seed", seeds)
	}
	var err error
	tr.made, err = parseDecisions(log.String())
	if err != nil {
		return nil, fmt.Errorf("simtest: transcript: %w", err)
	}
	return tr, nil
}

// parseDecisions reads a log that [sim.ReadDecisions] accepts.
func parseDecisions(text string) ([]decision, error) {
	if _, err := sim.ReadDecisions(strings.NewReader(text)); err != nil {
		return nil, err
	}
	var made []decision
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		for _, word := range words[1:] {
			index, value, _ := strings.Cut(word, "=")
			d := decision{site: words[0]}
			d.index, _ = strconv.Atoi(index) // they are numbers: the log was accepted
			d.value, _ = strconv.Atoi(value)
			made = append(made, d)
		}
	}
	return made, nil
}

// ReadTranscript reads a file.
func ReadTranscript(path string) (*Transcript, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseTranscript(string(text))
}

// Write writes the transcript to a file, whose folder it makes.
func (tr *Transcript) Write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(tr.String()), 0o644)
}
