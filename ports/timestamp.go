package ports

import "math"

// Timestamp is a timestamp of PD's oracle: milliseconds of wall time shifted left
// by 18 bits, plus a logical counter in the low 18 bits. 0 means none.
type Timestamp uint64

// MaxTimestamp asks a point read for the newest committed version.
const MaxTimestamp Timestamp = math.MaxUint64

// LogicalBits is the width of the logical part.
const LogicalBits = 18

// ComposeTimestamp builds a timestamp from milliseconds and a logical counter.
func ComposeTimestamp(physical int64, logical int64) Timestamp {
	return Timestamp(uint64(physical)<<LogicalBits + uint64(logical))
}

// Physical returns the milliseconds since the Unix epoch.
func (t Timestamp) Physical() int64 { return int64(t >> LogicalBits) }

// Logical returns the counter within the millisecond.
func (t Timestamp) Logical() int64 { return int64(t & (1<<LogicalBits - 1)) }

// Readable reports whether a snapshot may be read at t: TiKV reserves the
// timestamps between MaxInt64 and MaxTimestamp.
func (t Timestamp) Readable() bool {
	return t != 0 && (t < math.MaxInt64 || t == MaxTimestamp)
}
