// Package app is the client that users see: [Client] with its transactions ([Txn]),
// snapshots ([Snapshot]) and raw keys ([Raw]).
//
// It runs the state machines of core on whatever ports it is given, so the same
// client works on a production cluster (package tikvx opens one) and on the
// simulated cluster of adapters/sim. Nothing here knows which it is.
//
// # Contexts
//
// Every call that can wait takes a context first and returns soon after the
// context ends. A context without a deadline is bounded by [WithDefaultTimeout].
// Once a commit may have been decided, the end of the context no longer stops it:
// the call detaches and reports [Unknown].
//
// # Errors
//
// A missing key is [ErrNotFound]. Every other failure is an [*Error] that says what
// kind it is (errors.Is with the Err… codes), what became of the write
// ([OutcomeOf]), whether another try is worth it ([Retryable]), and what was tried.
// Texts contain neither keys nor values.
//
// # Memory
//
// Keys and values that are passed in are copied or not kept: they may be reused
// when the call returns. What is returned belongs to the caller.
package app
