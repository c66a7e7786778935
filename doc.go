// Package tikvx is a client of TiKV: transactions with snapshot isolation, and raw
// keys without transactions.
//
//	db, err := tikvx.Open(ctx, []string{"127.0.0.1:2379"})
//	if err != nil {
//		return err
//	}
//	defer db.Close(ctx)
//
//	err = db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
//		v, err := tx.Get(ctx, key)
//		if err != nil {
//			return err
//		}
//		return tx.Put(key, next(v))
//	})
//
// [Open] connects to a cluster by way of its PD. A [Client] is opened once and used
// from everywhere. Its methods are documented in package app, to which the names here
// lead; nobody has to import that package.
//
// What a program has to know:
//
//   - Update runs its function again when it met a conflict. Whatever else fails is
//     returned, and [OutcomeOf] says what became of the write: [Committed], [Aborted],
//     or [Unknown] when the answer to the request that decides the commit was lost.
//   - A missing key is [ErrNotFound]. All other errors are [*Error] values; errors.Is
//     with the Err… codes asks for their kind, [Retryable] whether another try is worth
//     it. Their texts contain no keys and no values.
//   - Every call that can wait takes a context and keeps its deadline. Without one, a
//     call has [DefaultTimeout].
//   - The client is silent unless it is given a logger, and keeps no state outside of
//     itself, so that clients of different clusters do not know of each other.
//   - A client serves transactional keys or raw keys, not both: TiKV cannot tell them
//     apart. The first use decides.
//
// Tests need no cluster: package adapters/sim/embed opens the same client on a
// simulated one in the process, with whatever faults a test asks for. The examples of
// this package run there.
package tikvx
