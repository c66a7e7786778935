package ports_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func TestInstantDoesNotOverflow(t *testing.T) {
	require.Equal(t, ports.Instant(15), ports.Instant(10).Add(5))
	require.Equal(t, ports.Instant(5), ports.Instant(10).Add(-5))
	require.Equal(t, ports.Never, ports.Never.Add(time.Second))
	require.Equal(t, ports.Never, ports.Instant(math.MaxInt64-3).Add(4))
	require.Equal(t, 7*time.Nanosecond, ports.Instant(10).Sub(3))
}

func TestKeyRange(t *testing.T) {
	tests := []struct {
		name       string
		start, end string
		holds      []string
		lacks      []string
		empty      bool
	}{
		{name: "all", holds: []string{"", "a", "\xff\xff"}},
		{name: "from", start: "b", holds: []string{"b", "c"}, lacks: []string{"", "a\xff"}},
		{name: "until", end: "b", holds: []string{"", "a\xff"}, lacks: []string{"b", "c"}},
		{name: "between", start: "a", end: "b", holds: []string{"a", "a\x00"}, lacks: []string{"", "b"}},
		{name: "same bounds", start: "a", end: "a", lacks: []string{"a"}, empty: true},
		{name: "turned round", start: "b", end: "a", lacks: []string{"a", "b"}, empty: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ports.KeyRange{Start: []byte(tt.start), End: []byte(tt.end)}
			require.Equal(t, tt.empty, r.Empty())
			for _, k := range tt.holds {
				require.True(t, r.Contains([]byte(k)), "%q", k)
			}
			for _, k := range tt.lacks {
				require.False(t, r.Contains([]byte(k)), "%q", k)
			}
		})
	}
}

func TestTimestampParts(t *testing.T) {
	ts := ports.ComposeTimestamp(1_700_000_000_123, 77)
	require.EqualValues(t, 1_700_000_000_123, ts.Physical())
	require.EqualValues(t, 77, ts.Logical())
	require.Greater(t, ports.ComposeTimestamp(5, 0), ports.ComposeTimestamp(4, 1<<18-1))
}

func TestReadableTimestamps(t *testing.T) {
	for ts, readable := range map[ports.Timestamp]bool{
		0: false, 1: true, math.MaxInt64 - 1: true, math.MaxInt64: false,
		math.MaxUint64 - 1: false, ports.MaxTimestamp: true,
	} {
		require.Equal(t, readable, ts.Readable(), "%d", uint64(ts))
	}
}

func TestEpochOrder(t *testing.T) {
	old := ports.Epoch{ConfVer: 2, Version: 5}
	require.True(t, ports.Epoch{ConfVer: 3, Version: 5}.Newer(old))
	require.True(t, ports.Epoch{ConfVer: 2, Version: 6}.Newer(old))
	require.False(t, old.Newer(old), "equal")
	require.False(t, ports.Epoch{ConfVer: 3, Version: 4}.Newer(old), "ahead in one part and behind in the other")
}

func TestPeersOfRegion(t *testing.T) {
	r := ports.Region{Peers: []ports.Peer{{ID: 11, Store: 1}, {ID: 12, Store: 2}}}
	p, ok := r.Peer(12)
	require.True(t, ok)
	require.EqualValues(t, 2, p.Store)
	p, ok = r.PeerOn(1)
	require.True(t, ok)
	require.EqualValues(t, 11, p.ID)
	_, ok = r.Peer(13)
	require.False(t, ok)
	_, ok = r.PeerOn(3)
	require.False(t, ok)
}

func TestAddressHoldsEightHops(t *testing.T) {
	var a ports.Addr
	for depth := range ports.MaxHops {
		a = a.With(depth, uint8(0xF0+depth))
	}
	for depth := range ports.MaxHops {
		require.Equal(t, uint8(0xF0+depth), a.Hop(depth))
	}
}

// TestFaultsThatProveNothing pins down which region errors leave a write in
// doubt; a kind that is added must be classified here.
func TestFaultsThatProveNothing(t *testing.T) {
	doubt := map[ports.FaultKind]bool{ports.FaultUndeterminedResult: true, ports.FaultStaleCommand: true}
	doubtAtDeadline := map[ports.FaultKind]bool{ports.FaultServerIsBusy: true, ports.FaultOther: true}
	for k := range ports.FaultKind(ports.FaultKinds) {
		require.Equal(t, doubt[k], (&ports.RegionFault{Kind: k}).MayBeApplied(), "kind %d", k)
		late := &ports.RegionFault{Kind: k, Deadline: true}
		require.Equal(t, doubt[k] || doubtAtDeadline[k], late.MayBeApplied(), "kind %d", k)
	}
}

func TestPessimisticLocks(t *testing.T) {
	for k := ports.KindPut; k <= ports.KindSharedPessimisticLock; k++ {
		want := k == ports.KindPessimisticLock || k == ports.KindSharedPessimisticLock
		require.Equal(t, want, (&ports.Lock{Kind: k}).Pessimistic(), "kind %d", k)
	}
}

func TestKeyRangesOverlap(t *testing.T) {
	span := func(start, end string) ports.KeyRange { return ports.KeyRange{Start: []byte(start), End: []byte(end)} }
	for _, c := range []struct {
		a, b ports.KeyRange
		want bool
	}{
		{span("", ""), span("", ""), true},
		{span("a", "c"), span("b", ""), true},
		{span("a", "c"), span("c", ""), false},
		{span("a", "c"), span("", "b"), true},
		{span("a", ""), span("", "a"), false},
	} {
		require.Equal(t, c.want, c.a.Overlaps(c.b))
		require.Equal(t, c.want, c.b.Overlaps(c.a))
	}
}
