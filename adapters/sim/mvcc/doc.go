// Package mvcc is the storage engine of the simulated cluster: what TiKV's src/storage does with the data of its
// regions, in memory.
//
// An [Engine] keeps, for each transactional key, one lock and the committed versions, and raw data beside them, in
// order. Its methods are TiKV's commands: each takes a request of ports, works on the keys as they are now, and either
// changes all that it has to or nothing. Where TiKV cites a rule in its sources, the method names the file; paths
// without a crate lie under src/storage in tikv/tikv.
//
// A command is atomic here, so that no read meets the memory locks that TiKV holds while an async-commit prewrite is
// being written. Left out are shared locks, flushes, and the cache of known transaction statuses; a pessimistic lock
// that is in the way is reported, waiting for it is the caller's business. Locks of other kinds can be planted with
// [Engine.PutLock] and are treated by all commands as TiKV treats them.
package mvcc
