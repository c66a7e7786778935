package drive

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// step moves the machine by the next event of the batch and performs the effects.
func (o *operation) step() {
	ev := &o.batch[o.next]
	o.next++
	if v := o.driver.views.Load(); v != o.seen {
		o.seen = v
		o.env.Regions, o.env.Stores, o.env.Txns, o.env.Clock = v.regions, v.stores, v.txns, v.clock
	}
	// Events are posted from many goroutines; the machine's clock never goes back.
	o.now = max(o.now, ev.Now)
	ev.Now = o.now
	if len(o.flights.list) > 0 {
		o.driver.landed(&o.flights, ev)
	}
	o.stepMachine(ev)
	if o.broken == nil {
		o.perform()
	}
	if ev.Lease != nil {
		ev.Lease.Release()
	}
	*ev = ports.Event{}
}

func (o *operation) stepMachine(ev *ports.Event) {
	if !o.driver.cfg.LetPanic {
		defer o.rescue()
	}
	o.machine.Step(&o.env, ev, &o.out)
	if o.after != nil {
		o.after()
	}
}

// perform does on the ports what the machine wanted. Answers may be posted before
// this returns; they wait in the mailbox.
func (o *operation) perform() {
	d := o.driver
	for i := range o.out.List {
		e := &o.out.List[i]
		switch e.Kind {
		case sm.EffectSend:
			if d.cfg.Observer != nil {
				o.flights.sent(e, o.now)
			}
			d.cfg.Network.Submit(e.To, e.Header, e.Request, e.At, e.Tok, o)
		case sm.EffectTimestamp:
			d.cfg.Oracle.Timestamp(e.At, e.Tok, o)
		case sm.EffectArm:
			if d.cfg.Observer != nil && e.Pause != "" {
				d.cfg.Observer.OnBackoff(e.Pause, e.At.Sub(o.now))
			}
			d.cfg.Timers.Arm(e.At, e.Tok, o)
		case sm.EffectQuery:
			if d.cfg.Observer != nil {
				o.flights.queried(e, o.now)
			}
			d.cfg.Placement.Ask(e.Query, e.At, e.Tok, o)
		case sm.EffectProbe:
			d.cfg.Network.Probe(e.To, e.At, e.Tok, o)
		case sm.EffectAsk:
			d.ask(e.Ask, ports.Waiter{Op: o.id, Tok: e.Tok}, o.now)
		case sm.EffectLearn:
			d.learn(e.Fact, o.now)
		case sm.EffectTell:
			d.tell(e.Waiter, e.Cause, o.now)
		case sm.EffectForget:
			d.cfg.Network.Forget(e.To)
		case sm.EffectAnswer:
			o.answered = true
		}
	}
	o.out.Reset()
}

// rescue turns a machine's panic into an error. What the step wanted is not done.
func (o *operation) rescue() {
	what := recover()
	if what == nil {
		return
	}
	o.broken = diagnose(o.machine, what)
	if log := o.driver.cfg.Logger; log != nil {
		log.Error("internal error", slog.String("machine", o.broken.Machine), slog.String("panic", o.broken.Panic),
			slog.String("stack", string(debug.Stack())))
	}
}

// diagnose asks a machine that may be in any condition what it was about.
func diagnose(m sm.Machine, what any) (err *BrokenError) {
	err = &BrokenError{Machine: "a machine", Panic: fmt.Sprint(what), Committing: true}
	defer func() { _ = recover() }()
	err.Machine = m.String()
	c, commits := m.(interface{ Committing() bool })
	err.Committing = commits && c.Committing()
	return err
}
