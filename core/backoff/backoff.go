// Package backoff holds the pauses before retries: which kinds there are, how
// each grows, and what an operation remembers of its earlier ones.
//
// There is no budget but the caller's deadline. A pause that would end after the
// deadline is cut at the deadline, so that its timer is what ends the operation.
package backoff

import (
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Kind says why an operation pauses. Each kind grows on its own.
type Kind uint8

// The kinds of pauses; base, cap and jitter are those of client-go, except that
// a store that demands nothing is not waited for longer than its curve says.
const (
	// TiKVRPC: no answer came from any replica that could be asked.
	TiKVRPC Kind = iota
	// PDRPC: PD gave no answer, or one that cannot be used.
	PDRPC
	// TxnLock: a lock's owner is alive and its life is long.
	TxnLock
	// TxnLockFast: a reader met a lock whose owner may be done any moment.
	TxnLockFast
	// TxnNotFound: the primary of a lock is not written yet.
	TxnNotFound
	// RegionMiss: the region is not where it was, and nobody said where it is.
	RegionMiss
	// RegionScheduling: the region has no leader at the moment.
	RegionScheduling
	// ServerBusy: the store sheds load.
	ServerBusy
	// DiskFull: the store refuses writes for want of space.
	DiskFull
	// RecoveryInProgress: the cluster recovers from a backup.
	RecoveryInProgress
	// StaleCommand: the proposal lost its term; also every error without a rule.
	StaleCommand
	// MaxTSNotSynced: a new leader has not fetched its timestamp yet.
	MaxTSNotSynced
	// CommitTSLag: the oracle has not passed a demanded timestamp yet.
	CommitTSLag
	// RegionNotInitialized: a new peer waits for its first snapshot.
	RegionNotInitialized
	// IsWitness: the peer holds no data.
	IsWitness
	numKinds
)

// Kinds is the number of kinds, for tables indexed by kind.
const Kinds = int(numKinds)

// Jitter says which part of a pause is random.
type Jitter uint8

// The jitters.
const (
	// JitterNone: the pause is exact.
	JitterNone Jitter = iota
	// JitterEqual: the second half of the pause is random.
	JitterEqual
)

type curve struct {
	base, limit time.Duration
	jitter      Jitter
}

// Curve returns how pauses of a kind grow: the n-th (from 0) is base·2ⁿ, at most
// limit.
func Curve(kind Kind) (base, limit time.Duration, jitter Jitter) {
	c := kind.curve()
	return c.base, c.limit, c.jitter
}

func (k Kind) curve() curve {
	switch k {
	case TiKVRPC:
		return curve{100 * time.Millisecond, 2 * time.Second, JitterEqual}
	case PDRPC:
		return curve{500 * time.Millisecond, 3 * time.Second, JitterEqual}
	case TxnLock:
		return curve{100 * time.Millisecond, 3 * time.Second, JitterEqual}
	case TxnLockFast:
		return curve{10 * time.Millisecond, 3 * time.Second, JitterEqual}
	case TxnNotFound, RegionMiss, RegionScheduling, MaxTSNotSynced, CommitTSLag:
		return curve{2 * time.Millisecond, 500 * time.Millisecond, JitterNone}
	case ServerBusy:
		return curve{2 * time.Second, 10 * time.Second, JitterEqual}
	case DiskFull:
		return curve{500 * time.Millisecond, 5 * time.Second, JitterNone}
	case RecoveryInProgress:
		return curve{100 * time.Millisecond, 10 * time.Second, JitterEqual}
	case StaleCommand, RegionNotInitialized:
		return curve{2 * time.Millisecond, time.Second, JitterNone}
	case IsWitness:
		return curve{time.Second, 10 * time.Second, JitterEqual}
	case numKinds:
		return curve{}
	}
	return curve{}
}

// String names the kind as TiKV's users know it from client-go.
func (k Kind) String() string {
	switch k {
	case TiKVRPC:
		return "tikvRPC"
	case PDRPC:
		return "pdRPC"
	case TxnLock:
		return "txnLock"
	case TxnLockFast:
		return "txnLockFast"
	case TxnNotFound:
		return "txnNotFound"
	case RegionMiss:
		return "regionMiss"
	case RegionScheduling:
		return "regionScheduling"
	case ServerBusy:
		return "tikvServerBusy"
	case DiskFull:
		return "tikvDiskFull"
	case RecoveryInProgress:
		return "regionRecoveryInProgress"
	case StaleCommand:
		return "staleCommand"
	case MaxTSNotSynced:
		return "maxTsNotSynced"
	case CommitTSLag:
		return "commitTSLag"
	case RegionNotInitialized:
		return "regionNotInitialized"
	case IsWitness:
		return "isWitness"
	case numKinds:
		return "invalid"
	}
	return "invalid"
}

// Backoff counts the pauses of one operation, each kind on its own. The zero
// value has paused for nothing. Values are copied with the machine that holds
// them.
type Backoff struct {
	counts [Kinds]uint8
}

// Next returns the next pause of a kind and counts it. A ceiling above zero
// shortens this pause only (a lock's remaining life); the count grows all the
// same.
func (b *Backoff) Next(kind Kind, rnd *sm.Rand, ceiling time.Duration) time.Duration {
	c := kind.curve()
	n := b.counts[kind]
	pause := c.limit
	// base·2ⁿ cannot overflow below 2²⁰ times the base, far above every limit.
	if n < 20 && c.base<<n < c.limit {
		pause = c.base << n
	}
	if n < 255 {
		b.counts[kind]++
	}
	switch c.jitter {
	case JitterNone:
	case JitterEqual:
		pause = pause/2 + time.Duration(rnd.Below(uint64(pause/2)))
	}
	if ceiling > 0 && pause > ceiling {
		pause = ceiling
	}
	return pause
}

// Count returns how often the operation has paused for a kind.
func (b *Backoff) Count(kind Kind) int { return int(b.counts[kind]) }

// Reset forgets the pauses of a kind: what they waited for has come.
func (b *Backoff) Reset(kind Kind) { b.counts[kind] = 0 }

// Until returns the instant at which a pause ends: after it, but never after the
// deadline.
func Until(now ports.Instant, pause time.Duration, deadline ports.Instant) ports.Instant {
	return min(now.Add(pause), max(now, deadline))
}

// Fingerprint writes the counts.
func (b *Backoff) Fingerprint(h *sm.Hash) {
	for _, n := range b.counts {
		h.Uint(uint64(n))
	}
}
