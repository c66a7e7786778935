package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Outcomes reports every lie about a transaction: committed without its receipt,
// aborted with it, and unknown although nothing that decides was in doubt.
func Outcomes(txns []Txn, store Store) []string {
	var wrong []string
	for i := range txns {
		t := &txns[i]
		written := commitOf(t, store) != 0
		switch t.Outcome {
		case Committed:
			if !written {
				wrong = append(wrong, fmt.Sprintf("%s: committed without its receipt", t.Receipt))
			}
		case Aborted:
			if written {
				wrong = append(wrong, fmt.Sprintf("%s: aborted with its receipt: %s", t.Receipt, t.Note))
			}
		case Unknown:
			if !store.Ambiguous(t.Start) {
				wrong = append(wrong, fmt.Sprintf("%s: unknown, though nothing was in doubt: %s", t.Receipt, t.Note))
			}
		}
	}
	return wrong
}

// External reports every transaction that did not see one that had been answered
// before it began (external consistency).
func External(txns []Txn, store Store) []string {
	type done struct {
		ended  ports.Instant
		commit ports.Timestamp
		name   string
	}
	committed := make([]done, 0, len(txns))
	for i := range txns {
		t := &txns[i]
		if c := commitOf(t, store); t.Outcome == Committed && c != 0 {
			committed = append(committed, done{t.Ended, c, t.Receipt})
		}
	}
	slices.SortFunc(committed, func(a, b done) int { return cmp.Compare(a.ended, b.ended) })
	begun := make([]*Txn, len(txns))
	for i := range txns {
		begun[i] = &txns[i]
	}
	slices.SortFunc(begun, func(a, b *Txn) int { return cmp.Compare(a.Began, b.Began) })
	var wrong []string
	var newest done
	next := 0
	for _, t := range begun {
		for ; next < len(committed) && committed[next].ended < t.Began; next++ {
			if committed[next].commit > newest.commit {
				newest = committed[next]
			}
		}
		if t.Start != 0 && newest.commit >= t.Start {
			wrong = append(wrong, fmt.Sprintf("%s began at %d after %s was answered as committed at %d", t.Receipt,
				t.Start, newest.name, newest.commit))
		}
	}
	return wrong
}

// commitOf returns the timestamp at which the receipt was committed, 0 if it was not.
func commitOf(t *Txn, store Store) ports.Timestamp {
	for _, v := range store.Versions(t.Receipt) {
		if !v.Deleted {
			return v.Commit
		}
	}
	return 0
}
