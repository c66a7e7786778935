package check_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/ports"
)

// script reads a history: a line for each transaction, "name [began-ended] [aborted|unknown] op op …", where a+1
// appends 1 to a and a=1,2 reads it.
func script(t *testing.T, text string) []check.AppendTxn {
	var txns []check.AppendTxn
	for line := range strings.Lines(strings.TrimSpace(text)) {
		words := strings.Fields(line)
		txn := check.AppendTxn{Name: words[0], Outcome: check.Committed, Ended: 100}
		for _, w := range words[1:] {
			switch {
			case w == "aborted":
				txn.Outcome = check.Aborted
			case w == "unknown":
				txn.Outcome = check.Unknown
			case strings.Contains(w, "+"):
				txn.Ops = append(txn.Ops, check.AppendOp{Key: w[:1], Element: number(t, w[2:])})
			case strings.Contains(w, "="):
				op := check.AppendOp{Key: w[:1]}
				for _, e := range strings.FieldsFunc(w[2:], func(r rune) bool { return r == ',' }) {
					op.List = append(op.List, number(t, e))
				}
				txn.Ops = append(txn.Ops, op)
			default:
				began, ended, ok := strings.Cut(w, "-")
				require.True(t, ok, w)
				txn.Began, txn.Ended = ports.Instant(number(t, began)), ports.Instant(number(t, ended))
			}
		}
		txns = append(txns, txn)
	}
	return txns
}

func number(t *testing.T, text string) int64 {
	n := int64(0)
	for _, r := range text {
		require.True(t, r >= '0' && r <= '9', text)
		n = 10*n + int64(r-'0')
	}
	return n
}

func TestListAppendAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        `a a=`,
		"one by one":     "a a+1\nb a=1 a+2\nc a=1,2",
		"write skew":     "a x= y= x+1\nb x= y= y+1\nc x=1 y=1",
		"own writes":     "a x= x+1 x=1 x+2 x=1,2\nb x+3 x=1,2,3",
		"unknown, seen":  "a unknown x+1\nb x=1",
		"unknown, lost":  "a unknown x+1\nb 200-300 x=",
		"aborted reader": "a x+1\nb aborted x=1 x+2",
		"long fork of anti-dependencies in a row": "a x= y+1\nb y= z+1\nc z= x+1\nr x=1 y=1 z=1",
		"beside each other":                       "a 1-10 x+1\nb 5-20 x=",
	} {
		require.Empty(t, check.ListAppend(script(t, text)), name)
	}
}

func TestListAppendRejects(t *testing.T) {
	for _, c := range []struct{ what, text string }{
		{"internal", "a x= x+1 x=\nb x="},
		{"internal", "a x= x=1\nb x+1"},
		{"internal", "a x+1 x=2\nb x+2"},
		{"duplicate", "a x+1\nb x=1,1"},
		{"nobody appended", "b x=1"},
		{"incompatible order", "a x+1\nb x+2\nc x=1\nd x=2,1"},
		{"G1a", "a aborted x+1\nb x=1"},
		{"G1b", "a x+1 x+2\nb x=1\nc x=1,2"},
		{"G0: a -ww-> b -ww-> a", "a x+1 y+1\nb x+2 y+2\nc x=1,2\nd y=2,1"},
		{"G1c: a -wr-> b -wr-> a", "a x+1 y=1\nb y+1 x=1"},
		// Lost update: both read what was there, both wrote.
		{"G-single: b -rw-> a -ww-> b", "a x= x+1\nb x= x+2\nc x=1,2"},
		// Read skew: half of a transaction is seen.
		{"G-single: ", "a x+1 y+1\nb x=1 y=\nc y=1"},
		// Long fork: two readers see two writers in different orders.
		{"G-nonadjacent: ", "a x+1\nb y+1\nr x=1 y=\ns x= y=1"},
		{"G1c in real time: a -wr-> b -before-> a", "a 10-20 x+1\nb 1-5 x=1"},
		// Stale read: what had ended is not seen.
		{"G-single in real time: b -rw-> a -before-> b", "a 1-5 x+1\nb 10-20 x="},
		{"G-single in real time", "a 1-5 x+1\nc 6-7 z+1\nd 6-8 z=1\nb 10-20 x=\ne 30-40 x=1"},
		// Lost write: committed, and never seen again.
		{"G-single in real time", "a 1-5 x+1\nb 1-6 x+2\nc 10-20 x=2"},
	} {
		got := check.ListAppend(script(t, c.text))
		require.NotEmpty(t, got, c.text)
		require.Contains(t, got[0], c.what, c.text)
	}
}

// TestListAppendOnModel draws histories from a store that keeps snapshot isolation, all of which must pass, and from
// the same store with one rule broken, which must be found out soon.
func TestListAppendOnModel(t *testing.T) {
	for seed := range uint64(200) {
		require.Empty(t, check.ListAppend(model{random: rand.New(rand.NewPCG(seed, 1))}.run(60)), "seed %d", seed)
	}
	for name, m := range map[string]model{
		"no conflicts": {blind: true}, "reads the newest": {newest: true}, "old": {old: true},
	} {
		found := 0
		for seed := range uint64(100) {
			m.random = rand.New(rand.NewPCG(seed, 2))
			if len(check.ListAppend(m.run(60))) > 0 {
				found++
			}
		}
		require.Greater(t, found, 50, name)
	}
}

// model is a tiny database of lists.
type model struct {
	random *rand.Rand
	// blind: conflicts are not noticed. newest: reads ignore their snapshot. old: snapshots are older than they must be.
	blind, newest, old bool
}

type version struct {
	at   int
	list []int64
}

type running struct {
	txn   check.AppendTxn
	start int
	mine  map[string][]int64
}

func (m model) run(n int) []check.AppendTxn {
	data := map[string][]version{}
	at := func(key string, ts int) []int64 {
		var list []int64
		for _, v := range data[key] {
			if v.at <= ts || m.newest {
				list = v.list
			}
		}
		return list
	}
	var open []*running
	var done []check.AppendTxn
	element := int64(0)
	for now := 1; len(done) < n; now++ {
		if len(open) < 4 {
			r := &running{start: now, mine: map[string][]int64{}}
			r.txn.Name, r.txn.Began = string(rune('a'+now%26)), ports.Instant(now)
			if m.old {
				r.start = max(0, now-m.random.IntN(20))
			}
			open = append(open, r)
			continue
		}
		i := m.random.IntN(len(open))
		r := open[i]
		key := string(rune('x' + m.random.IntN(3)))
		list, changed := r.mine[key]
		if !changed {
			list = at(key, r.start)
		}
		switch m.random.IntN(4) {
		case 0:
			r.txn.Ops = append(r.txn.Ops, check.AppendOp{Key: key, List: list})
		case 1, 2:
			element++
			r.mine[key] = append(list[:len(list):len(list)], element)
			r.txn.Ops = append(r.txn.Ops, check.AppendOp{Key: key, Element: element})
		default:
			open = append(open[:i], open[i+1:]...)
			r.txn.Ended, r.txn.Outcome = ports.Instant(now), check.Committed
			for k := range r.mine {
				if v := data[k]; !m.blind && len(v) > 0 && v[len(v)-1].at > r.start {
					r.txn.Outcome = check.Aborted
				}
			}
			for k, list := range r.mine {
				if r.txn.Outcome == check.Committed {
					data[k] = append(data[k], version{now, list})
				}
			}
			done = append(done, r.txn)
		}
	}
	return done
}
