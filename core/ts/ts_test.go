package ts_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

const maxPhysical = math.MaxUint64 >> ports.LogicalBits

func at(ms int64) ports.Timestamp { return ports.ComposeTimestamp(ms, 0) }

// A lock is alive in the very millisecond in which its life ends, as on the server.
func TestExpiryIsStrict(t *testing.T) {
	start := ports.ComposeTimestamp(1000, 77)
	require.False(t, ts.Expired(start, 500, at(1499)))
	require.False(t, ts.Expired(start, 500, ports.ComposeTimestamp(1500, 1<<18-1)))
	require.True(t, ts.Expired(start, 500, at(1501)))
	require.False(t, ts.Expired(start, 0, at(1000)))
	require.True(t, ts.Expired(start, 0, at(1001)))
}

// Somebody alive is never worth a wait of nothing: a caller that did not wait would
// spin until the next millisecond.
func TestUntilIsNeverZeroForTheLiving(t *testing.T) {
	require.Equal(t, time.Millisecond, ts.Until(at(1000), 500, at(1500)))
	require.Equal(t, 501*time.Millisecond, ts.Until(at(1000), 500, at(1000)))
	require.Zero(t, ts.Until(at(1000), 500, at(1501)))
	require.Equal(t, time.Duration(math.MaxInt64), ts.Until(at(1000), math.MaxUint64, at(0)))
	require.Equal(t, time.Duration(math.MaxInt64), ts.Until(at(maxPhysical/2), maxPhysical/2, at(0)))
}

func drawTS(t *rapid.T, name string) ports.Timestamp {
	return ports.Timestamp(rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(math.MaxUint64-5, math.MaxUint64),
		rapid.Uint64Range(0, 40<<ports.LogicalBits)).Draw(t, name))
}

// The dumb second implementation has numbers without an end.
func TestExpiredAgainstBigNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start, now := drawTS(t, "start"), drawTS(t, "now")
		ttl := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 40), rapid.Just(uint64(math.MaxUint64))).Draw(t, "ttl")
		end := new(big.Int).Add(big.NewInt(start.Physical()), new(big.Int).SetUint64(ttl))
		want := end.Cmp(big.NewInt(now.Physical())) < 0
		if got := ts.Expired(start, ttl, now); got != want {
			t.Fatalf("Expired(%d, %d, %d) = %v", start, ttl, now, got)
		}
		left := ts.Until(start, ttl, now)
		if (left == 0) != want {
			t.Fatalf("Until = %v where Expired = %v", left, want)
		}
		if want || left == math.MaxInt64 {
			return
		}
		if end.Cmp(big.NewInt(maxPhysical)) < 0 && !ts.Expired(start, ttl, ts.Add(now, left)) {
			t.Fatalf("still alive after %v", left)
		}
		if ts.Expired(start, ttl, ts.Add(now, left-time.Millisecond)) {
			t.Fatalf("dead before %v", left)
		}
	})
}

func TestArithmetic(t *testing.T) {
	require.Equal(t, ports.ComposeTimestamp(1500, 9), ts.Add(ports.ComposeTimestamp(1000, 9), 500*time.Millisecond))
	require.Equal(t, at(1000), ts.Add(at(1000), time.Millisecond-1))
	require.Equal(t, at(999), ts.Add(at(1000), -time.Millisecond))
	require.Equal(t, ports.Timestamp(0), ts.Add(at(1000), -2*time.Second))
	require.Equal(t, ports.MaxTimestamp, ts.Add(at(maxPhysical-1), time.Second))
	require.Equal(t, 250*time.Millisecond, ts.Sub(at(1250), ports.ComposeTimestamp(1000, 7)))
	require.Equal(t, -250*time.Millisecond, ts.Sub(at(1000), at(1250)))
	limit := time.Duration(math.MaxInt64/int64(time.Millisecond)) * time.Millisecond
	require.Equal(t, limit, ts.Sub(ports.MaxTimestamp, 0))
	require.Equal(t, -limit, ts.Sub(0, ports.MaxTimestamp))
}
