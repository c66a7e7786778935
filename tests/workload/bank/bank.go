// Package bank is a workload that cannot lie: workers move money between accounts
// and write a receipt in the same transaction, so that afterwards every reported
// outcome can be held against what the cluster really kept.
package bank

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// DB is the client under test.
type DB interface {
	// Update runs a transaction, as often as its own conflicts ask for.
	Update(ctx context.Context, run func(ctx context.Context, tx Txn) error) error
	// Scan visits every key with the prefix in one snapshot. Values may be nil when
	// only keys are wanted.
	Scan(ctx context.Context, prefix []byte, keysOnly bool, visit func(key, value []byte) error) error
	// Outcome says what an error of Update means; nil means Committed.
	Outcome(err error) Outcome
}

// Txn is one run of a transaction.
type Txn interface {
	Get(ctx context.Context, key []byte) ([]byte, error)
	Put(key, value []byte) error
}

// Outcome is what a transfer was reported as.
type Outcome int

// The outcomes.
const (
	Unknown Outcome = iota
	Committed
	Aborted
)

// Config shapes a run.
type Config struct {
	// Prefix separates the keys of different runs. Clients with one prefix share
	// the accounts; Name separates their receipts, and the first one creates.
	Prefix   string
	Name     string
	Accounts int
	Workers  int
	// Initial is the balance with which every account starts.
	Initial uint64
	// CallTimeout bounds one transfer.
	CallTimeout time.Duration
}

// Bank is a running workload.
type Bank struct {
	db     DB
	config Config

	mu      sync.Mutex
	commits []time.Time
	records []record
	wrong   []string
}

// record is what one transfer was reported as.
type record struct {
	receipt []byte
	outcome Outcome
	err     error
}

// Report sums a run up.
type Report struct {
	Transfers int `json:"transfers"`
	Aborted   int `json:"aborted"`
	Unknown   int `json:"unknown"`
	// Wrong lists every lie that was found, empty for a good run.
	Wrong []string `json:"wrong"`
	// LongestStall is the longest time in which no worker committed.
	LongestStall time.Duration `json:"longest_stall_ns"`
}

// Join opens a bank whose accounts exist.
func Join(db DB, config Config) *Bank { return &Bank{db: db, config: config} }

// Open creates the accounts.
func Open(ctx context.Context, db DB, config Config) (*Bank, error) {
	b := Join(db, config)
	for first := 0; first < config.Accounts; first += 100 {
		err := db.Update(ctx, func(_ context.Context, tx Txn) error {
			for i := first; i < min(first+100, config.Accounts); i++ {
				if err := tx.Put(b.account(i), encode(config.Initial)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("create accounts: %w", err)
		}
	}
	return b, nil
}

// Run moves money until ctx ends, with one auditor beside the workers.
func (b *Bank) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for w := range b.config.Workers {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for n := 0; ctx.Err() == nil; n++ {
				b.transfer(ctx, random, b.receipt(w, n))
			}
		})
	}
	workers.Go(func() {
		for ctx.Err() == nil {
			b.auditOnce(ctx)
		}
	})
	workers.Wait()
}

// transfer moves a random amount; the caller's context ends only the waiting
// between transfers, so that no outcome is unknown merely because the run ended.
func (b *Bank) transfer(ctx context.Context, random *rand.Rand, receipt []byte) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.config.CallTimeout)
	defer cancel()
	from, to := random.IntN(b.config.Accounts), random.IntN(b.config.Accounts-1)
	if to >= from {
		to++
	}
	err := b.db.Update(ctx, func(ctx context.Context, tx Txn) error {
		fromBalance, err := b.balance(ctx, tx, from)
		if err != nil {
			return err
		}
		toBalance, err := b.balance(ctx, tx, to)
		if err != nil {
			return err
		}
		amount := min(1+random.Uint64N(10), fromBalance)
		return errors.Join(
			tx.Put(b.account(from), encode(fromBalance-amount)),
			tx.Put(b.account(to), encode(toBalance+amount)),
			tx.Put(receipt, encode(amount)),
		)
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, record{receipt: receipt, outcome: b.db.Outcome(err), err: err})
	if err == nil {
		b.commits = append(b.commits, time.Now())
	}
}

// auditOnce sums all accounts in one snapshot: whatever happens, money is neither
// made nor lost.
func (b *Bank) auditOnce(ctx context.Context) {
	total, err := b.Total(ctx)
	if err == nil && total != b.Expected() {
		b.mu.Lock()
		b.wrong = append(b.wrong, fmt.Sprintf("a snapshot holds %d instead of %d", total, b.Expected()))
		b.mu.Unlock()
	}
}

// Expected is the sum of all balances at any time.
func (b *Bank) Expected() uint64 { return uint64(b.config.Accounts) * b.config.Initial }

// Total sums all balances in one snapshot.
func (b *Bank) Total(ctx context.Context) (uint64, error) {
	var total uint64
	accounts := 0
	err := b.db.Scan(ctx, []byte(b.config.Prefix+"/account/"), false, func(_, value []byte) error {
		accounts++
		total += binary.BigEndian.Uint64(value)
		return nil
	})
	if err == nil && accounts != b.config.Accounts {
		err = fmt.Errorf("scan found %d accounts of %d", accounts, b.config.Accounts)
	}
	return total, err
}

// Committed returns the instants of all commits so far, oldest first.
func (b *Bank) Committed() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	commits := slices.Clone(b.commits)
	slices.SortFunc(commits, time.Time.Compare)
	return commits
}

// Audit holds every report against the cluster, which must be healthy again.
func (b *Bank) Audit(ctx context.Context) (Report, error) {
	b.mu.Lock()
	records := slices.Clone(b.records)
	report := Report{Wrong: slices.Clone(b.wrong)}
	b.mu.Unlock()
	total, err := b.Total(ctx)
	if err != nil {
		return report, fmt.Errorf("final audit: %w", err)
	}
	if total != b.Expected() {
		report.Wrong = append(report.Wrong, fmt.Sprintf("%d in the end instead of %d", total, b.Expected()))
	}
	receipts, err := b.receipts(ctx)
	if err != nil {
		return report, fmt.Errorf("read receipts: %w", err)
	}
	for _, r := range records {
		written := receipts[string(r.receipt)]
		switch r.outcome {
		case Committed:
			report.Transfers++
			if !written {
				report.Wrong = append(report.Wrong, fmt.Sprintf("%s: committed without its receipt", r.receipt))
			}
		case Aborted:
			report.Aborted++
			if written {
				report.Wrong = append(report.Wrong, fmt.Sprintf("%s: aborted with its receipt: %v", r.receipt, r.err))
			}
		case Unknown:
			report.Unknown++
		}
	}
	commits := b.Committed()
	for i := 1; i < len(commits); i++ {
		report.LongestStall = max(report.LongestStall, commits[i].Sub(commits[i-1]))
	}
	return report, nil
}

func (b *Bank) receipts(ctx context.Context) (map[string]bool, error) {
	found := map[string]bool{}
	prefix := fmt.Appendf(nil, "%s/receipt/%s/", b.config.Prefix, b.config.Name)
	err := b.db.Scan(ctx, prefix, true, func(key, _ []byte) error {
		found[string(key)] = true
		return nil
	})
	return found, err
}

func (b *Bank) receipt(worker, n int) []byte {
	return fmt.Appendf(nil, "%s/receipt/%s/%04d/%08d", b.config.Prefix, b.config.Name, worker, n)
}

func (b *Bank) account(i int) []byte {
	return fmt.Appendf(nil, "%s/account/%06d", b.config.Prefix, i)
}

func (b *Bank) balance(ctx context.Context, tx Txn, i int) (uint64, error) {
	value, err := tx.Get(ctx, b.account(i))
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func encode(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
