package sim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Decisions is a log of what a chooser chose, by site. Only choices other than 0 are kept, so that a run in which
// nothing goes wrong has an empty log. A log outlives changes of the code as long as its sites are asked as often.
type Decisions struct {
	sites [numSites]track
}

type track struct {
	asked   int
	chosen  []decision
	replays int
}

type decision struct {
	index, value int
}

// Recorder passes questions on to another chooser and keeps a log of its answers.
type Recorder struct {
	inner Chooser
	log   Decisions
}

// NewRecorder returns a recorder in front of a chooser.
func NewRecorder(inner Chooser) *Recorder { return &Recorder{inner: inner} }

// Choose implements [Chooser].
func (r *Recorder) Choose(site Site, n int) int {
	t := &r.log.sites[site]
	value := r.inner.Choose(site, n)
	if value != 0 {
		t.chosen = append(t.chosen, decision{t.asked, value})
	}
	t.asked++
	return value
}

// Log returns what was chosen so far; it grows on.
func (r *Recorder) Log() *Decisions { return &r.log }

// Replay answers from a log, and with 0 where the log has nothing or what it has is out of bounds.
type Replay struct {
	log Decisions
}

// NewReplay returns a chooser that repeats a log from its start.
func NewReplay(log *Decisions) *Replay {
	r := &Replay{log: *log}
	for i := range r.log.sites {
		r.log.sites[i].asked, r.log.sites[i].replays = 0, 0
	}
	return r
}

// Choose implements [Chooser].
func (r *Replay) Choose(site Site, n int) int {
	t := &r.log.sites[site]
	index := t.asked
	t.asked++
	if t.replays == len(t.chosen) || t.chosen[t.replays].index != index {
		return 0
	}
	value := t.chosen[t.replays].value
	t.replays++
	if value >= n {
		return 0
	}
	return value
}

// Len returns the number of choices in the log.
func (d *Decisions) Len() int {
	n := 0
	for i := range d.sites {
		n += len(d.sites[i].chosen)
	}
	return n
}

// WriteTo writes the log as text, a line for each site: "request-lost 17=1 204=1".
func (d *Decisions) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for site := range numSites {
		chosen := d.sites[site].chosen
		if len(chosen) == 0 {
			continue
		}
		b.WriteString(site.String())
		for _, c := range chosen {
			fmt.Fprintf(&b, " %d=%d", c.index, c.value)
		}
		b.WriteByte('\n')
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// ErrDecisions is the error of a text that is no log of decisions.
var ErrDecisions = errors.New("sim: malformed log of decisions")

// ReadDecisions reads what [Decisions.WriteTo] wrote.
func ReadDecisions(r io.Reader) (*Decisions, error) {
	d := &Decisions{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<30)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		site, ok := siteNamed(name)
		if !ok {
			return nil, fmt.Errorf("%w: no site %q", ErrDecisions, name)
		}
		last := -1
		for _, word := range strings.Fields(rest) {
			index, value, _ := strings.Cut(word, "=")
			i, err1 := strconv.Atoi(index)
			v, err2 := strconv.Atoi(value)
			if err1 != nil || err2 != nil || i <= last || v <= 0 {
				return nil, fmt.Errorf("%w: %q at site %s", ErrDecisions, word, name)
			}
			last = i
			d.sites[site].chosen = append(d.sites[site].chosen, decision{i, v})
		}
	}
	return d, lines.Err()
}

func siteNamed(name string) (Site, bool) {
	for site := range numSites {
		if siteNames[site] == name {
			return site, true
		}
	}
	return 0, false
}
