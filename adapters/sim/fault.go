package sim

import (
	"fmt"
	"strings"
)

// Fault is a class of things that go wrong. Each can be allowed or not, and each is counted.
type Fault uint8

// The classes of faults.
const (
	// FaultRequestLost and FaultReplyLost: one message disappears.
	FaultRequestLost Fault = iota
	FaultReplyLost
	// FaultDuplicate: a request arrives twice; FaultLateDuplicate: the second time long after its client gave up.
	FaultDuplicate
	FaultLateDuplicate
	// FaultSlow: one message takes very long.
	FaultSlow
	// FaultReset: a connection breaks and everything in flight on it is Lost; FaultDial: a connection cannot be made.
	FaultReset
	FaultDial
	// FaultBusy and FaultStaleCommand are region errors out of the blue.
	FaultBusy
	FaultStaleCommand
	// FaultSplit: a region is cut in two; FaultTransfer: another peer leads.
	FaultSplit
	FaultTransfer
	// FaultCrash: a store loses what is in flight and restarts later; FaultMove: it restarts on another address;
	// FaultHang: it stands still with its connections open.
	FaultCrash
	FaultMove
	FaultHang
	// FaultOracleGap and FaultOracleSlow: timestamps are skipped, or late.
	FaultOracleGap
	FaultOracleSlow
	// FaultStalePD and FaultGapPD: PD answers with old regions, or leaves some out.
	FaultStalePD
	FaultGapPD
	// FaultSilentPD: PD does not answer; FaultRestartPD: it refuses, then is back.
	FaultSilentPD
	FaultRestartPD
	// FaultMerge: a region becomes part of its neighbour.
	FaultMerge
	// FaultMovePeer: the peers of a region change.
	FaultMovePeer
	// FaultLag: a follower applies nothing for a while.
	FaultLag
	// FaultLostLock: a pessimistic lock that was answered is not there any more, since it was in its leader's memory only.
	FaultLostLock
	// FaultPartition: a store hears nothing of the others. FaultDisconnect: a client hears nothing of a store, or a store
	// of a client; FaultFreeze: one connection stands still.
	FaultPartition
	FaultDisconnect
	FaultFreeze
	// FaultDiskFull: a store has hardly any space left, or none.
	FaultDiskFull
	// FaultOverload: a store is so busy that it answers everything with ServerIsBusy, without looking at who leads.
	FaultOverload
	// FaultUndetermined: a store does not know whether it has applied a write, and says so.
	FaultUndetermined
	// FaultBlankPD: PD knows something of what it is asked, but not all: no address, no leader, or nothing at all.
	FaultBlankPD
	// FaultLagPD: PD's followers hear nothing for a while; only its leader knows what is new.
	FaultLagPD
	numFaults
)

// NumFaults is the number of fault classes.
const NumFaults = int(numFaults)

var faultNames = [numFaults]string{
	"request-lost", "reply-lost", "duplicate", "late-duplicate", "slow", "reset", "dial", "busy", "stale-command",
	"split", "transfer", "crash", "move", "hang", "oracle-gap", "oracle-slow", "stale-pd", "gap-pd", "silent-pd",
	"restart-pd", "merge", "move-peer", "lag", "lost-lock",
	"partition", "disconnect", "freeze",
	"disk-full", "overload", "undetermined", "blank-pd", "lag-pd",
}

// String returns the class's name.
func (f Fault) String() string {
	if f < numFaults {
		return faultNames[f]
	}
	return "no-fault"
}

// FaultSet is a set of fault classes; the zero set allows none.
type FaultSet uint64

// AllFaults allows every class.
const AllFaults FaultSet = 1<<numFaults - 1

// OptimisticFaults are the classes that clients can meet who take no pessimistic locks.
const OptimisticFaults = AllFaults &^ (1 << FaultLostLock)

// FaultsOf returns the set of the given classes.
func FaultsOf(list ...Fault) FaultSet {
	var s FaultSet
	for _, f := range list {
		s |= 1 << f
	}
	return s
}

// Has reports whether the set allows f.
func (s FaultSet) Has(f Fault) bool { return s&(1<<f) != 0 }

// Counts is how often each fault happened.
type Counts [numFaults]uint64

// Add adds the counts of another run.
func (c *Counts) Add(o *Counts) {
	for i := range c {
		c[i] += o[i]
	}
}

// Missing returns the classes of the set that never happened.
func (c *Counts) Missing(set FaultSet) []Fault {
	var list []Fault
	for f := range numFaults {
		if set.Has(f) && c[f] == 0 {
			list = append(list, f)
		}
	}
	return list
}

// String prints the counts that are not zero: "request-lost=12 crash=1".
func (c *Counts) String() string {
	var b strings.Builder
	for f := range numFaults {
		if c[f] == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%d", f, c[f])
	}
	return b.String()
}
