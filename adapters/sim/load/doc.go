// Package load holds workloads that cannot lie: whatever the clients were told can be held against what the cluster
// kept. They are ordinary users of the client and run as tasks of a simulated world or, [Bank] alone, in goroutines.
//
//	bank         money moves between accounts                        [BankLoad]
//	scan         pairs of keys, scanned in both directions            [ScanLoad]
//	raw-cas      registers of raw keys, compared and swapped          [SwapLoad]
//	list-append  lists that grow, whose reads tell who saw whom       [AppendLoad]
//	cycle        a ring whose nodes change places                     [CycleLoad]
//	write-skew   what snapshot isolation allows has to be seen        [SkewLoad]
//	register     one key a transaction, in one order                  [RegisterLoad]
//	own-writes   transactions that read what they have written        [OwnLoad]
//	raw-batch    raw keys, many at a time, some with a life           [BatchLoad]
//
// A [Workload] says how to prepare its data, what one step of a [Task] is, and what must hold in the end.
package load
