package app

import (
	"context"
	"errors"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/txn"
)

// Update runs fn in a transaction and commits it. When the commit meets a conflict,
// or was aborted by somebody else, the transaction is run again from its beginning,
// with growing pauses, until ctx ends, or without a deadline there, for as long as
// [WithDefaultTimeout] says. fn may therefore be called several times and should have
// no effects but those of the transaction.
//
// An error of fn rolls the transaction back and is returned as it is. A panic in fn
// rolls the transaction back, too, and goes on. After an outcome of [Unknown] nothing
// is run again.
//
// The transaction is Update's to end: Commit and Rollback are [ErrMisuse] inside fn,
// and everything is [ErrFinished] once Update has returned.
func (c *Client) Update(ctx context.Context, fn func(context.Context, *Txn) error, opts ...TxnOption) error {
	const op = "update"
	if fn == nil {
		return misuse(op, "function", "nil")
	}
	if err := c.ready(ctx, op, txnKeys); err != nil {
		return err
	}
	deadline := c.deadline(ctx)
	random := sm.NewRand(c.driver.Draw())
	var policy txn.Retry
	for runs := 1; ; runs++ {
		t, err := c.begin(ctx, op, deadline, opts)
		if err != nil {
			return countRuns(err, runs)
		}
		if err := t.call(ctx, fn); err != nil {
			return err
		}
		var o txn.Outcome
		_, err = t.commit(ctx, op, deadline, &o)
		if err == nil {
			return nil
		}
		pause, again := policy.Next(&o, c.driver.Now(), deadline, &random)
		if !again {
			return countRuns(err, runs)
		}
		if interrupted := c.driver.Sleep(ctx, pause); interrupted != nil {
			e := broken(ctx, op, Aborted, interrupted)
			e.Runs, e.cause = runs, errors.Join(e.cause, err)
			return e
		}
	}
}

// call runs fn, and rolls back unless it returns without an error.
func (t *Txn) call(ctx context.Context, fn func(context.Context, *Txn) error) error {
	t.managed = true
	good := false
	defer func() {
		if !good {
			t.gate.abandon()
		}
	}()
	err := fn(ctx, t)
	good = err == nil
	return err
}

// countRuns notes in an error of Update how often the transaction was run.
func countRuns(err error, runs int) error {
	if e, ok := err.(*Error); ok {
		e.Runs = runs
	}
	return err
}
