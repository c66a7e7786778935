// Package mvcc is the storage engine of the simulated cluster: what TiKV's src/storage does with the data of its
// regions, in memory.
//
// An [Engine] keeps, for each transactional key, one lock and the committed versions, and raw data beside them, in
// order. Its methods are TiKV's commands: each takes a request of ports, works on the keys as they are now, and either
// changes all that it has to or nothing. Where TiKV cites a rule in its sources, the method names the file; paths
// without a crate lie under src/storage in tikv/tikv. An engine belongs to one goroutine.
//
// A command is atomic. What takes time in TiKV is in two steps here, between which the caller lets time pass:
//
//   - [Engine.Prepare] says which locks a prewrite with async commit or 1PC keeps in a store's memory, [Snapshot.Meets]
//     what a read makes of one, and [Engine.PrewriteOn] applies them;
//   - a pessimistic lock that is in the way is reported. Waiting for it is the caller's business, with [WaitQueues] for
//     the order in which those who wait are woken, a [Detector] for deadlocks, and [Engine.Released] for what the last
//     command has let go. Shared locks, which have several holders, are in the way only of who wants the key alone.
//
// An engine knows nothing of stores, leaders and time. What a store remembers of transactions, max_ts among it, comes
// in as [Terms]; a pessimistic lock that is in the memory of its leader only is one with a mark ([Keep]), which
// [Engine.LoseLocks] takes away. Locks of other kinds can be planted with [Engine.PutLock] and are treated by all
// commands as TiKV treats them.
package mvcc
