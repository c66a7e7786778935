package check

import (
	"fmt"

	"github.com/tikvx/tikvx/ports"
)

// Amplification is how many requests transactions needed of their own clients.
type Amplification struct {
	// Requests were sent by those that were committed, of which there are Txns, and the greatest is Most for each key.
	Requests, Txns int
	Most           float64
}

// Add adds another.
func (a *Amplification) Add(o Amplification) {
	a.Requests, a.Txns, a.Most = a.Requests+o.Requests, a.Txns+o.Txns, max(a.Most, o.Most)
}

// Submitted looks at a request that a client sends, and counts those for a transaction of its own.
func (m *Invariants) Submitted(req ports.Request) {
	switch q := req.(type) {
	case *ports.PrewriteRequest:
		m.txn(q.StartTS).sent++
	case *ports.CommitRequest:
		m.txn(q.StartTS).sent++
	case *ports.BatchRollbackRequest:
		m.txn(q.StartTS).sent++
	case *ports.CheckTxnStatusRequest:
		m.condemned(q)
	default:
	}
}

// Exceeds reports a transaction that needed more requests for each of its keys than it may.
func (a *Amplification) Exceeds(most float64) []string {
	if a.Most <= most {
		return nil
	}
	return []string{fmt.Sprintf("a transaction sent %.1f requests a key instead of at most %.1f", a.Most, most)}
}

// Amplification returns what the committed transactions needed.
func (m *Invariants) Amplification() Amplification {
	var a Amplification
	for _, t := range m.txns {
		if t.commit == 0 || t.sent == 0 {
			continue
		}
		a.Txns++
		a.Requests += t.sent
		a.Most = max(a.Most, float64(t.sent)/float64(max(1, len(t.keys))))
	}
	return a
}
