// Package sim is a whole TiKV cluster and its PD in memory, in virtual time, in which anything can go wrong and
// everything can be repeated.
//
// A [World] holds stores with an MVCC engine (package mvcc), regions with their peers, a placement driver with its
// oracle, and the network in between. It is driven by one goroutine: [World.Step] takes the next event from an agenda
// and lets it happen. Whatever could happen in more than one way is asked of one [Chooser], and choice 0 is always the
// boring one, so that a shrinker which lowers choices ends at a run in which nothing goes wrong. A seed, or a log of
// decisions ([Recorder], [Replay]), reproduces a run exactly; [World.Hash] proves it.
//
// A [Client] is what one client process sees of the world. It implements [ports.Network], [ports.Oracle],
// [ports.Placement], [ports.Admin] and [ports.Timers]. Programs wait for it in one of three ways:
//
//   - directly: a sink's Post steps a machine at once, inside [World.Step];
//   - as tasks ([World.Go]): ordinary blocking code on a coroutine that [Task.Park] suspends;
//   - in wall time ([NewWall]): many goroutines, and one that maps virtual time to real time.
//
// Whoever checks a run watches it from inside ([Monitor]), and looks at the truth in the end ([World.Versions],
// [World.Locks]). What goes wrong is decided by the chooser ([Fault]), by a script ([World.Script]), or by whoever
// calls methods of the world: [World.Crash], [World.Split], [World.Isolate] and many more. Where these take a length of
// time as a [ports.Instant], it is in nanoseconds. docs/simulation.md has a picture of a cluster, and of the life of a
// request.
//
// # What is modelled
//
// Data is one engine for all stores: what a leader has executed is applied at once, so that whoever is elected knows
// everything. A request is executed at one instant, between its arrival and its answer; a store that crashes before has
// not executed it. Peers with their roles, their changes one by one and in joint consensus, and the time until a new
// one has its data; epochs, splits, merges with their steps, leaders and their terms, elections, hints, and PD's
// belated knowledge of all that are modelled; a write whose leader was deposed meanwhile is answered with StaleCommand
// and is applied, or not. A store that is overloaded refuses everything before it looks at who leads. A follower that
// has fallen behind keeps a copy of the data as it was: it serves stale reads from that, up to its safe timestamp, and
// lets replica reads wait until it has applied what its leader had committed. The log itself is not modelled. Stores
// that do not hear each other, clients and stores that do not, and connections that stand still are: a leader without a
// majority reads for the rest of its lease, then answers nothing until another one leads. The faults are listed at
// [Fault].
//
// Requests for pessimistic locks wait in the queues of the store that they have met a lock at, and nobody but that
// store wakes them; one store detects deadlocks, and hears of waits by messages that take time and can be lost.
// Pessimistic locks may be in the memory of a leader only, or answered before they are replicated, and lost
// ([FaultLostLock]). Shared locks are modelled.
//
// A prewrite that chooses its own commit timestamp, with async commit or 1PC, is executed at two instants: its locks
// stand in the store's memory first, where reads meet them and other commands wait for their keys, and are applied
// some time later ([SiteMemoryLock]), if the store still leads. Timestamps that PD cannot have given out do not raise
// max_ts: such a request is refused, where TiKV by default breaks down. Stores remember for a while what is committed,
// and what clients tell of large transactions. Records keep no hint at the last change; nothing but the commands that
// look into a store would show it.
//
// With [Config.BucketKeys] regions have buckets ([World.Buckets]). Leaders work them out now and then, and report them
// apart from the regions, so that PD may tell of bounds that no region has any more. After a split, a merge or a
// transfer the leader has none until it looks again.
//
// A region that is in flashback serves flashbacks and older reads only. Garbage is collected when PD's GC safe point
// moves, with the evidence of old conflicts and rollbacks: by a client, or, with [Config.GCLife], by somebody else.
//
// PD keeps GC states with their barriers, for each keyspace that has a GC of its own and for all others together;
// [Config.Keyspaces] names the keyspaces. After a restart it may know no leaders and addresses, and its own followers
// may lag. It scatters regions, by moving a leader or a peer, and knows stores that are going, gone, labelled or
// without an address ([World.SetStoreRecord]). An administrator's requests are answered late or not at all when PD is,
// having been done or not.
//
// What a single store does to its own data is done to the data of all: a range that one store is told to destroy is
// gone everywhere. Of raw data, API v1 with TTL is modelled. Other differences from TiKV are listed in docs/decisions.
//
// Not modelled are clocks that differ. Nobody compares the clocks of two machines: the lives of locks are measured in
// timestamps of the oracle, and a timer that runs fast or slow is one whose messages are late or early, which they are
// anyway. That leases end before elections begin is taken for granted, as TiKV takes it.
//
// The store's behaviour follows TiKV's sources; every rule names the file that it was taken from.
//
// # Reading a trace
//
// A line with an arrow is a client's: "c1 → 17 s2 Commit r4.1" submits request 17 to store 2, for region 4 at version
// 1, and "c1 ← 17" is its answer. Indented lines are a store's: it takes a request, and executes it. Lines that begin
// with !! are faults, those with -- what becomes of the cluster. Timestamps are milliseconds and a counter.
package sim
