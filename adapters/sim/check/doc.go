// Package check holds histories against what a cluster must guarantee. Each checker takes what clients were told, or
// what the stores really kept, or both, and returns one line for each thing that is wrong. Those that need nothing but
// what clients saw ([ListAppend], and [Snapshots] and [Outcomes] with versions read from the cluster) also take
// histories of real clusters.
//
// # Safety invariants
//
// The numbers in comments are those of this list. Histories are checked at the end of a run ([History.Wrong]), the
// others at each event ([Invariants], [Stores]).
//
//	 1  atomic: all keys of a transaction or none           decided, AtRest; Atomic
//	 2  one commit timestamp                                onCommitted; Atomic
//	 3  a decision is never revoked                         onCommitted, onAborted, lookAt
//	 4  commit above start, min_commit_ts, for_update_ts    onCommitted
//	 5  no lost update, optimistic                          onCommitted; Writers
//	 6  no lost update, of locked keys                      onCommitted
//	 7  inserts, and keys that must not exist               onExistence; ScanLoad and OwnLoad in package load
//	 8  a read stays true                                   read, onCommitted; Snapshots, for scanned gaps too
//	 9  real time                                           External, Newest, ListAppend, linearizability of registers
//	10  honest reports                                      tell; Outcomes, an unknown without cause included
//	11  nobody rolls back what may be committed             onResolve, onAborted
//	12  one primary                                         primaryOf, lookAt, onStatus
//	16  resolvers do as was decided                         onResolve, condemned
//	17  nobody is killed before his time                    killed
//	22  safe points                                         SafePointMoved
//	23  no timestamp from the future                        known
//
// 13 to 15 are about async commit and 1PC, 18 to 21 about pessimistic, pipelined and shared locks: the client has none
// of them yet. 24 is about the write buffer, which is core's own and no matter between client and cluster; that reads
// show it is what package load's OwnLoad sees to.
//
// Beyond safety, [Amplification] bounds the requests of a transaction, the checks of needless requests forbid asking
// for what is known, and [Stores] bounds what a failover costs.
package check
