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
	var last error
	for runs := 1; ; runs++ {
		t, err := c.begin(ctx, op, deadline, opts)
		if err != nil {
			return after(err, runs-1, last)
		}
		if err := t.call(ctx, fn); err != nil {
			return err
		}
		var o txn.Outcome
		if _, last = t.commit(ctx, op, deadline, &o); last == nil {
			return nil
		}
		pause, again := policy.Next(&o, c.driver.Now(), deadline, &random)
		if !again {
			return after(last, runs, nil)
		}
		if interrupted := c.driver.Sleep(ctx, pause); interrupted != nil {
			return after(broken(ctx, op, Aborted, interrupted), runs, last)
		}
	}
}

// after notes in the error that ends an Update how often the transaction was run, and
// what the run before came to.
func after(err error, runs int, last error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Runs = runs
		if last != nil {
			e.Err = errors.Join(e.Err, last)
		}
	}
	return err
}

// call runs fn, and rolls back unless it returns without an error.
func (t *Txn) call(ctx context.Context, fn func(context.Context, *Txn) error) error {
	t.managed = true
	good := false
	defer func() {
		if !good {
			t.gate.discard()
		}
	}()
	err := fn(ctx, t)
	good = err == nil
	return err
}
