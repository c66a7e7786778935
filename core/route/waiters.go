package route

import (
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// waiters are the questions that a table has not answered yet, oldest first. Each
// is answered at its deadline at the latest.
type waiters struct {
	list []ports.Ask
	// alarm is the generation of the timer for the next deadline, 0 if none.
	alarm uint32
	at    ports.Instant
}

// add keeps a copy of a question.
func (w *waiters) add(env *sm.Env, ask *ports.Ask, out *sm.Effects) {
	kept := *ask
	kept.Key, kept.Until = slices.Clone(ask.Key), slices.Clone(ask.Until)
	w.list = append(w.list, kept)
	w.arm(env, ask.Deadline, out)
}

// arm makes sure that a timer fires at the deadline or before.
func (w *waiters) arm(env *sm.Env, deadline ports.Instant, out *sm.Effects) {
	if w.alarm != 0 && w.at <= deadline {
		return
	}
	tok := env.Token()
	w.alarm, w.at = tok.Gen, deadline
	out.Arm(tok, deadline, "")
}

// onTimer answers what is due, when the event is the alarm.
func (w *waiters) onTimer(env *sm.Env, ev *ports.Event, out *sm.Effects) bool {
	if w.alarm == 0 || ev.Tok.Gen != w.alarm {
		return false
	}
	w.alarm = 0
	next := ports.Never
	kept := w.list[:0]
	for _, ask := range w.list {
		if ask.Deadline <= ev.Now {
			out.Tell(ask.Waiter, ports.Cause{Kind: ports.CauseTimeout})
			continue
		}
		next = min(next, ask.Deadline)
		kept = append(kept, ask)
	}
	w.truncate(len(kept))
	if len(kept) > 0 {
		w.arm(env, next, out)
	}
	return true
}

// truncate keeps the first n questions.
func (w *waiters) truncate(n int) {
	clear(w.list[n:])
	w.list = w.list[:n]
}

func (w *waiters) cloneInto(dst *waiters) {
	list := dst.list[:0]
	for _, ask := range w.list {
		ask.Key, ask.Until = slices.Clone(ask.Key), slices.Clone(ask.Until)
		list = append(list, ask)
	}
	*dst = *w
	dst.list = list
}

func (w *waiters) fingerprint(h *sm.Hash) {
	h.Int(len(w.list))
	for i := range w.list {
		h.Ask(&w.list[i])
	}
	h.Gen(w.alarm)
	h.Instant(w.at)
}
