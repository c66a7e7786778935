package explore

import (
	"fmt"
	"math"
	"slices"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/read"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

// client is a client with everything of it that is under way. Immutable once settled, and kept once each.
type client struct {
	id          uint32
	fingerprint uint64
	program     *Program
	phase       phase
	// op is the operation that is performed, part the key of it where it reads one by one.
	op, part int
	start    ports.Timestamp
	env      sm.Env
	// machine is shared by all clients that differ in nothing but what is under way; base is the hash after its
	// fingerprint.
	machine sm.Machine
	base    sm.Hash
	items   []item
	// layout is what its region table knows.
	layout *layout
	// polls and beats were made, of those that are free to come at any time.
	polls, beats uint8
	// late: the deadline has passed. left: its caller does not wait any more. doubted: something was lost, or the
	// caller left, so that an outcome may be unknown.
	late, left, doubted bool
	// answered: outcome is what the commit's caller was told.
	answered bool
	outcome  txn.OutcomeKind
	commitTS ports.Timestamp
	reads    []observation
}

type phase uint8

const (
	waiting phase = iota
	running
	finished
	crashed
)

// observation is what a read has found.
type observation struct {
	key, value string
	found      bool
}

// item is something of a client that is under way.
type item struct {
	kind itemKind
	tok  ports.Tok
	// request is what is on its way, or what reply answers.
	request *request
	reply   *reply
	pause   pauseKind
}

type itemKind uint8

const (
	// requestItem is on its way to a store, and its sender waits for the reply.
	requestItem itemKind = iota
	// lateItem may reach a store, and nobody waits for the reply.
	lateItem
	replyItem
	timerItem
	// oracleItem is a question for a timestamp.
	oracleItem
)

type pauseKind uint8

const (
	// retryPause comes before a request is sent again because of a fault.
	retryPause pauseKind = iota
	// pollPause comes before another look at a lock.
	pollPause
	// beatPause comes before a heartbeat.
	beatPause
)

func pauseOf(name string) pauseKind {
	switch name {
	case "":
		return beatPause
	case backoff.TxnLock.String(), backoff.TxnLockFast.String(), backoff.TxnNotFound.String():
		return pollPause
	}
	return retryPause
}

// clone returns a copy that may be changed, but for its machine.
func (c *client) clone() *client {
	n := *c
	n.items, n.reads = slices.Clone(c.items), slices.Clone(c.reads)
	return &n
}

// own gives the client a machine of its own, which may be stepped.
func (c *client) own() {
	switch m := c.machine.(type) {
	case *txn.Commit:
		c.machine = cloned[txn.Commit](m)
	case *read.Get:
		c.machine = cloned[read.Get](m)
	case *read.BatchGet:
		c.machine = cloned[read.BatchGet](m)
	}
}

func cloned[T any, P sm.Cloneable[T]](m P) P {
	var c P = new(T)
	m.CloneInto(c)
	return c
}

// launch makes the machine of the next operation, or ends the program.
func (c *client) launch() {
	c.machine = nil
	if c.op == len(c.program.Ops) {
		c.phase = finished
		return
	}
	op := &c.program.Ops[c.op]
	switch op.Kind {
	case Write:
		m := &txn.Commit{}
		m.Init(txn.Params{StartTS: c.start, View: written(op.Keys, c.start), Deadline: deadline})
		c.machine = m
	case Get:
		m := &read.Get{}
		m.Init([]byte(op.Keys[c.part]), c.start, read.Options{}, deadline)
		c.machine = m
	case BatchGet:
		m := &read.BatchGet{}
		m.Init(keyBytes(op.Keys), c.start, read.Options{}, deadline)
		c.machine = m
	}
}

// written is the buffer of a transaction that puts its start to each key.
func written(keys []string, start ports.Timestamp) buffer.View {
	var b buffer.Buffer
	for _, k := range keys {
		b.Put([]byte(k), []byte(when(start)))
	}
	return b.View()
}

func keyBytes(keys []string) [][]byte {
	var list [][]byte
	for _, k := range keys {
		list = append(list, []byte(k))
	}
	return list
}

// collect takes the result of an operation whose machine is done, and says what is wrong with it.
func (c *client) collect() string {
	op := &c.program.Ops[c.op]
	var failure sm.Failure
	switch m := c.machine.(type) {
	case *read.Get:
		failure = *m.Failure()
		if !failure.Failed() {
			value, found := m.Value()
			c.reads = append(c.reads, observation{op.Keys[c.part], string(value), found})
		}
	case *read.BatchGet:
		failure = *m.Failure()
		if !failure.Failed() {
			c.reads = append(c.reads, observations(op.Keys, m.Pairs())...)
		}
	}
	c.op, c.part = c.next()
	if failure.Failed() || c.left {
		c.op, c.part = len(c.program.Ops), 0
	}
	if failure.Failed() && !c.left && !c.late {
		return fmt.Sprintf("a read failed: %d %s", failure.Code, failure.Text)
	}
	return ""
}

// next returns what comes after the present operation, or part of one.
func (c *client) next() (op, part int) {
	if now := &c.program.Ops[c.op]; now.Kind == Get && c.part+1 < len(now.Keys) {
		return c.op, c.part + 1
	}
	return c.op + 1, 0
}

func observations(keys []string, pairs []ports.KV) []observation {
	var list []observation
	for _, k := range keys {
		o := observation{key: k}
		for i := range pairs {
			if string(pairs[i].Key) == k {
				o.value, o.found = string(pairs[i].Value), true
			}
		}
		list = append(list, o)
	}
	return list
}

// answer notes what a commit's caller is told, and says what is wrong with it.
func (c *client) answer() string {
	m, ok := c.machine.(*txn.Commit)
	if !ok || c.answered || !m.Answered() {
		return ""
	}
	o := m.Outcome()
	c.answered, c.outcome, c.commitTS = true, o.Kind, o.CommitTS
	if o.Kind != txn.Aborted || c.left || c.late {
		return ""
	}
	switch o.Failure.Code {
	case sm.FailConflict, sm.FailTxnAborted:
		return ""
	default:
		return fmt.Sprintf("aborted for no good reason: %d %s", o.Failure.Code, o.Failure.Text)
	}
}

// abandon lets go of what nobody waits for: requests go on alone, the rest is forgotten.
func (c *client) abandon(waits func(gen uint32) bool) {
	kept := c.items[:0]
	for _, it := range c.items {
		switch {
		case it.kind == lateItem || waits(it.tok.Gen):
		case it.kind == requestItem:
			it = item{kind: lateItem, request: it.request}
		default:
			continue
		}
		kept = append(kept, it)
	}
	clear(c.items[len(kept):])
	c.items = kept
}

// settle ends the making of a client: what is dead goes, and a client that has been met before takes its place.
// stepped: its machine is no longer that of the client of which it was made.
func (x *Explorer) settle(c *client, stepped bool) *client {
	if stepped || c.machine == nil {
		c.base = *sm.NewHash()
	}
	if c.machine == nil {
		c.abandon(func(uint32) bool { return false })
		c.env, c.layout = sm.Env{}, nil
	} else if stepped {
		c.machine.Fingerprint(&c.base)
		c.abandon(func(gen uint32) bool { return known(c.base, gen) })
	}
	h := c.base
	if c.layout != nil {
		h.Uint(c.layout.fingerprint)
	}
	h.Text(c.program.Name)
	h.Uint(uint64(c.phase))
	h.Int(c.op)
	h.Int(c.part)
	h.TS(c.start)
	h.Uint(uint64(c.polls))
	h.Uint(uint64(c.beats))
	for _, flag := range []bool{c.late, c.left, c.doubted, c.answered} {
		h.Bool(flag)
	}
	h.Uint(uint64(c.outcome))
	h.TS(c.commitTS)
	for _, o := range c.reads {
		h.Text(o.key)
		h.Text(o.value)
		h.Bool(o.found)
	}
	c.fingerprint = mix(h.Sum())
	sum := uint64(0)
	for i := range c.items {
		sum += c.items[i].print(h)
	}
	c.fingerprint = fold(c.fingerprint, sum)
	if same := x.clients[c.fingerprint]; same != nil {
		return same
	}
	if len(x.clients) == rememberedClients {
		clear(x.clients)
		clear(x.edges)
	}
	x.lastClient++
	c.id = x.lastClient
	x.clients[c.fingerprint] = c
	return c
}

// known reports whether a generation was met by a hash: the machine waits for it.
func known(h sm.Hash, gen uint32) bool {
	unknown := h
	h.Gen(gen)
	unknown.Gen(math.MaxUint32)
	return h.Sum() != unknown.Sum()
}

// print is the fingerprint of an item of the client whose hash is given.
func (it *item) print(h sm.Hash) uint64 {
	h.Uint(uint64(it.kind))
	h.Uint(uint64(it.pause))
	h.Gen(it.tok.Gen)
	switch it.kind {
	case requestItem, lateItem:
		h.Uint(it.request.fingerprint)
	case replyItem:
		h.Uint(it.reply.fingerprint)
	case timerItem, oracleItem:
	}
	return mix(h.Sum())
}

// take removes an item.
func (c *client) take(i int) item {
	it := c.items[i]
	c.items = slices.Delete(c.items, i, i+1)
	return it
}
