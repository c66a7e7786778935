package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/ports"
)

// lists lets transactions append to lists and read them, and keeps what they were told for [check.ListAppend].
type lists struct {
	client *tikvx.Client
	began  time.Time

	mu   sync.Mutex
	next int64
	txns []check.AppendTxn
}

// The lists: how many are in use at a time, and for how many transactions.
const (
	listsAtATime = 4
	txnsPerList  = 40
)

// runLists runs them with some users until ctx ends, and says what no history under snapshot isolation has.
func runLists(ctx context.Context, client *tikvx.Client, users int, sum *result) error {
	l := &lists{client: client, began: time.Now()}
	var running sync.WaitGroup
	for user := range users {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(user), 1)) //nolint:gosec // nothing depends on it
			for ctx.Err() == nil {
				l.step(context.WithoutCancel(ctx), random)
			}
		})
	}
	running.Wait()
	outcomes := map[check.Outcome]int{}
	for _, t := range l.txns {
		outcomes[t.Outcome]++
	}
	wrong := check.ListAppend(l.txns)
	say("  lists: %d of %d transactions committed, %d unknown, %d wrong", outcomes[check.Committed], len(l.txns),
		outcomes[check.Unknown], len(wrong))
	for _, w := range wrong {
		sum.wrong = append(sum.wrong, "lists: "+w)
	}
	if outcomes[check.Committed] == 0 {
		return errors.New("no transaction on lists was committed")
	}
	return nil
}

// step runs one transaction.
func (l *lists) step(ctx context.Context, random *rand.Rand) {
	name, plan := l.plan(random)
	seen := check.AppendTxn{Name: name, Began: l.now()}
	err := l.client.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		seen.Ops = nil
		for _, op := range plan {
			if err := appendTo(ctx, tx, op, &seen); err != nil {
				return err
			}
		}
		return nil
	})
	seen.Ended = l.now()
	switch tikvx.OutcomeOf(err) {
	case tikvx.Committed:
		seen.Outcome = check.Committed
	case tikvx.Aborted:
		seen.Outcome = check.Aborted
	default:
		seen.Outcome = check.Unknown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.txns = append(l.txns, seen)
}

// plan draws up to four operations on lists of the present.
func (l *lists) plan(random *rand.Rand) (name string, plan []check.AppendOp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 1 + random.IntN(4) {
		op := check.AppendOp{Key: fmt.Sprintf("list/%d/%d", len(l.txns)/txnsPerList, random.IntN(listsAtATime))}
		if random.IntN(3) > 0 {
			l.next++
			op.Element = l.next
		}
		plan = append(plan, op)
	}
	l.next++
	return "txn" + strconv.FormatInt(l.next, 10), plan
}

// appendTo does one operation. Appending reads the list, too.
func appendTo(ctx context.Context, tx *tikvx.Txn, op check.AppendOp, seen *check.AppendTxn) error {
	value, err := tx.Get(ctx, []byte(op.Key))
	if err != nil && !errors.Is(err, tikvx.ErrNotFound) {
		return err
	}
	read := check.AppendOp{Key: op.Key}
	for _, word := range strings.Fields(string(value)) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		read.List = append(read.List, n)
	}
	seen.Ops = append(seen.Ops, read)
	if op.Element == 0 {
		return nil
	}
	seen.Ops = append(seen.Ops, op)
	return tx.Put([]byte(op.Key), slices.Concat(value, []byte(" "+strconv.FormatInt(op.Element, 10))))
}

func (l *lists) now() ports.Instant { return ports.Instant(time.Since(l.began)) }
