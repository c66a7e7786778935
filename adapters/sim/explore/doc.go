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
// ask, and an answer of the table comes at once. Its stores are always reachable, and it remembers no statuses of
// transactions. Pauses have no lengths, so that what is random in them has no meaning: each step begins with the same
// generator.
//
// # The search
//
// Depth first, with a set of the fingerprints of the states that were seen. A state is a handful of components, and
// components are kept once each. What a step does to a component is worked out by the real machine or engine the
// first time, and remembered: both are deterministic, which is their contract, so that a transition of the whole mostly
// is a few look-ups. [Config] has a switch that works everything out anew, and a test compares.
//
// Two reductions keep the number of states down. Clients with equal programs can be exchanged for one another, so
// that a fingerprint takes them in the order of their own fingerprints; values are made from start timestamps, so that
// they say nothing of who wrote them. And a client for which exactly one thing is under way, a reply or a pause that
// ends by itself, goes first: nothing that anybody else does depends on it, nor does it depend on them, except through
// requests that it has yet to send. Only its steps are taken there, its faults included. (Sleep sets, which save
// transitions but no states, are not used: here transitions are cheap and states are what memory is filled with.)
// A test shows that without reductions the same ends are reached.
//
// A violation is searched for a second time, breadth first, so that its transcript is as short as can be.
package explore
