package app

import (
	"bytes"
	"context"
	"iter"
	"sync"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

// Txn is an optimistic transaction: it reads at its start timestamp, keeps its
// writes in memory, and finds conflicts when it commits. It reads its own writes.
//
// Reads may run beside each other in several goroutines. A write, a savepoint or
// the end of the transaction beside anything else is [ErrConcurrentUse].
type Txn struct {
	snapshot Snapshot
	began    ports.Instant
	gate     gate
	// managed: Update ends the transaction.
	managed bool
	buffer  buffer.Buffer
	// viewing is held to take a view of the buffer, which reads may do beside each
	// other.
	viewing sync.Mutex
}

// Commit is what a committed transaction is told.
type Commit struct {
	// TS is the commit timestamp, 0 when there was nothing to commit.
	TS ports.Timestamp
	// Mode is how it was committed.
	Mode CommitMode
}

// CommitMode is how a transaction was committed.
type CommitMode uint8

// The modes.
const (
	// NothingToCommit: the transaction wrote nothing, and nothing was sent.
	NothingToCommit CommitMode = iota
	// TwoPhase: all keys were prewritten, then the primary was committed.
	TwoPhase
)

// String implements [fmt.Stringer].
func (m CommitMode) String() string {
	switch m {
	case NothingToCommit:
		return "nothing to commit"
	case TwoPhase:
		return "two-phase"
	}
	return "invalid"
}

// Begin starts a transaction at the present timestamp. Whoever begins one should
// defer its Rollback, which does nothing after a commit.
func (c *Client) Begin(ctx context.Context, opts ...TxnOption) (*Txn, error) {
	const op = "begin"
	if err := c.ready(ctx, op, txnKeys); err != nil {
		return nil, err
	}
	return c.begin(ctx, op, c.deadline(ctx), opts)
}

func (c *Client) begin(ctx context.Context, op string, deadline ports.Instant, opts []TxnOption) (*Txn, error) {
	ts, err := c.timestamp(ctx, op, deadline)
	if err != nil {
		return nil, err
	}
	t := &Txn{snapshot: Snapshot{client: c, ts: ts}, began: c.driver.Now()}
	for _, o := range opts {
		o.applyTxn(t)
	}
	l := &c.settings.limits
	t.buffer.Reset(buffer.Limits{Key: l.Key, Entry: l.Entry, Total: l.Txn})
	return t, nil
}

// StartTS returns the timestamp at which the transaction reads.
func (t *Txn) StartTS() ports.Timestamp { return t.snapshot.ts }

// Get returns the value of a key as the transaction sees it, [ErrNotFound] when it is
// absent.
func (t *Txn) Get(ctx context.Context, key []byte) ([]byte, error) {
	const op = "get"
	if err := t.snapshot.client.ready(ctx, op, txnKeys); err != nil {
		return nil, err
	}
	if err := t.snapshot.client.checkKey(op, key); err != nil {
		return nil, err
	}
	if e := t.gate.read(); e != entered {
		return nil, t.refuse(op, e)
	}
	defer t.gate.leaveRead()
	value, state := t.buffer.Get(key)
	switch state {
	case buffer.Present:
		return bytes.Clone(value), nil
	case buffer.Deleted:
		return nil, ErrNotFound
	case buffer.Absent:
	}
	return t.snapshot.get(ctx, op, key)
}

// BatchGet returns the values of many keys as the transaction sees them. Absent keys
// have no pair in the result.
func (t *Txn) BatchGet(ctx context.Context, keys [][]byte) (Pairs, error) {
	const op = "batch get"
	c := t.snapshot.client
	if err := c.ready(ctx, op, txnKeys); err != nil {
		return nil, err
	}
	sorted, err := c.sortKeys(op, keys)
	if err != nil {
		return nil, err
	}
	if e := t.gate.read(); e != entered {
		return nil, t.refuse(op, e)
	}
	defer t.gate.leaveRead()
	var own Pairs
	if t.buffer.Len() > 0 {
		sorted, own = t.takeOwn(sorted)
	}
	read, err := t.snapshot.batchGet(ctx, op, sorted)
	if err != nil {
		return nil, err
	}
	return mergePairs(own, read), nil
}

// takeOwn splits sorted keys into those that must be read and the pairs of those
// that the transaction has written itself.
func (t *Txn) takeOwn(sorted [][]byte) (rest [][]byte, own Pairs) {
	rest = sorted[:0]
	for _, k := range sorted {
		value, state := t.buffer.Get(k)
		switch state {
		case buffer.Absent:
			rest = append(rest, k)
		case buffer.Present:
			own = append(own, KV{Key: k, Value: bytes.Clone(value)})
		case buffer.Deleted:
		}
	}
	return rest, own
}

// Scan reads a range as the transaction sees it; see [Snapshot.Scan]. It sees the
// transaction's own writes as they were when the loop began: the loop may write, and
// does not meet what it wrote.
func (t *Txn) Scan(ctx context.Context, opts ...ScanOption) iter.Seq2[KV, error] {
	const op = "scan"
	return func(yield func(KV, error) bool) {
		s := scan{op: op, pages: &txnPages{txn: t}}
		if err := t.snapshot.begin(ctx, &s, opts); err != nil {
			yield(KV{}, err)
			return
		}
		if e := t.gate.read(); e != entered {
			yield(KV{}, t.refuse(op, e))
			return
		}
		t.viewing.Lock()
		view := t.buffer.View()
		t.viewing.Unlock()
		t.gate.leaveRead()
		s.run(ctx, &view, yield)
	}
}

// txnPages reads pages while the transaction lives.
type txnPages struct{ txn *Txn }

func (p *txnPages) page(ctx context.Context, s *scan, limit int) ([]ports.KV, error) {
	if e := p.txn.gate.read(); e != entered {
		return nil, p.txn.refuse(s.op, e)
	}
	defer p.txn.gate.leaveRead()
	return p.txn.snapshot.page(ctx, s, limit)
}

func (p *txnPages) check(op string) error {
	if !p.txn.gate.open() {
		return p.txn.refuse(op, closed)
	}
	return nil
}

// Put sets a key when the transaction commits. An empty value is refused: TiKV's
// transactions keep none.
func (t *Txn) Put(key, value []byte) error {
	const op = "put"
	if err := t.enter(op); err != nil {
		return err
	}
	defer t.gate.leaveWrite()
	return t.accept(op, key, value, t.buffer.Put(key, value))
}

// Insert sets a key that must be absent. That is checked when the transaction
// commits, which fails with [ErrKeyExists] if the key is there; a key that this
// transaction has put itself is refused at once.
func (t *Txn) Insert(key, value []byte) error {
	const op = "insert"
	if err := t.enter(op); err != nil {
		return err
	}
	defer t.gate.leaveWrite()
	return t.accept(op, key, value, t.buffer.Insert(key, value))
}

// Delete removes a key when the transaction commits, whether it is there or not.
func (t *Txn) Delete(key []byte) error {
	const op = "delete"
	if err := t.enter(op); err != nil {
		return err
	}
	defer t.gate.leaveWrite()
	return t.accept(op, key, nil, t.buffer.Delete(key))
}

// enter lets a write in; it must leave.
func (t *Txn) enter(op string) error {
	if t.snapshot.client.closed.Load() {
		return refused(op, ErrClosed, "", "")
	}
	if e := t.gate.write(); e != entered {
		return t.refuse(op, e)
	}
	return nil
}

// refuse says why the gate did not let a call in.
func (t *Txn) refuse(op string, e entry) *Error {
	if e == closed {
		return refused(op, ErrFinished, "", "")
	}
	return refused(op, ErrConcurrentUse, "", "")
}

// accept translates the buffer's answer to a write.
func (t *Txn) accept(op string, key, value []byte, r buffer.Refusal) error {
	limits := &t.snapshot.client.settings.limits
	size := len(key) + len(value)
	switch r {
	case buffer.Accepted:
		return nil
	case buffer.KeyEmpty:
		return misuse(op, "key", "empty")
	case buffer.KeyTooLarge:
		return tooLarge(op, "key", len(key), limits.Key)
	case buffer.ValueEmpty:
		return misuse(op, "value", "empty")
	case buffer.EntryTooLarge:
		return tooLarge(op, "entry", size, limits.Entry)
	case buffer.TxnTooLarge:
		return tooLarge(op, "transaction", t.buffer.Size()+size, limits.Txn)
	case buffer.KeyExists:
		e := refused(op, ErrKeyExists, "", "put by this transaction")
		e.Key = bytes.Clone(key)
		return e
	case buffer.SavepointGone:
		return misuse(op, "savepoint", "undone by a rollback to an older one")
	}
	return refused(op, ErrInternal, "", "unknown refusal")
}

// Commit commits the transaction and ends it, whatever it returns. On an error
// [OutcomeOf] tells what became of it. When ctx ends before the commit may have been
// decided, the transaction is aborted; afterwards the call only stops waiting, and
// the outcome is [Unknown].
func (t *Txn) Commit(ctx context.Context) (Commit, error) {
	const op = "commit"
	if t.managed {
		return Commit{}, misuse(op, "transaction", "Update ends it")
	}
	if ctx == nil {
		return Commit{}, misuse(op, "context", "nil")
	}
	var o txn.Outcome
	return t.commit(ctx, op, t.snapshot.client.deadline(ctx), &o)
}

// commit commits, and leaves in o what Update's policy has to know.
func (t *Txn) commit(ctx context.Context, op string, deadline ports.Instant, o *txn.Outcome) (Commit, error) {
	c := t.snapshot.client
	if e := t.gate.write(); e != entered {
		return Commit{}, t.uncommitted(op, e)
	}
	if t.buffer.Len() == 0 {
		o.Kind = txn.Committed
		t.gate.end(Committed)
		return Commit{}, nil
	}
	if err := c.ready(ctx, op, txnKeys); err != nil {
		o.Kind = txn.Aborted
		t.gate.end(Aborted)
		return Commit{}, err
	}
	err := t.decide(ctx, op, deadline, o)
	t.gate.end(OutcomeOf(err))
	if err != nil {
		return Commit{}, err
	}
	return Commit{TS: o.CommitTS, Mode: TwoPhase}, nil
}

// uncommitted says why a commit did not begin. Somebody else commits or has
// committed, and theirs is the outcome; a transaction of Update has nobody else.
func (t *Txn) uncommitted(op string, e entry) error {
	err := t.refuse(op, e)
	if t.managed {
		t.gate.discard()
	}
	err.Outcome = t.gate.outcome()
	return err
}

// decide runs the commit's machine.
func (t *Txn) decide(ctx context.Context, op string, deadline ports.Instant, o *txn.Outcome) error {
	c := t.snapshot.client
	begin := c.driver.Now()
	operation := c.commits.Op()
	operation.Machine.Init(txn.Params{
		StartTS: t.snapshot.ts, Began: t.began, View: t.buffer.View(), Deadline: deadline,
		Priority: t.snapshot.options.priority, RequestSource: t.snapshot.options.source,
	})
	run := operation.Run(ctx)
	*o = commitResult(&operation.Machine, run)
	operation.Release()
	outcome := commitOutcome(o.Kind)
	c.committed(outcome, t.buffer.Len(), c.driver.Now().Sub(begin))
	if outcome == Committed {
		return nil
	}
	e := failed(ctx, op, outcome, run, &o.Failure)
	e.StartTS = t.snapshot.ts
	return e
}

// commitResult returns what a commit came to, also when it did not run to its answer:
// nothing is known then, unless what decides it had not been sent.
func commitResult(m *txn.Commit, run error) txn.Outcome {
	switch {
	case run == nil:
		return m.Outcome()
	case m.Committing():
		return txn.Outcome{Kind: txn.Unknown}
	}
	return txn.Outcome{Kind: txn.Aborted}
}

// Rollback ends the transaction without committing it. Nothing was written, so
// nothing is sent. After a commit, or a second time, it does nothing; beside a write
// or a commit it is [ErrConcurrentUse].
func (t *Txn) Rollback(ctx context.Context) error {
	const op = "rollback"
	switch {
	case ctx == nil:
		return misuse(op, "context", "nil")
	case t.managed:
		return misuse(op, "transaction", "Update ends it")
	}
	if t.gate.abandon() == occupied {
		return refused(op, ErrConcurrentUse, "", "")
	}
	return nil
}
