package mvcc

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Prewrite locks the keys of one optimistic batch, or, when any of them is locked, nothing
// (txn/commands/prewrite.rs: Prewriter::prewrite).
//
// A batch whose transaction is found to be committed already is answered without errors: it is a late duplicate. For
// an optimistic prewrite the retry flag of the request changes nothing.
func (e *Engine) Prewrite(req *ports.PrewriteRequest, reply *ports.PrewriteReply) {
	b := e.begin()
	p := prewrite{req: req, batch: b}
	for i := range req.Mutations {
		m := &req.Mutations[i]
		at := e.entry(m.Key)
		err := p.key(at, m)
		if err == nil {
			continue
		}
		retried := err.Kind == ports.KeyLocked ||
			err.Kind == ports.KeyWriteConflict && err.ConflictCommitTS > req.StartTS
		if fate := at.value.fate(req.StartTS); retried && fate.committed() {
			// txn/actions/common.rs: check_committed_record_on_err
			reply.Errors = reply.Errors[:0]
			return
		}
		if err.Kind != ports.KeyLocked {
			reply.Errors = append(reply.Errors[:0], *err)
			return
		}
		reply.Errors = append(reply.Errors, *err)
	}
	if len(reply.Errors) == 0 {
		e.apply(b)
	}
}

type prewrite struct {
	req   *ports.PrewriteRequest
	batch *batch
	// primary and values are the request's, copied once for all locks.
	primary []byte
	values  []byte
}

// key checks one mutation and adds its lock to the batch (txn/actions/prewrite.rs: prewrite).
func (p *prewrite) key(at *entry[columns], m *ports.Mutation) *ports.KeyError {
	switch m.Kind {
	case ports.KindPut, ports.KindDelete, ports.KindLock, ports.KindInsert, ports.KindCheckNotExists:
	case ports.KindRollback, ports.KindPessimisticLock, ports.KindSharedLock, ports.KindSharedPessimisticLock:
		return abort("mismatch Op in prewrite mutations: %d", m.Kind)
	}
	if at.value.locked {
		l := &at.value.lock
		switch {
		case l.StartTS != p.req.StartTS:
			return keyIsLocked(at.key, l)
		case l.pessimistic():
			return abort("Txn(Mvcc(LockTypeNotMatch { start_ts: %d, pessimistic: true }))", l.StartTS)
		}
		return nil // a duplicate: the lock stays as it is
	}
	if err := p.check(at, m.Kind); err != nil || m.Kind == ports.KindCheckNotExists {
		return err
	}
	p.batch.putLock(at, p.lock(m))
	return nil
}

// check looks for newer versions, for the transaction's own rollback, and for values that must not exist
// (prewrite.rs: check_for_newer_version; check_data_constraint.rs).
func (p *prewrite) check(at *entry[columns], kind ports.LockKind) *ports.KeyError {
	c, start := &at.value, p.req.StartTS
	if len(c.writes) == 0 {
		return nil
	}
	w := &c.writes[len(c.writes)-1]
	if w.CommitTS == start && (w.Kind == ports.KindRollback || w.OverlappedRollback) {
		return writeConflict(at.key, p.ownPrimary(), start, w, ports.ConflictSelfRolledBack)
	}
	if w.CommitTS > start {
		return writeConflict(at.key, p.ownPrimary(), start, w, ports.ConflictOptimistic)
	}
	if kind != ports.KindInsert && kind != ports.KindCheckNotExists {
		return nil
	}
	if c.visible(w.CommitTS) != nil {
		return alreadyExists(at.key)
	}
	return nil
}

// lock makes the lock of a mutation (prewrite.rs: write_lock).
func (p *prewrite) lock(m *ports.Mutation) Lock {
	l := Lock{
		Kind: m.Kind, Primary: p.ownPrimary(), StartTS: p.req.StartTS, TTL: p.req.TTL, TxnSize: p.req.TxnSize,
		MinCommitTS: p.req.MinCommitTS,
	}
	if m.Kind == ports.KindInsert {
		l.Kind = ports.KindPut
	}
	if l.Kind == ports.KindPut {
		l.Value = p.ownValue(m.Value)
	}
	return l
}

func (p *prewrite) ownPrimary() []byte {
	if p.primary == nil {
		p.primary = slices.Clone(p.req.Primary)
	}
	return p.primary
}

// ownValue copies a value into the buffer that all values of the request share.
func (p *prewrite) ownValue(v []byte) []byte {
	if p.values == nil {
		n := 0
		for i := range p.req.Mutations {
			n += len(p.req.Mutations[i].Value)
		}
		p.values = make([]byte, 0, n)
	}
	start := len(p.values)
	p.values = append(p.values, v...)
	return p.values[start:len(p.values):len(p.values)]
}
