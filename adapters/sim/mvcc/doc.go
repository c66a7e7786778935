// Package mvcc is the storage engine of the simulated cluster: what TiKV's src/storage does with the data of its
// regions, in memory.
//
// An [Engine] keeps, for each transactional key, one lock and the committed versions, and raw data beside them, in
// order. Its methods are TiKV's commands: each takes a request of ports, works on the keys as they are now, and either
// changes all that it has to or nothing. Where TiKV cites a rule in its sources, the method names the file; paths
// without a crate lie under src/storage in tikv/tikv.
//
// Left out is what the verbs of ports cannot reach yet: taking pessimistic locks, async commit and 1PC in prewrite,
// shared locks, flushes, garbage collection. Locks of those kinds can be planted with [Engine.PutLock] and are
// treated by all commands as TiKV treats them.
package mvcc
