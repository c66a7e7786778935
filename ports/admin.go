package ports

import (
	"math"
	"time"
)

// KeyspaceID identifies a keyspace, a share of the key space that one application
// has to itself; PD allocates it, in 24 bits.
type KeyspaceID uint32

// The keyspaces that have names of their own: that of a cluster without keyspaces,
// and the one that PD makes at the beginning (PD: pkg/keyspace/constant).
const (
	NullKeyspace    KeyspaceID = math.MaxUint32
	DefaultKeyspace KeyspaceID = 0
)

// KeyspaceState is what may be done with a keyspace (keyspacepb.KeyspaceState).
type KeyspaceState uint8

// The states of a keyspace. Only an enabled one may be used; a tombstone never
// comes back.
const (
	KeyspaceEnabled KeyspaceState = iota
	KeyspaceDisabled
	KeyspaceArchived
	KeyspaceTombstone
)

// Keyspace describes a keyspace. OwnGC: its garbage is collected by itself (PD:
// gc_management_type is keyspace_level); otherwise it shares the states of
// [NullKeyspace].
type Keyspace struct {
	ID    KeyspaceID
	Name  string
	State KeyspaceState
	OwnGC bool
}

// Forever is the life of a barrier that never expires.
const Forever time.Duration = math.MaxInt64

// Barrier keeps the txn safe point at or below TS for TTL from now on. PD rounds
// what is left of a life down to seconds.
type Barrier struct {
	Name string
	TS   Timestamp
	TTL  time.Duration
}

// GCState is how far the garbage of a keyspace is collected (PD: pkg/gc). Snapshots
// at TxnSafePoint and later may be read; versions that no snapshot at GCSafePoint or
// later sees may be dropped. Both only grow, and GCSafePoint <= TxnSafePoint.
type GCState struct {
	// Keyspace is whose state it is: [NullKeyspace] for one without a GC of its own.
	Keyspace                  KeyspaceID
	TxnSafePoint, GCSafePoint Timestamp
	// Barriers are those of the keyspace, by name; expired ones have no TTL.
	Barriers []Barrier
}

// AdminKind says what PD is asked to tell or to do.
type AdminKind uint8

// The requests. What is not named by a request is ignored.
const (
	// AdminGCState wants the GC state of Keyspace, its barriers only with Barriers.
	AdminGCState AdminKind = iota
	// AdminAdvanceTxnSafePoint moves the txn safe point of Keyspace to TS, or as far
	// as barriers let it.
	AdminAdvanceTxnSafePoint
	// AdminAdvanceGCSafePoint moves the GC safe point of Keyspace to TS.
	AdminAdvanceGCSafePoint
	// AdminSetBarrier makes or replaces the barrier Name of Keyspace, at TS for TTL,
	// which is rounded up to seconds; AdminDeleteBarrier removes it.
	AdminSetBarrier
	AdminDeleteBarrier
	// AdminSetGlobalBarrier and AdminDeleteGlobalBarrier do the same with barriers that
	// hold in all keyspaces.
	AdminSetGlobalBarrier
	AdminDeleteGlobalBarrier
	// AdminKeyspace wants the keyspace with Name, AdminKeyspaceByID the one that is
	// Keyspace.
	AdminKeyspace
	AdminKeyspaceByID
	// AdminScatter begins to spread leaders and peers of Regions over the stores;
	// regions of one Group are spread evenly among themselves.
	AdminScatter
	// AdminScattering asks whether Region is being scattered.
	AdminScattering
)

// AdminRequest is what PD is asked.
type AdminRequest struct {
	Kind     AdminKind
	Keyspace KeyspaceID
	Name     string
	TS       Timestamp
	TTL      time.Duration
	Barriers bool
	Region   RegionID
	Regions  []RegionID
	Group    string
}

// AdminRefusal is why PD did not do what it was asked to. Nothing has changed then.
type AdminRefusal uint8

// The refusals (PD: pkg/errs/errno.go).
const (
	AdminAccepted AdminRefusal = iota
	// AdminRefusedOther is a refusal without a known reason.
	AdminRefusedOther
	// AdminRefusedArgument: the request makes no sense: a life of a barrier that is not
	// above 0, a barrier without a name.
	AdminRefusedArgument
	// AdminRefusedReserved: the name of the barrier is PD's own.
	AdminRefusedReserved
	// AdminRefusedDecreasing: a safe point would go back.
	AdminRefusedDecreasing
	// AdminRefusedBeyondTxn: the GC safe point would pass the txn safe point.
	AdminRefusedBeyondTxn
	// AdminRefusedBehindTxn: the txn safe point has passed the barrier already.
	AdminRefusedBehindTxn
	// AdminRefusedSharedGC: the keyspace has no GC of its own to be managed.
	AdminRefusedSharedGC
	// AdminRefusedNoKeyspace: PD knows no such keyspace.
	AdminRefusedNoKeyspace
	// AdminRefusedNoRegion: PD knows no such region.
	AdminRefusedNoRegion
)

// AdminReply is PD's answer. Only what the request asked for is set, and with a
// refusal nothing else. Immutable once posted.
type AdminReply struct {
	Refusal AdminRefusal
	// GC answers AdminGCState.
	GC GCState
	// Old and New are a safe point before and after it was to be advanced; Blocker is
	// PD's description of what kept it from getting to where it should.
	Old, New Timestamp
	Blocker  string
	// Barrier is the one that was set, or deleted; Found is false where there was none
	// to delete.
	Barrier Barrier
	Found   bool
	// Keyspace answers AdminKeyspace and AdminKeyspaceByID.
	Keyspace Keyspace
	// Failed are the regions that PD does not scatter.
	Failed []RegionID
	// Scattering answers AdminScattering.
	Scattering bool
}

// Admin is PD as an administrator uses it. Every call is answered by exactly one
// [EventPlaced] with Admin set, or [EventRefused], with its token. The request is
// borrowed until the call returns.
//
// A change that ends with [EventRefused] may have been made. All changes can be asked
// for again: they lead to the same state, or are refused by PD.
type Admin interface {
	Administer(req *AdminRequest, deadline Instant, tok Tok, sink Sink)
}
