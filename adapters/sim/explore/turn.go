package explore

import (
	"fmt"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// The instants of a world without time: the present, the deadline of every operation, and after it.
const (
	present  ports.Instant = 1
	deadline ports.Instant = 100_000_000_000
	tooLate                = deadline + 1
)

// maxEvents bounds the events that one step leads to inside a client. A machine that needs more spins.
const maxEvents = 64

// edge is what a step makes of a client.
type edge struct {
	to *client
	// asked: the client looked at the regions as they are.
	asked bool
	// learnt are the fates of transactions that it told its cache.
	learnt []ports.Fact
	// wrong says what must not be.
	wrong string
}

// edgeKey says which step a client takes: arg is the timestamp that it gets, or the id of the reply.
type edgeKey struct {
	arg    uint64
	client uint32
	layout uint32
	kind   edgeKind
	item   uint8
}

type edgeKind uint8

const (
	edgeBegin edgeKind = iota
	edgeTick
	edgeExecuted
	edgeDuplicated
	edgeSpent
	edgeArrive
	edgeFire
	edgeLose
	edgeCrash
	edgeCancel
	edgeLate
)

// edge returns what a step makes of a client in a world with the given regions.
func (x *Explorer) edge(c *client, world *layout, kind edgeKind, item int, arg uint64) *edge {
	k := edgeKey{arg: arg, client: c.id, layout: world.id, kind: kind, item: uint8(item)}
	if e := x.edges[k]; e != nil && !x.config.forgetful {
		return e
	}
	t := turn{x: x, c: c.clone(), world: world, edge: &edge{}}
	t.guarded(kind, item, arg)
	t.edge.to = x.settle(t.c, t.stepped)
	x.edges[k] = t.edge
	return t.edge
}

// turn is one step of a client in the making.
type turn struct {
	x     *Explorer
	c     *client
	world *layout
	edge  *edge
	queue []ports.Event
	out   sm.Effects
	// stepped: the client has a machine of its own.
	stepped bool
}

func (t *turn) guarded(kind edgeKind, item int, arg uint64) {
	defer func() {
		if r := recover(); r != nil {
			t.edge.wrong = fmt.Sprintf("panic: %v", r)
		}
	}()
	t.take(kind, item, arg)
	t.run()
}

// take changes what the step changes by itself, and posts what the machine is told.
func (t *turn) take(kind edgeKind, i int, arg uint64) {
	c := t.c
	switch kind {
	case edgeBegin:
		c.phase, c.start, c.layout = running, ports.Timestamp(arg), t.world
		c.env = sm.Env{Codec: key.Codec{Mode: key.Txn}, Knobs: &t.x.knobs, Stores: t.x.stores, Txns: noStatuses{}}
		t.launch()
	case edgeTick:
		t.post(ports.Event{Kind: ports.EventTimestamp, Tok: c.take(i).tok, TS: ports.Timestamp(arg)})
	case edgeExecuted:
		c.items[i].kind, c.items[i].reply = replyItem, t.x.replyList[arg]
	case edgeDuplicated:
		c.items = append(c.items, item{kind: lateItem, request: c.items[i].request})
		c.items[i].kind, c.items[i].reply = replyItem, t.x.replyList[arg]
	case edgeSpent:
		c.take(i)
	case edgeArrive:
		it := c.take(i)
		t.post(ports.Event{Kind: ports.EventReply, Tok: it.tok, Reply: it.reply.body})
	case edgeFire:
		it := c.take(i)
		switch {
		case it.pause == pollPause && c.polls < t.x.config.Polls:
			c.polls++
		case it.pause == beatPause:
			c.beats++
		}
		t.post(ports.Event{Kind: ports.EventTimer, Tok: it.tok})
	case edgeLose:
		it := c.take(i)
		if it.kind == requestItem {
			c.items = append(c.items, item{kind: lateItem, request: it.request})
		}
		c.doubted = true
		t.post(ports.Event{Kind: ports.EventLost, Tok: it.tok, Cause: ports.Cause{Kind: ports.CauseHung}})
	case edgeCrash:
		c.phase, c.machine = crashed, nil
	case edgeCancel:
		c.left, c.doubted = true, true
		t.post(ports.Event{Kind: ports.EventCancel})
	case edgeLate:
		c.late = true
	}
}

func (t *turn) post(ev ports.Event) { t.queue = append(t.queue, ev) }

func (t *turn) launch() {
	t.c.launch()
	t.stepped = true
	if t.c.machine != nil {
		t.post(ports.Event{Kind: ports.EventStart})
	}
}

// run steps the machine until it waits, and begins the operations that follow.
func (t *turn) run() {
	for n := 0; n < len(t.queue); n++ {
		if n == maxEvents {
			t.wrong("a machine spins: " + t.c.machine.String())
			return
		}
		if t.c.machine != nil {
			t.step(&t.queue[n])
		}
	}
}

func (t *turn) step(ev *ports.Event) {
	c := t.c
	if !t.stepped {
		t.stepped = true
		c.own()
	}
	ev.Now = present
	if c.late {
		ev.Now = tooLate
	}
	if t.x.config.event != nil {
		t.x.config.event(ev)
	}
	c.env.Regions, c.env.Rand = c.layout, sm.NewRand(0)
	t.out.Reset()
	c.machine.Step(&c.env, ev, &t.out)
	for i := range t.out.List {
		t.perform(&t.out.List[i])
	}
	t.wrong(c.answer())
	if c.machine.Done() {
		t.wrong(c.collect())
		t.launch()
	}
}

func (t *turn) wrong(text string) {
	if t.edge.wrong == "" {
		t.edge.wrong = text
	}
}

// perform does what a machine wants.
func (t *turn) perform(e *sm.Effect) {
	c := t.c
	switch e.Kind {
	case sm.EffectSend:
		c.items = append(c.items, item{kind: requestItem, tok: e.Tok, request: t.x.request(e.To, e.Header, e.Request)})
	case sm.EffectTimestamp:
		c.items = append(c.items, item{kind: oracleItem, tok: e.Tok})
	case sm.EffectArm:
		c.items = append(c.items, item{kind: timerItem, tok: e.Tok, pause: pauseOf(e.Pause)})
	case sm.EffectAsk:
		t.tell(e.Tok, e.Ask)
	case sm.EffectLearn:
		t.learn(e.Fact)
	case sm.EffectAnswer, sm.EffectForget:
	case sm.EffectTell, sm.EffectProbe, sm.EffectQuery:
		t.wrong("an operation does what only tables do")
	}
}

// tell answers a question to the region table at once, from the regions as they are.
func (t *turn) tell(tok ports.Tok, ask *ports.Ask) {
	t.edge.asked, t.c.layout = true, t.world
	ev := ports.Event{Kind: ports.EventTell, Tok: tok}
	if ask.Kind == ports.AskRegion && ask.Newer != (ports.RegionVersion{}) && !t.world.newer(ask.Key, ask.Newer) {
		ev.Cause = ports.Cause{Kind: ports.CauseTimeout}
	}
	t.post(ev)
}

func (t *turn) learn(f *ports.Fact) {
	switch f.Kind {
	case ports.FactEpoch, ports.FactLeader:
		// What a store knows is what is.
		t.edge.asked, t.c.layout = true, t.world
	case ports.FactTxn:
		t.edge.learnt = append(t.edge.learnt, *f)
	case ports.FactRegionGone, ports.FactStoreFailed, ports.FactStoreAlive, ports.FactStoreMismatch,
		ports.FactStoreBusy, ports.FactTimestamp:
	}
}
