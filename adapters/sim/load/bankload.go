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

// Txns implements [Workload].
func (b *BankLoad) Txns() []check.Txn { return b.history.Txns }

// Step implements [Workload].
func (b *BankLoad) Step(t *Task) error {
	ctx, cancel := t.context()
	defer cancel()
	switch t.choose(12) {
	case 0:
		return b.total(ctx, t.DB, "")
	case 1, 2:
		began := t.World.Now()
		r, err := b.bank.Newest(ctx, t.DB, t.choose(b.bank.Accounts))
		if r.Began = began; err == nil {
			b.history.Latest = append(b.history.Latest, r)
		}
		return err
	case 3, 4, 5:
		return b.move(t, func(receipt string) Transfer {
			return b.bank.Chain(ctx, t.DB, b.chain(t), uint64(1+t.choose(10)), receipt)
		})
	}
	return b.move(t, func(receipt string) Transfer {
		from, to := t.choose(b.bank.Accounts), t.choose(b.bank.Accounts)
		if from == to {
			to = (to + 1) % b.bank.Accounts
		}
		return b.bank.Transfer(ctx, t.DB, from, to, uint64(1+t.choose(10)), receipt)
	})
}

// chain draws accounts for one transaction: a few, or very many.
func (b *BankLoad) chain(t *Task) []int {
	n, step := 2+t.choose(3), 1+t.choose(b.bank.Accounts/4)
	if t.choose(3) == 0 {
		n, step = b.bank.Accounts/2, 1
	}
	accounts := make([]int, 0, n)
	for at := t.choose(b.bank.Accounts); len(accounts) < n; at += step {
		accounts = append(accounts, at%b.bank.Accounts)
	}
	return accounts
}

// move keeps what became of a transfer.
func (b *BankLoad) move(t *Task, run func(receipt string) Transfer) error {
	began := t.World.Now()
	done := run(t.unique())
	done.Txn.Task, done.Txn.Began, done.Txn.Ended = t.Name, began, t.World.Now()
	b.history.Txns = append(b.history.Txns, done.Txn)
	b.history.Reads = append(b.history.Reads, done.Reads...)
	b.tally.count(app.OutcomeOf(done.Err))
	return unhealthy(done.Err)
}

// total audits all accounts.
func (b *BankLoad) total(ctx context.Context, db *app.Client, when string) error {
	total, reads, err := b.bank.Total(ctx, db)
	b.history.Reads = append(b.history.Reads, reads...)
	if err == nil && total != b.bank.Expected() {
		b.wrong = append(b.wrong, fmt.Sprintf("a snapshot%s holds %d instead of %d", when, total, b.bank.Expected()))
	}
	return err
}

// Settle implements [Workload].
func (b *BankLoad) Settle(ctx context.Context, db *app.Client) error {
	if err := b.total(ctx, db, " in the end"); err != nil {
		return err
	}
	_, err := b.bank.Receipts(ctx, db)
	return err
}

// Check implements [Workload].
func (b *BankLoad) Check(store check.Store) []string {
	var keys []string
	for i := range b.bank.Accounts {
		keys = append(keys, string(account(i)))
	}
	return slices.Concat(b.wrong, b.history.Wrong(keys, store))
}
