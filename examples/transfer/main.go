// Command transfer moves money between two accounts, and shows what a program does
// about each way in which that can end.
//
//	go run ./examples/transfer                     on a simulated cluster
//	go run ./examples/transfer -pd 127.0.0.1:2379  on a real one
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
)

func main() {
	pd := flag.String("pd", "", "PD endpoints, separated by commas; none means a simulated cluster")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, *pd, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "transfer:", err)
		cancel()
		os.Exit(1)
	}
}

func run(ctx context.Context, pd string, out io.Writer) error {
	db, err := open(ctx, pd)
	if err != nil {
		return err
	}
	defer db.Close(ctx) //nolint:errcheck // the program ends
	bank := bank{db}
	if err := bank.deposit(ctx, "ada", 100); err != nil {
		return err
	}
	for _, amount := range []int{30, 50, 40} {
		err := bank.transfer(ctx, "ada", "bob", amount, fmt.Sprintf("receipt-%d", amount))
		fmt.Fprintf(out, "%d: %v\n", amount, err)
	}
	ada, bob, err := bank.balances(ctx, "ada", "bob")
	fmt.Fprintf(out, "ada has %d, bob has %d\n", ada, bob)
	return err
}

func open(ctx context.Context, pd string) (*tikvx.Client, error) {
	if pd != "" {
		return tikvx.Open(ctx, strings.Split(pd, ","))
	}
	db, _, err := embed.Open(sim.Config{})
	return db, err
}

// bank keeps balances in decimal under the accounts' names.
type bank struct{ db *tikvx.Client }

var errFunds = errors.New("not enough money")

// deposit sets a balance.
func (b bank) deposit(ctx context.Context, account string, amount int) error {
	return b.db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
		return tx.Put(key(account), []byte(strconv.Itoa(amount)))
	})
}

// transfer moves money and leaves a receipt in the same transaction, so that it can
// be found out later whether the transfer took place: an error whose outcome is
// unknown does not say so.
func (b bank) transfer(ctx context.Context, from, to string, amount int, receipt string) error {
	err := b.db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		source, err := balance(ctx, tx.Get, from)
		if err != nil {
			return err
		}
		if source < amount {
			return errFunds // rolls back, and is what Update returns
		}
		target, err := balance(ctx, tx.Get, to)
		if err != nil {
			return err
		}
		return errors.Join(
			tx.Put(key(from), []byte(strconv.Itoa(source-amount))),
			tx.Put(key(to), []byte(strconv.Itoa(target+amount))),
			tx.Insert([]byte("receipt/"+receipt), []byte(strconv.Itoa(amount))),
		)
	})
	switch {
	case errors.Is(err, tikvx.ErrKeyExists):
		return nil // the receipt is there: an earlier try has succeeded
	case err != nil && tikvx.OutcomeOf(err) == tikvx.Unknown:
		return b.settle(ctx, receipt, err)
	}
	return err
}

// settle finds out what became of a transfer with an unknown outcome. A receipt
// proves it. None proves nothing yet, since the transfer may still be on its way: the
// caller may repeat it with the same receipt, which is inserted at most once.
func (b bank) settle(ctx context.Context, receipt string, unknown error) error {
	snapshot, err := b.db.Snapshot(ctx)
	if err != nil {
		return errors.Join(unknown, err)
	}
	if _, err := snapshot.Get(ctx, []byte("receipt/"+receipt)); err == nil {
		return nil
	}
	return unknown
}

// balances reads two balances at one moment.
func (b bank) balances(ctx context.Context, one, other string) (first, second int, err error) {
	err = b.db.View(ctx, func(ctx context.Context, s *tikvx.Snapshot) error {
		var errs [2]error
		first, errs[0] = balance(ctx, s.Get, one)
		second, errs[1] = balance(ctx, s.Get, other)
		return errors.Join(errs[:]...)
	})
	return first, second, err
}

// balance reads a balance with the Get of a transaction or of a snapshot; an account
// that is not there is empty.
func balance(ctx context.Context, get func(context.Context, []byte) ([]byte, error), account string) (int, error) {
	v, err := get(ctx, key(account))
	if errors.Is(err, tikvx.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

func key(account string) []byte { return []byte("account/" + account) }
