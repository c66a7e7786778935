package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tikvx/tikvx/ports"
)

// action is what a rule of a script does.
type action uint8

const (
	actLoseRequest action = iota
	actLoseReply
	actBusy
	actCrash
	actHang
	actTransfer
	actMerge
	actMovePeer
	actIsolate
	numActions
)

var actionNames = [numActions]string{
	"lose-request", "lose-reply", "busy", "crash", "hang", "transfer", "merge", "move-peer", "isolate",
}

var actionFaults = [numActions]Fault{
	FaultRequestLost, FaultReplyLost, FaultBusy, FaultCrash, FaultHang, FaultTransfer, FaultMerge, FaultMovePeer,
	FaultPartition,
}

// rule is one line of a script.
type rule struct {
	action  action
	verb    ports.Verb
	store   ports.StoreID
	client  string
	primary bool
	// nth is the first matching request that is hit, times the number of those that are.
	nth, times int
	seen       int
}

// ErrScript is the error of a script that makes no sense.
var ErrScript = errors.New("sim: script")

// Script adds rules that make chosen things go wrong, whatever the chooser says, until [World.Heal]; one rule a line:
//
//	lose-reply verb=Commit primary
//	lose-request verb=Prewrite store=2 nth=3
//	busy verb=Get times=5
//	crash verb=Prewrite
//
// A line is an action followed by conditions, which all must hold: verb, store, client, primary (the request is about
// the primary key); nth is the first request that is hit (1), times how many are (1). Actions are lose-request,
// lose-reply, busy (ServerIsBusy), and those that strike the store, or its peer of the region, that has just executed
// the request, before it answers: crash, hang, isolate (no other store hears of it), transfer (leadership goes to the
// next peer), merge (the region becomes part of the next one, the last region of the one before) and move-peer (to a
// store without one, or another peer on the same).
func (w *World) Script(text string) error {
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		r, err := parseRule(words)
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrScript, i+1, err)
		}
		w.rules = append(w.rules, r)
	}
	return nil
}

func parseRule(words []string) (rule, error) {
	r := rule{action: numActions, nth: 1, times: 1}
	for a := range numActions {
		if actionNames[a] == words[0] {
			r.action = a
		}
	}
	if r.action == numActions {
		return r, fmt.Errorf("no action %q", words[0])
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		number, err := strconv.Atoi(value)
		switch name {
		case "verb":
			if r.verb = verbNamed(value); r.verb == ports.VerbNone {
				return r, fmt.Errorf("no verb %q", value)
			}
			continue
		case "client":
			r.client = value
			continue
		case "primary":
			r.primary = true
			continue
		case "store":
			r.store = ports.StoreID(number)
		case "nth":
			r.nth = number
		case "times":
			r.times = number
		default:
			return r, fmt.Errorf("no condition %q", name)
		}
		if err != nil || number < 1 {
			return r, fmt.Errorf("%s is no positive number: %q", name, value)
		}
	}
	return r, nil
}

func verbNamed(name string) ports.Verb {
	for v := range ports.Verbs {
		if verbNames[v] == name {
			return ports.Verb(v)
		}
	}
	return ports.VerbNone
}

// scripted reports whether a rule wants an action for a call now, and counts it.
func (w *World) scripted(c *call, a action) bool {
	for i := range w.rules {
		if r := &w.rules[i]; r.action == a && r.matches(c) {
			r.seen++
			if r.seen >= r.nth && r.seen < r.nth+r.times {
				switch a {
				case actLoseRequest, actLoseReply, actBusy:
					w.count(actionFaults[a])
				default: // counted where it is done
				}
				return true
			}
		}
	}
	return false
}

func (r *rule) matches(c *call) bool {
	return (r.verb == ports.VerbNone || r.verb == c.req.Verb()) && (r.store == 0 || r.store == c.to.Store) &&
		(r.client == "" || r.client == c.client.name) && (!r.primary || aboutPrimary(c.req))
}

// aboutPrimary reports whether a request is about a transaction's primary key.
func aboutPrimary(req ports.Request) bool {
	switch q := req.(type) {
	case *ports.PrewriteRequest:
		for i := range q.Mutations {
			if string(q.Mutations[i].Key) == string(q.Primary) {
				return true
			}
		}
	case *ports.CommitRequest:
		return decides(q)
	case *ports.CheckTxnStatusRequest, *ports.TxnHeartBeatRequest:
		return true
	}
	return false
}

// executed lets rules strike after a request has taken effect.
func (w *World) executed(c *call, s *store) {
	if len(w.rules) == 0 {
		return
	}
	switch {
	case w.scripted(c, actCrash):
		w.Crash(s.id)
	case w.scripted(c, actHang):
		w.Hang(s.id)
	case w.scripted(c, actIsolate):
		w.Isolate(s.id)
	default:
		if i := slices.Index(w.regions.ordered, w.regions.byID[c.hdr.Region.ID]); i >= 0 {
			w.executedIn(c, s, i)
		}
	}
}

// executedIn lets rules strike the region at an index.
func (w *World) executedIn(c *call, s *store, i int) {
	r := w.regions.ordered[i]
	switch {
	case w.scripted(c, actMerge):
		w.mergeAt(i, false)
	case w.scripted(c, actMovePeer):
		w.MovePeer(r.ID, s.id, w.vacant(r, s.id)[0])
	case w.scripted(c, actTransfer):
		for i, p := range r.Peers {
			if p.Store == s.id {
				w.Transfer(r.ID, r.Peers[(i+1)%len(r.Peers)].Store)
				return
			}
		}
	}
}
