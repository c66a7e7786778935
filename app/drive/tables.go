package drive

import (
	"slices"
	"sync"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/lock"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// clockGrain is the part of Knobs.ClockInterval that must pass before a newer
// timestamp is worth the clock's attention: it is a low-resolution clock, and each
// commit brings two.
const clockGrain = 16

// tables are the machines that all operations share. One loop steps all of them.
type tables struct {
	regions route.RegionTable
	stores  route.StoreTable
	txns    lock.Cache
	clock   ts.Clock
	sweep   sweeper

	regionOp, storeOp, txnOp, clockOp, sweepOp operation
}

// views are what operations see of the tables, immutable.
type views struct {
	regions sm.RegionView
	stores  sm.StoreView
	txns    sm.TxnView
	clock   sm.Clock
	usage   Usage
}

// open begins the tables.
func (t *tables) open(d *Driver, on *loop) {
	host := func(o *operation, m sm.Machine, after func()) {
		o.prepare(d, m, key.Codec{})
		o.loop, o.after = on, after
	}
	host(&t.regionOp, &t.regions, func() {
		if t.regions.Changed() {
			v, n := t.regions.View(), t.regions.Len()
			d.publish(func(all *views) { all.regions, all.usage.Regions = &marked{v, &d.marks}, n })
		}
	})
	host(&t.storeOp, &t.stores, func() {
		if t.stores.Changed() {
			v := t.stores.View()
			d.publish(func(all *views) { all.stores = v })
		}
	})
	host(&t.txnOp, &t.txns, func() {
		if t.txns.Changed() {
			v, n := t.txns.View(), t.txns.Len()
			d.publish(func(all *views) { all.txns, all.usage.Txns = v, n })
		}
	})
	host(&t.clockOp, &t.clock, func() {
		if t.clock.Changed() {
			v := t.clock.View()
			d.publish(func(all *views) { all.clock = v })
		}
	})
	host(&t.sweepOp, &t.sweep, func() { t.sweep.forward(d) })
	d.views.Store(&views{
		regions: &marked{t.regions.View(), &d.marks}, stores: t.stores.View(), txns: t.txns.View(),
		clock: t.clock.View(),
	})
	for _, o := range []*operation{&t.regionOp, &t.storeOp, &t.txnOp, &t.clockOp, &t.sweepOp} {
		o.begin(hosted)
		o.queued = true
		on.add(o)
	}
}

// publish replaces the views. Only the loop of the tables calls it.
func (d *Driver) publish(change func(*views)) {
	all := *d.views.Load()
	change(&all)
	d.views.Store(&all)
}

// learn brings a fact to the table that it concerns.
func (d *Driver) learn(fact *ports.Fact, now ports.Instant) {
	var to *operation
	switch fact.Kind {
	case ports.FactLeader, ports.FactEpoch, ports.FactRegionGone:
		to = &d.tables.regionOp
	case ports.FactStoreFailed, ports.FactStoreAlive, ports.FactStoreMismatch, ports.FactStoreBusy:
		to = &d.tables.storeOp
	case ports.FactTxn:
		to = &d.tables.txnOp
	case ports.FactTimestamp:
		if !d.news(fact.CommitTS, now) {
			return
		}
		to = &d.tables.clockOp
	default:
		return
	}
	n := d.notes.get()
	n.fact = *fact
	to.Post(ports.Event{Kind: ports.EventLearn, Now: now, Fact: &n.fact, Lease: n})
}

// news reports whether the clock should hear of a timestamp.
func (d *Driver) news(at ports.Timestamp, now ports.Instant) bool {
	c := d.views.Load().clock
	return at > c.TS && (c.TS == 0 || now.Sub(c.At) >= d.cfg.Knobs.ClockInterval/clockGrain)
}

// ask brings a question to the table that can answer it.
func (d *Driver) ask(ask *ports.Ask, from ports.Waiter, now ports.Instant) {
	to := &d.tables.regionOp
	if ask.Kind == ports.AskStore {
		to = &d.tables.storeOp
	}
	n := d.notes.get()
	n.ask = *ask
	n.ask.Key, n.ask.Until, n.ask.Waiter = slices.Clone(ask.Key), slices.Clone(ask.Until), from
	to.Post(ports.Event{Kind: ports.EventAsk, Now: now, Ask: &n.ask, Lease: n})
}

// tell brings a table's answer to who asked, if it is still there.
func (d *Driver) tell(to ports.Waiter, cause ports.Cause, now ports.Instant) {
	if o := d.registry.find(to.Op); o != nil {
		o.Post(ports.Event{Kind: ports.EventTell, Tok: to.Tok, Now: now, Cause: cause})
	}
}

// watcher takes the facts that no operation asked for.
type watcher struct{ driver *Driver }

// Post implements [ports.Sink].
func (w *watcher) Post(ev ports.Event) {
	if ev.Fact == nil {
		return
	}
	if ev.Now == 0 {
		ev.Now = w.driver.cfg.Timers.Now()
	}
	w.driver.learn(ev.Fact, ev.Now)
}

// note is the memory of a fact or a question between two machines. The event that
// carries it lends it to the table.
type note struct {
	fact ports.Fact
	ask  ports.Ask
	home *notes
}

// Release implements [ports.Lease].
func (n *note) Release() {
	n.fact, n.ask = ports.Fact{}, ports.Ask{}
	n.home.put(n)
}

// notes is a free list. It never holds more than were under way at once.
type notes struct {
	mu   sync.Mutex
	free []*note
}

func (l *notes) get() *note {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.free) - 1; last >= 0 {
		n := l.free[last]
		l.free = l.free[:last]
		return n
	}
	return &note{home: l}
}

func (l *notes) put(n *note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, n)
}
