package mvcc

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Lock is the lock of one key (components/txn_types/src/lock.rs).
type Lock struct {
	Kind                              ports.LockKind
	Primary                           []byte
	StartTS, ForUpdateTS, MinCommitTS ports.Timestamp
	TTL, TxnSize                      uint64
	Value                             []byte
	AsyncCommit                       bool
	Secondaries                       [][]byte
	// WithConflict: a pessimistic lock that was taken in spite of a newer version.
	WithConflict bool
	// memory: the lock is nowhere but in the leader's memory.
	memory bool
	// generation counts the flushes of a pipelined transaction; 0: the lock is no flushed one.
	generation uint64
	// shared are the locks of a key that is shared.
	shared *sharedLocks
	// rollbacks are protected rollbacks of other transactions that a commit of this one could overwrite.
	rollbacks []ports.Timestamp
}

func (l *Lock) pessimistic() bool { return l.Kind == ports.KindPessimisticLock }

// mayWrite reports whether a lock may stand for a change of data that a read could have to see.
func (l *Lock) mayWrite() bool {
	return l.shared == nil && l.Kind != ports.KindLock && !l.pessimistic()
}

// expired is TiKV's one rule, strict, on milliseconds.
func (l *Lock) expired(current ports.Timestamp) bool {
	return uint64(l.StartTS.Physical())+l.TTL < uint64(current.Physical())
}

// Info is the lock as TiKV reports it.
func (l *Lock) Info(key []byte) ports.Lock {
	if l.shared != nil {
		info := ports.Lock{Key: key, Kind: l.Kind}
		for i := range l.shared.members {
			info.Shared = append(info.Shared, l.shared.members[i].Info(key))
		}
		return info
	}
	return ports.Lock{
		Key: key, Primary: l.Primary, StartTS: l.StartTS, TTL: l.TTL, TxnSize: l.TxnSize, Kind: l.Kind,
		ForUpdateTS: l.ForUpdateTS, UseAsyncCommit: l.AsyncCommit, MinCommitTS: l.MinCommitTS, Secondaries: l.Secondaries,
	}
}

// Write is one record of a key's write column (components/txn_types/src/write.rs): a version, or a rollback.
type Write struct {
	// CommitTS of a rollback is its StartTS.
	CommitTS, StartTS ports.Timestamp
	// Kind is KindPut, KindDelete, KindLock or KindRollback.
	Kind ports.LockKind
	// Protected rollbacks stay; others are collapsed by newer ones.
	Protected bool
	// OverlappedRollback: a protected rollback of the transaction that began at CommitTS is kept in this record.
	OverlappedRollback bool
	// fenced: the record was written again for that, when the next version was at fence, 0 for none.
	fenced bool
	fence  ports.Timestamp
	Value  []byte
}

func (w *Write) data() bool { return w.Kind == ports.KindPut || w.Kind == ports.KindDelete }

// columns are what is kept for one transactional key.
type columns struct {
	// lock is nil when the key is not locked; [Engine.lock] and [Engine.unlock] set it.
	lock *Lock
	// writes ascend by CommitTS; there is at most one for each.
	writes []Write
}

// newest returns the index of the newest record at or below ts, -1 when there is none (reader.rs: seek_write).
func (c *columns) newest(ts ports.Timestamp) int {
	i := len(c.writes) - 1
	for i >= 0 && c.writes[i].CommitTS > ts {
		i--
	}
	return i
}

// visible returns the newest data record at or below ts, nil when there is none (reader.rs: get_write).
func (c *columns) visible(ts ports.Timestamp) *Write {
	for i := c.newest(ts); i >= 0; i-- {
		if w := &c.writes[i]; w.data() {
			if w.Kind == ports.KindDelete {
				return nil
			}
			return w
		}
	}
	return nil
}

// after returns the commit timestamp of the version that follows ts, 0 when there is none (reader.rs:
// get_txn_commit_record).
func (c *columns) after(ts ports.Timestamp) ports.Timestamp {
	for i := range c.writes {
		if w := &c.writes[i]; w.CommitTS > ts && w.data() {
			return w.CommitTS
		}
	}
	return 0
}

func (c *columns) put(w Write) {
	i := c.newest(w.CommitTS)
	if i >= 0 && c.writes[i].CommitTS == w.CommitTS {
		c.writes[i] = w
		return
	}
	c.writes = slices.Insert(c.writes, i+1, w)
}

func (c *columns) drop(ts ports.Timestamp) {
	if i := c.newest(ts); i >= 0 && c.writes[i].CommitTS == ts {
		c.writes = slices.Delete(c.writes, i, i+1)
	}
}

// fate is what the write column knows about a transaction on one key (reader.rs: TxnCommitRecord).
type fate struct {
	// own is the transaction's record, nil when there is none.
	own *Write
	// rolledBack: its rollback is kept in another transaction's record.
	rolledBack bool
	// overlapped is another transaction's record where the rollback of this one would be.
	overlapped *Write
}

func (f *fate) committed() bool { return f.own != nil && f.own.Kind != ports.KindRollback }

// fate looks a transaction up (reader.rs: get_txn_commit_record).
func (c *columns) fate(start ports.Timestamp) fate {
	for i := len(c.writes) - 1; i >= 0; i-- {
		w := &c.writes[i]
		switch {
		case w.StartTS == start:
			return fate{own: w}
		case w.CommitTS == start && w.OverlappedRollback:
			return fate{rolledBack: true}
		case w.CommitTS == start:
			return fate{overlapped: w}
		case w.CommitTS < start:
			return fate{}
		}
	}
	return fate{}
}
