// Package explore searches every behaviour of small configurations: a few clients, a few keys, a bounded number of
// faults. What is searched are the machines of core and the storage engine of the simulator themselves.
//
// # The world
//
// A state consists of the clients, the stored data, the regions and the oracle. A client is a program of operations
// (core/txn.Commit, core/read.Get, core/read.BatchGet), the machine that carries out the present one, and everything
// of it that is under way: requests, replies, armed timers, questions to the oracle. A step is one of these:
//
//   - the oracle answers (a client begins, or gets another timestamp),
//   - the leader of a region executes a request,
//   - a reply arrives, or a timer fires,
//   - a fault of which the configuration still has one to spend (see [Fault]).
//
// There is no time: what is under way takes as long as it likes. Three rules stand in for clocks. The end of a lock's
// life is a leap of the oracle beyond every life. A client may poll a lock that is in its way a given number of
// times; further pauses end only when nothing else can happen. And when nothing else can happen although a lock is in
// the way, its life ends.
//
// A request that is lost lives on: it may be executed at any time after, or never. So does what a client has sent
// before it crashed, or does not wait for any more, and a duplicate, which is made when the request is executed.
//
// Not modelled: the tables that clients share. A client sees the regions as of the last time that it had a reason to
// ask, and an answer of the table comes at once. Its stores are always reachable, it remembers no statuses of
// transactions, nothing is refused before it is sent, and the oracle answers everybody. Pauses have no lengths, so that
// what is random in them has no meaning: each step begins with the same generator. Seeded runs (tests/simrun) have all
// of that.
//
// # What is checked
//
// No two transactions that wrote a key overlap, nothing is committed twice or below what its lock demands, versions
// do not vanish. A primary decides for its secondaries. What a store has said of a transaction stays true, what a
// client teaches its cache is true, and what a caller was told is: committed, aborted for ever, or unknown, which is
// said only after an answer was lost or the caller left. Nobody waits for ever, spins or panics. At every end, with the
// locks that are left resolved, transactions are whole and reads have seen what was committed before them. See
// invariant.go.
//
// # The search
//
// Depth first, with a set of the fingerprints of the states that were seen. A state is a handful of components, and
// components are kept once each. What a step does to a component is worked out by the real machine or engine the
// first time, and remembered: both are deterministic, which is their contract, so that a transition of the whole mostly
// is a few look-ups. TestMemoryChangesNothing works everything out anew, and compares.
//
// Two reductions keep the number of states down. Clients with equal programs can be exchanged for one another, so
// that a fingerprint takes them in the order of their own fingerprints; values are made from start timestamps, so that
// they say nothing of who wrote them. And a client for which exactly one thing is under way, a reply or a pause that
// ends by itself, goes first: nothing that anybody else does depends on it, nor does it depend on them, except through
// requests that it has yet to send. Only its steps are taken there, its faults included. This does not hold for a step
// in which it looks at the regions while they can still change. TestReductionsKeepTheEnds shows that without
// reductions no machine is in another state, and no end is another. (Sleep sets, which save transitions but no states,
// are not used: transitions are cheap here, and states are what memory is filled with.)
//
// # When something is found
//
// The search is made once more, breadth first, so that its transcript is as short as can be. `make explore` prints it:
// one step a line, and the violation. Committed to testdata with the configuration that it names it is a test, see
// [Explorer.Replay]. What an explorer finds in stores and clients that were broken on purpose is kept there in the same
// way.
//
// The numbers of states are committed, too (testdata/states.tsv): a search that sees less than before, or more, must be
// explained. `go run ./tests/explore -update` writes new numbers and leaves the explanation to you.
package explore
