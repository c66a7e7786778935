// Package ports is the vocabulary of tikvx and the driven interfaces through
// which it reaches the world.
//
// The vocabulary is small value types named after TiKV's own nouns: regions,
// stores, locks, timestamps, one request and one reply struct for each verb, the
// faults that TiKV answers with, and the events that drive the state machines in
// core. The interfaces ([Network], [Oracle], [Placement], [Admin], [Timers],
// [Observer]) are asynchronous: a call hands over a token and a [Sink], returns at once, and
// is answered by exactly one posted [Event] that carries the token back. Real
// transports and the deterministic simulator implement the same interfaces and
// must pass the suite in ports/porttest.
//
// Package ports imports the standard library only, and nothing of tikvx.
package ports

import (
	"bytes"
	"math"
	"time"
)

// Instant is a point on a host's monotonic clock, in nanoseconds since an origin
// that the host chooses. Instants of different hosts cannot be compared, and an
// Instant has no relation to TiKV's timestamps. The zero Instant means "not set".
type Instant int64

// Never is later than every instant that a clock returns.
const Never Instant = math.MaxInt64

// Add returns the instant d later, and Never instead of overflowing.
func (t Instant) Add(d time.Duration) Instant {
	if d > 0 && t > Never-Instant(d) {
		return Never
	}
	return t + Instant(d)
}

// Sub returns the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// StoreID identifies a TiKV store; PD allocates it.
type StoreID uint64

// RegionID identifies a region; PD allocates it.
type RegionID uint64

// PeerID identifies one replica of one region; PD allocates it.
type PeerID uint64

// KeyRange is the half-open range [Start, End). An empty Start means the first
// key, an empty End means no upper bound.
type KeyRange struct {
	Start, End []byte
}

// Contains reports whether key lies in the range.
func (r KeyRange) Contains(key []byte) bool {
	return bytes.Compare(r.Start, key) <= 0 && (len(r.End) == 0 || bytes.Compare(key, r.End) < 0)
}

// Overlaps reports whether some key can be in both ranges.
func (r KeyRange) Overlaps(o KeyRange) bool {
	return (len(r.End) == 0 || bytes.Compare(o.Start, r.End) < 0) && (len(o.End) == 0 || bytes.Compare(r.Start, o.End) < 0)
}

// Empty reports whether no key can lie in the range.
func (r KeyRange) Empty() bool {
	return len(r.End) > 0 && bytes.Compare(r.Start, r.End) >= 0
}

// KV is one key with its value. TTL is used by raw writes only: the remaining
// life in seconds, 0 meaning for ever.
type KV struct {
	Key, Value []byte
	TTL        uint64
}
