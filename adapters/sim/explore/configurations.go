package explore

import "slices"

// cast is a set of clients that is searched under several budgets.
type cast struct {
	name    string
	clients []Program
	// small: pairs of faults take no more than a moment.
	small bool
}

// singles are the faults that happen one at a time; each two of them happen together.
func singles() []Fault { return []Fault{Lose, Duplicate, Crash, Split, Transfer, Expire, Cancel, Late} }

func casts() []cast {
	writeBoth := Program{Name: "write a b", Ops: []Op{{Write, []string{"a", "b"}}}}
	writeTail := Program{Name: "write b c", Ops: []Op{{Write, []string{"b", "c"}}}}
	readBoth := Program{Name: "get a b", Ops: []Op{{Get, []string{"a", "b"}}}}
	readBatch := Program{Name: "batch get a b", Ops: []Op{{BatchGet, []string{"a", "b"}}}}
	addToBoth := Program{Name: "get a, write a b", Ops: []Op{{Get, []string{"a"}}, {Write, []string{"a", "b"}}}}
	return []cast{
		{"two writers", []Program{writeBoth, writeBoth}, false},
		{"writers of a b and of b c", []Program{writeBoth, writeTail}, true},
		{"two who read and write", []Program{addToBoth, addToBoth}, false},
		{"writer and reader", []Program{writeBoth, readBoth}, true},
		{"writer and batch reader", []Program{writeBoth, readBatch}, false},
	}
}

// crowd is a cast too large for pairs of faults, and for a moment.
func crowd() cast {
	list := casts()
	writers, readers := list[1].clients, list[3].clients
	return cast{"two writers and a reader", []Program{writers[0], writers[1], readers[1]}, false}
}

// limit is far above what any committed configuration needs.
const limit = 30_000_000

// Configurations returns the committed configurations: each cast undisturbed, with each fault alone, and with each
// pair of faults. quick leaves out what takes more than a moment.
func Configurations(quick bool) []Config {
	var list []Config
	for _, c := range casts() {
		list = append(list, c.config(0))
		for _, f := range singles() {
			list = append(list, c.config(0, f))
		}
		if c.small {
			list = append(list, c.pairwise()...)
		}
	}
	list = append(list, heartbeats()...)
	if quick {
		return list
	}
	for _, c := range casts()[:2] {
		for _, f := range singles() {
			list = append(list, c.config(1, f))
		}
	}
	for _, c := range casts() {
		if !c.small {
			list = append(list, c.pairwise()...)
		}
	}
	three := crowd()
	list = append(list, three.config(0))
	for _, f := range singles() {
		list = append(list, three.config(0, f))
	}
	return list
}

// pairwise are the configurations of a cast with each two faults.
func (c *cast) pairwise() []Config {
	var list []Config
	for i, f := range singles() {
		for _, g := range singles()[i:] {
			list = append(list, c.config(0, f, g))
		}
	}
	return list
}

// config is one configuration of a cast, in which a client may look again at a lock so many times.
func (c *cast) config(polls uint8, budget ...Fault) Config {
	config := Config{Clients: c.clients, Bounds: []string{"b"}, Peers: 1, Polls: polls, Limit: limit}
	for _, f := range budget {
		config.Budget[f]++
	}
	if slices.Contains(budget, Split) {
		config.Bounds, config.SplitAt = nil, "b"
	}
	if slices.Contains(budget, Transfer) {
		config.Peers = 2
	}
	config.Name = c.name + ": " + config.Budget.String()
	if polls > 0 {
		config.Name += ", polling"
	}
	return config
}

// heartbeats are the configurations in which writers keep their locks alive.
func heartbeats() []Config {
	var list []Config
	twoWriters := casts()[0]
	for _, f := range []Fault{Lose, Expire} {
		config := twoWriters.config(0, f)
		config.Beats = 1
		config.Name += ", heartbeat"
		list = append(list, config)
	}
	return list
}
