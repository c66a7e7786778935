package check

import (
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// AppendOp is one operation of a transaction on lists: it appends an element to the list under a key, or reads it.
type AppendOp struct {
	Key string
	// Element is what was appended, 0 for a read. No element is appended to a key twice, by whomever.
	Element int64
	// List is what was read.
	List []int64
}

// AppendTxn is a transaction on lists as its client saw it: its last run, if it was run several times.
type AppendTxn struct {
	// Name appears in what is reported.
	Name string
	Ops  []AppendOp
	// Began and Ended are instants of one clock between which the transaction ran.
	Began, Ended ports.Instant
	Outcome      Outcome
}

// ListAppend holds transactions on lists against snapshot isolation with external consistency, by nothing but what
// their clients saw. Lists tell the order of their versions, and from that follows who depends on whom (Kingsbury and
// Alvaro: Elle, VLDB 2020). It reports
//
//   - reads that contradict the transaction's own operations, that show an element twice, or two lists of one key of
//     which neither begins with the other;
//   - G1a, reads of aborted appends; G1b, reads of what is not the last append of a transaction to the list;
//   - cycles of dependencies that no history under snapshot isolation has (Cerone and Gotsman, JACM 2018): those in
//     which no two anti-dependencies follow each other. They are G0 with writes only, G1c with reads, G-single with one
//     anti-dependency, G-nonadjacent with more. "In real time" says that the cycle needs the fact that one transaction
//     had ended before another began.
//
// Write skew, a cycle with two anti-dependencies in a row, passes. An unknown transaction counts as committed exactly
// if somebody saw what it appended.
func ListAppend(txns []AppendTxn) []string {
	h := &appendHistory{txns: txns, writers: map[element]int{}, longest: map[string][]int64{}}
	h.index()
	for i := range txns {
		h.checkReads(i)
	}
	if len(h.wrong) > 0 {
		return h.wrong // the order of versions is not known, or not worth more words
	}
	h.connect()
	return append(h.wrong, h.cycles()...)
}

type element struct {
	key   string
	value int64
}

// appendHistory is a history on its way to a graph.
type appendHistory struct {
	txns []AppendTxn
	// writers are the transactions that appended each element.
	writers map[element]int
	// keys are all keys, in the order in which they are met; longest are the longest lists that were read.
	keys    []string
	longest map[string][]int64
	// seen: something that the transaction appended was read by another.
	seen  []bool
	graph dependencies
	wrong []string
}

func (h *appendHistory) report(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// index finds out who appended what, and the longest list of each key.
func (h *appendHistory) index() {
	h.seen = make([]bool, len(h.txns))
	known := map[string]bool{}
	for i := range h.txns {
		for _, op := range h.txns[i].Ops {
			if !known[op.Key] {
				known[op.Key] = true
				h.keys = append(h.keys, op.Key)
			}
			if op.Element != 0 {
				h.writers[element{op.Key, op.Element}] = i
			}
		}
	}
	for i := range h.txns {
		for _, r := range h.txns[i].reads() {
			if len(r.List) > len(h.longest[r.Key]) {
				h.longest[r.Key] = r.List
			}
		}
	}
	for _, k := range h.keys {
		for _, e := range h.longest[k] {
			if w, ok := h.writers[element{k, e}]; ok {
				h.seen[w] = true
			}
		}
	}
}

// reads returns what a transaction read of each list first, without what it had appended itself: what others had
// committed.
func (t *AppendTxn) reads() []AppendOp {
	var list []AppendOp
	for i, op := range t.Ops {
		if op.Element != 0 {
			continue
		}
		own, again := 0, false
		for _, before := range t.Ops[:i] {
			if before.Key == op.Key && before.Element != 0 {
				own++
			}
			again = again || before.Key == op.Key && before.Element == 0
		}
		if !again {
			list = append(list, AppendOp{Key: op.Key, List: op.List[:max(0, len(op.List)-own)]})
		}
	}
	return list
}

// committed reports whether a transaction is known to be committed.
func (h *appendHistory) committed(i int) bool {
	return h.txns[i].Outcome == Committed || h.txns[i].Outcome == Unknown && h.seen[i]
}

// checkReads looks at each read of a transaction by itself.
func (h *appendHistory) checkReads(i int) {
	t := &h.txns[i]
	own := map[string][]int64{}
	first := map[string]bool{}
	for _, op := range t.Ops {
		switch {
		case op.Element != 0:
			own[op.Key] = append(own[op.Key], op.Element)
		case !first[op.Key]:
			// Appends that came first must be at the end of what is read; the rest is the others'.
			n := len(op.List) - len(own[op.Key])
			if n < 0 || !slices.Equal(op.List[n:], own[op.Key]) {
				h.report("internal: %s reads %q as %v after it appended %v", t.Name, op.Key, op.List, own[op.Key])
				continue
			}
			h.checkList(i, op.Key, op.List[:n])
			own[op.Key] = slices.Clone(op.List)
		case !slices.Equal(op.List, own[op.Key]):
			h.report("internal: %s reads %q as %v instead of %v", t.Name, op.Key, op.List, own[op.Key])
		}
		first[op.Key] = first[op.Key] || op.Element == 0
	}
}

// checkList looks at a list that others have written.
func (h *appendHistory) checkList(reader int, key string, list []int64) {
	t, longest := &h.txns[reader], h.longest[key]
	if len(list) > len(longest) || !slices.Equal(list, longest[:len(list)]) {
		h.report("incompatible order: %s reads %q as %v, somebody else as %v", t.Name, key, list, longest)
		return
	}
	if twice(list) {
		h.report("duplicate: %s reads %q as %v", t.Name, key, list)
	}
	for n, e := range list {
		w, ok := h.writers[element{key, e}]
		switch {
		case !ok:
			h.report("%s reads %d in %q, which nobody appended", t.Name, e, key)
		case h.txns[w].Outcome == Aborted:
			h.report("G1a: %s reads %d in %q of %s, which is aborted", t.Name, e, key, h.txns[w].Name)
		case n == len(list)-1 && h.last(w, key) != e:
			h.report("G1b: %s reads %d in %q of %s, which appended more", t.Name, e, key, h.txns[w].Name)
		}
	}
}

func twice(list []int64) bool {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return len(slices.Compact(sorted)) != len(list)
}

// last returns the last element that a transaction appended to a list.
func (h *appendHistory) last(txn int, key string) int64 {
	for _, op := range slices.Backward(h.txns[txn].Ops) {
		if op.Key == key && op.Element != 0 {
			return op.Element
		}
	}
	return 0
}

// connect draws the dependencies between transactions.
func (h *appendHistory) connect() {
	h.graph.begin(len(h.txns))
	for _, k := range h.keys {
		list := h.longest[k]
		for n := 1; n < len(list); n++ {
			h.graph.add(h.writers[element{k, list[n-1]}], h.writers[element{k, list[n]}], writeWrite)
		}
	}
	// Whoever appended what nobody saw came after everything that was seen.
	unseen := map[string][]int{}
	for i := range h.txns {
		for _, op := range h.txns[i].Ops {
			if op.Element != 0 && h.committed(i) && !slices.Contains(h.longest[op.Key], op.Element) {
				unseen[op.Key] = append(unseen[op.Key], i)
			}
		}
	}
	for i := range h.txns {
		for _, r := range h.txns[i].reads() {
			h.connectRead(i, r, unseen[r.Key])
		}
	}
	h.connectTime()
}

// connectRead draws what follows from a read: it comes after who wrote the last element, and before who wrote the next.
func (h *appendHistory) connectRead(reader int, r AppendOp, unseen []int) {
	if n := len(r.List); n > 0 {
		h.graph.add(h.writers[element{r.Key, r.List[n-1]}], reader, writeRead)
	}
	if longest := h.longest[r.Key]; len(r.List) < len(longest) {
		h.graph.add(reader, h.writers[element{r.Key, longest[len(r.List)]}], readWrite)
		return
	}
	for _, w := range unseen {
		h.graph.add(reader, w, readWrite)
	}
}

// connectTime draws who had ended before whom. A line of ends stands between, so that there are few edges.
func (h *appendHistory) connectTime() {
	var ended []int
	for i := range h.txns {
		if h.txns[i].Outcome == Committed {
			ended = append(ended, i)
		}
	}
	slices.SortFunc(ended, func(a, b int) int { return int(h.txns[a].Ended - h.txns[b].Ended) })
	line := h.graph.line(len(ended))
	for n, i := range ended {
		h.graph.add(i, line+n, realTime)
		if n > 0 {
			h.graph.add(line+n-1, line+n, realTime)
		}
	}
	for i := range h.txns {
		n, _ := slices.BinarySearchFunc(ended, h.txns[i].Began, func(e int, began ports.Instant) int {
			if h.txns[e].Ended < began {
				return -1
			}
			return 1
		})
		if n > 0 {
			h.graph.add(line+n-1, i, realTime)
		}
	}
}

// cycles names what no history under snapshot isolation has, the simplest first.
func (h *appendHistory) cycles() []string {
	for _, search := range []struct {
		kinds dependency
		name  string
	}{
		{writeWrite, "G0"}, {writeWrite | writeRead, "G1c"}, {writeWrite | writeRead | readWrite, ""},
		{writeWrite | writeRead | realTime, "G1c in real time"},
		{writeWrite | writeRead | readWrite | realTime, " in real time"},
	} {
		path := h.graph.cycle(search.kinds)
		if path == nil {
			continue
		}
		name := search.name
		if search.kinds&readWrite != 0 {
			name = "G-nonadjacent" + search.name
			if count(path, readWrite) == 1 {
				name = "G-single" + search.name
			}
		}
		return []string{name + ": " + h.describe(path)}
	}
	return nil
}

func count(path []edge, kind dependency) int {
	n := 0
	for _, e := range path {
		if e.kind == kind {
			n++
		}
	}
	return n
}

// describe writes a cycle: "a -ww-> b -rw-> a".
func (h *appendHistory) describe(path []edge) string {
	text, waits := "", false
	for _, e := range path {
		if e.from < len(h.txns) {
			text += h.txns[e.from].Name + " "
			waits = false
		}
		if !waits {
			text += e.kind.String() + " "
		}
		waits = e.kind == realTime && e.to >= len(h.txns)
	}
	return text + h.txns[path[0].from].Name
}
