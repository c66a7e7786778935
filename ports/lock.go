package ports

// LockKind is the type of a lock or of a mutation (TiKV: kvrpcpb.Op).
type LockKind uint8

// The kinds of mutations and locks.
const (
	KindPut LockKind = iota
	KindDelete
	KindLock
	KindRollback
	KindInsert
	KindPessimisticLock
	KindCheckNotExists
	KindSharedLock
	KindSharedPessimisticLock
)

// Lock is a lock as TiKV reports it (kvrpcpb.LockInfo). Keys are user keys.
type Lock struct {
	Key     []byte
	Primary []byte
	StartTS Timestamp
	// TTL is the life of the lock in milliseconds after StartTS.
	TTL uint64
	// TxnSize is the number of keys that the transaction locked in the region.
	TxnSize        uint64
	Kind           LockKind
	ForUpdateTS    Timestamp
	UseAsyncCommit bool
	MinCommitTS    Timestamp
	Secondaries    [][]byte
	// DurationToLastUpdate is the age of the lock's last update in ms, 0 unknown.
	DurationToLastUpdate uint64
	IsTxnFile            bool
	// Shared lists the members when the lock is a set of shared locks; the
	// fields of the wrapper itself are then without meaning.
	Shared []Lock
}

// Pessimistic reports whether the lock was taken before prewrite.
func (l *Lock) Pessimistic() bool {
	return l.Kind == KindPessimisticLock || l.Kind == KindSharedPessimisticLock
}
