// Package ts is arithmetic on the oracle's timestamps, the one rule by which locks
// expire, and the two machines that obtain timestamps: [Fetch] for one, and
// [Clock] for the low-resolution timestamp that all operations share.
package ts

import (
	"math"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// maxPhysical is the greatest number of milliseconds that a timestamp can carry.
const maxPhysical = math.MaxUint64 >> ports.LogicalBits

// Expired reports whether the life of a lock is over at now. It is the only such
// predicate, and strict as TiKV's own, so that client and server never disagree
// about a lock whose last millisecond it is (tikv:
// src/storage/txn/actions/check_txn_status.rs).
func Expired(lockStart ports.Timestamp, ttl uint64, now ports.Timestamp) bool {
	physical := uint64(lockStart.Physical())
	if ttl > maxPhysical-physical {
		return false
	}
	return physical+ttl < uint64(now.Physical())
}

// Until returns how long after now a lock will be [Expired]: 0 if it is, otherwise
// at least a millisecond. A life that no timestamp outlasts takes the longest
// duration there is.
func Until(lockStart ports.Timestamp, ttl uint64, now ports.Timestamp) time.Duration {
	if Expired(lockStart, ttl, now) {
		return 0
	}
	physical := uint64(lockStart.Physical())
	if ttl > maxPhysical-physical {
		return math.MaxInt64
	}
	left := physical + ttl - uint64(now.Physical()) + 1
	if left > math.MaxInt64/uint64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(left) * time.Millisecond
}

// Add returns the timestamp d later, with the same logical part; whole
// milliseconds only. It saturates at the ends of the range.
func Add(t ports.Timestamp, d time.Duration) ports.Timestamp {
	physical := t.Physical() + d.Milliseconds()
	if physical < 0 {
		return 0
	}
	if physical > maxPhysical {
		return ports.MaxTimestamp
	}
	return ports.ComposeTimestamp(physical, t.Logical())
}

// Sub returns the time from u to t in whole milliseconds, saturated.
func Sub(t, u ports.Timestamp) time.Duration {
	const limit = math.MaxInt64 / int64(time.Millisecond)
	ms := t.Physical() - u.Physical()
	return time.Duration(max(-limit, min(limit, ms))) * time.Millisecond
}
