package backoff

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// TestCurves holds every kind against the table of client-go's curves
// (client-go: config/retry/config.go), in milliseconds.
func TestCurves(t *testing.T) {
	seen := map[string]bool{}
	for kind, want := range map[Kind]struct {
		name        string
		base, limit int
		jitter      Jitter
	}{
		TiKVRPC:              {"tikvRPC", 100, 2000, JitterEqual},
		PDRPC:                {"pdRPC", 500, 3000, JitterEqual},
		TxnLock:              {"txnLock", 100, 3000, JitterEqual},
		TxnLockFast:          {"txnLockFast", 10, 3000, JitterEqual},
		TxnNotFound:          {"txnNotFound", 2, 500, JitterNone},
		RegionMiss:           {"regionMiss", 2, 500, JitterNone},
		RegionScheduling:     {"regionScheduling", 2, 500, JitterNone},
		ServerBusy:           {"tikvServerBusy", 2000, 10000, JitterEqual},
		DiskFull:             {"tikvDiskFull", 500, 5000, JitterNone},
		RecoveryInProgress:   {"regionRecoveryInProgress", 100, 10000, JitterEqual},
		StaleCommand:         {"staleCommand", 2, 1000, JitterNone},
		MaxTSNotSynced:       {"maxTsNotSynced", 2, 500, JitterNone},
		CommitTSLag:          {"commitTSLag", 2, 500, JitterNone},
		RegionNotInitialized: {"regionNotInitialized", 2, 1000, JitterNone},
		IsWitness:            {"isWitness", 1000, 10000, JitterEqual},
	} {
		require.Equal(t, want.name, kind.String())
		base, limit, jitter := Curve(kind)
		require.Equal(t, time.Duration(want.base)*time.Millisecond, base, want.name)
		require.Equal(t, time.Duration(want.limit)*time.Millisecond, limit, want.name)
		require.Equal(t, want.jitter, jitter, want.name)
		seen[want.name] = true
	}
	require.Len(t, seen, Kinds, "kinds without a curve")
	base, limit, _ := Curve(Kind(Kinds))
	require.Zero(t, base+limit)
	require.Equal(t, "invalid", Kind(Kinds).String())
	require.Equal(t, "invalid", Kind(Kinds+1).String())
}

// pauseOf is the n-th pause of a curve by its definition, before jitter.
func pauseOf(kind Kind, n int) time.Duration {
	base, limit, _ := Curve(kind)
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}

// TestPauses draws sequences of pauses of several kinds: each kind grows by its own
// curve whatever the others do, and jitter takes at most the second half.
func TestPauses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Backoff
		rnd := sm.NewRand(rapid.Uint64().Draw(t, "seed"))
		counts := [Kinds]int{}
		for range rapid.IntRange(1, 60).Draw(t, "pauses") {
			kind := Kind(rapid.IntRange(0, Kinds-1).Draw(t, "kind"))
			if rapid.IntRange(0, 9).Draw(t, "reset") == 0 {
				b.Reset(kind)
				counts[kind] = 0
			}
			ceiling := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 1000}).Draw(t, "ceiling")) * time.Millisecond
			got, want := b.Next(kind, &rnd, ceiling), pauseOf(kind, counts[kind])
			counts[kind]++
			low := want
			if _, _, jitter := Curve(kind); jitter == JitterEqual {
				low = want / 2
			}
			if ceiling > 0 {
				low, want = min(low, ceiling), min(want, ceiling)
			}
			if got < low || got > want {
				t.Fatalf("pause %d of %s: %s, want %s to %s", counts[kind], kind, got, low, want)
			}
			if b.Count(kind) != counts[kind] {
				t.Fatalf("count %d, want %d", b.Count(kind), counts[kind])
			}
		}
	})
}

// TestJitterSpreads: pauses with jitter fill their range, those without are exact.
func TestJitterSpreads(t *testing.T) {
	for kind := range Kind(Kinds) {
		rnd := sm.NewRand(1)
		low, high := time.Hour, time.Duration(0)
		for range 1000 {
			var b Backoff
			pause := b.Next(kind, &rnd, 0)
			low, high = min(low, pause), max(high, pause)
		}
		base, _, jitter := Curve(kind)
		if jitter == JitterNone {
			require.Equal(t, base, low, kind.String())
			require.Equal(t, base, high, kind.String())
			continue
		}
		require.Less(t, low, base/2+base/20, kind.String())
		require.Greater(t, high, base-base/20, kind.String())
		require.GreaterOrEqual(t, low, base/2, kind.String())
		require.Less(t, high, base, kind.String())
	}
}

// TestManyPauses: however often an operation pauses, a pause is never beyond its limit.
func TestManyPauses(t *testing.T) {
	var b Backoff
	rnd := sm.NewRand(1)
	for range 300 {
		require.LessOrEqual(t, b.Next(RegionMiss, &rnd, 0), 500*time.Millisecond)
	}
	require.Equal(t, 255, b.Count(RegionMiss), "the count stops, the pauses do not")
	require.Equal(t, 500*time.Millisecond, b.Next(RegionMiss, &rnd, 0))
}

// TestUntil: the deadline is the only budget, and a pause never passes it.
func TestUntil(t *testing.T) {
	const now, second = ports.Instant(100), time.Second
	require.Equal(t, now.Add(second), Until(now, second, ports.Never))
	require.Equal(t, now.Add(second), Until(now, second, now.Add(second)))
	require.Equal(t, now.Add(second/2), Until(now, second, now.Add(second/2)), "cut at the deadline")
	require.Equal(t, now, Until(now, second, now-50), "not into the past")
	require.Equal(t, ports.Never, Until(ports.Never-1, second, ports.Never), "no overflow")
}

// TestFingerprint: every count is part of the state.
func TestFingerprint(t *testing.T) {
	sum := func(b Backoff) uint64 {
		h := sm.NewHash()
		b.Fingerprint(h)
		return h.Sum()
	}
	sums := map[uint64]bool{sum(Backoff{}): true}
	rnd := sm.NewRand(1)
	for kind := range Kind(Kinds) {
		var b Backoff
		b.Next(kind, &rnd, 0)
		sums[sum(b)] = true
	}
	require.Len(t, sums, Kinds+1)
}
