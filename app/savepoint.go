package app

import "github.com/tikvx/tikvx/core/buffer"

// Savepoint is a moment of a transaction to which its writes can be rolled back.
type Savepoint struct {
	txn   *Txn
	point buffer.Savepoint
	err   error
}

// Savepoint returns the present moment of the transaction. When the transaction
// cannot be used now, the savepoint's Rollback says why.
func (t *Txn) Savepoint() Savepoint {
	if err := t.enter("savepoint"); err != nil {
		return Savepoint{err: err}
	}
	defer t.gate.leaveWrite()
	return Savepoint{txn: t, point: t.buffer.Savepoint()}
}

// Rollback undoes every write since the savepoint, and every savepoint taken since.
// The savepoint itself stays: it can be rolled back to again.
func (s Savepoint) Rollback() error {
	const op = "roll back to savepoint"
	if s.txn == nil {
		if s.err != nil {
			return s.err
		}
		return misuse(op, "savepoint", "of no transaction")
	}
	if err := s.txn.enter(op); err != nil {
		return err
	}
	defer s.txn.gate.leaveWrite()
	return s.txn.accept(op, nil, nil, s.txn.buffer.RollbackTo(s.point))
}
