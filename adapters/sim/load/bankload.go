package load

import (
	"context"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// BankLoad is the bank as a simulated workload: transfers, and now and then an audit
// in the middle of them.
type BankLoad struct {
	bank    Bank
	tally   Tally
	history check.History
	wrong   []string
}

// NewBank returns a bank of the given number of accounts, at least 2.
func NewBank(accounts int) *BankLoad {
	return &BankLoad{bank: Bank{Accounts: accounts, Initial: 100}}
}

// Name implements [Workload].
func (b *BankLoad) Name() string { return "bank" }

// RawKeys implements [Workload].
func (b *BankLoad) RawKeys() bool { return false }

// Splits implements [Workload].
func (b *BankLoad) Splits() [][]byte {
	return [][]byte{account(b.bank.Accounts / 3), account(2 * b.bank.Accounts / 3), []byte("receipt/")}
}

// Setup implements [Workload].
func (b *BankLoad) Setup(ctx context.Context, db *app.Client) error { return b.bank.Setup(ctx, db) }

// Done implements [Workload].
func (b *BankLoad) Done() Tally { return b.tally }

// Step implements [Workload].
func (b *BankLoad) Step(t *Task) {
	ctx, cancel := t.context()
	defer cancel()
	if t.choose(10) == 0 {
		total, reads, err := b.bank.Total(ctx, t.DB)
		b.history.Reads = append(b.history.Reads, reads...)
		if err == nil && total != b.bank.Expected() {
			b.wrong = append(b.wrong, fmt.Sprintf("a snapshot holds %d instead of %d", total, b.bank.Expected()))
		}
		return
	}
	from, to := t.choose(b.bank.Accounts), t.choose(b.bank.Accounts)
	if from == to {
		to = (to + 1) % b.bank.Accounts
	}
	began := t.World.Now()
	done := b.bank.Transfer(ctx, t.DB, from, to, uint64(1+t.choose(10)), t.unique())
	done.Txn.Began, done.Txn.Ended = began, t.World.Now()
	b.history.Txns = append(b.history.Txns, done.Txn)
	b.history.Reads = append(b.history.Reads, done.Reads...)
	b.tally.count(app.OutcomeOf(done.Err))
}

// Settle implements [Workload].
func (b *BankLoad) Settle(ctx context.Context, db *app.Client) error {
	total, reads, err := b.bank.Total(ctx, db)
	if err != nil {
		return err
	}
	b.history.Reads = append(b.history.Reads, reads...)
	if total != b.bank.Expected() {
		b.wrong = append(b.wrong, fmt.Sprintf("%d in the end instead of %d", total, b.bank.Expected()))
	}
	_, err = b.bank.Receipts(ctx, db)
	return err
}

// Check implements [Workload].
func (b *BankLoad) Check(store check.Store) []string {
	keys := make([]string, b.bank.Accounts)
	for i := range keys {
		keys[i] = string(account(i))
	}
	return slices.Concat(b.wrong, check.Snapshots(b.history.Reads, store), check.Writers(keys, store),
		check.Outcomes(b.history.Txns, store), check.External(b.history.Txns, store))
}
