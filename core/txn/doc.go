// Package txn commits transactions: optimistic two-phase commit as Percolator
// defines it and TiKV implements it.
//
// # The story of a commit
//
// [Commit.Init] turns the write buffer into mutations in key order (collect.go): a
// put, an insert, a deletion, or, for the tombstone of a key that the transaction
// inserted itself, a check that the key does not exist. The first key that is
// written is the primary: its lock is the transaction's fate, and every other lock
// only points to it. A transaction that wrote nothing ends here; nothing is sent.
//
// The gates come first (gate.go), because after the commit point nobody may object
// any more. Then prewrite (prewrite.go) locks every key. Keys are grouped by region
// and cut into batches (plan.go); the batch with the primary goes out first, all
// others beside it. A lock of another transaction is resolved or waited
// for; a lock of a transaction that began later is a conflict at once. A region
// that changed sends its keys back to be grouped. From the moment at which the
// primary is locked a heartbeat (heartbeat.go) is armed for half of the lock's
// life, so that a commit that takes long does not lose its locks.
//
// When every key is locked, and not before, the oracle is asked for the commit
// timestamp, and the gates are passed again with it.
//
// The commit point (primary.go) is the submission of the request that commits the
// primary, together with the keys that follow it in its region. What is known of
// the transaction from here on is one value, its [fate], folded over what became
// of each attempt (fate.go): impossible, maybe, committed or aborted. While it is
// maybe the client never rolls back; it repeats the same commit at the same
// timestamp until somebody proves something or the deadline passes. A new commit
// timestamp is used only after TiKV has said that the old one can never succeed.
//
// The caller is answered as soon as the fate is known, or unknown for good:
//
//   - committed: the rest of the keys is committed behind the caller's back
//     (sweep.go). Failures there change nothing; whoever meets such a lock finds
//     the primary committed.
//   - aborted: the primary is rolled back, and only when TiKV has confirmed it, the
//     rest. Prewrites that are still under way need not be awaited: each key
//     gets a rollback record, into which they run. A transaction that cannot hold
//     a lock anywhere, because every prewrite was refused, rolls nothing back.
//   - unknown, at the deadline or when the caller leaves after the commit point:
//     nothing is rolled back. A commit whose caller has left goes on until its
//     deadline.
//
// A cancel before the commit point aborts.
//
// # What the proofs rest on
//
// Only four answers to the commit of the primary prove something about all of its
// attempts. No error: it is committed. TxnLockNotFound: TiKV found neither the lock
// nor a commit record, so it was rolled back, and the record of that stops what
// may still be under way. CommitTSExpired for the primary: the lock is there and
// refuses this timestamp for ever. And a region error or Unsent, which are proofs
// of one attempt only, prove it for all if no other attempt is in doubt. Every
// other error is about one attempt and leaves earlier doubts (tikv:
// src/storage/txn/actions/commit.rs).
package txn
