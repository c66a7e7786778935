package mvcc

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// TestRawLivesSaturate: a life that ends after the last second is one without an end
// (components/engine_traits/src/raw_ttl.rs: ttl_to_expire_ts).
func TestRawLivesSaturate(t *testing.T) {
	var e Engine
	r := e.Raw(100)
	key := []byte("k")
	r.Put(&ports.RawPutRequest{Key: key, TTL: math.MaxUint64 - 99}, &ports.RawWriteReply{})
	for _, now := range []uint64{101, 1 << 62} {
		var ttl ports.RawGetKeyTTLReply
		e.Raw(now).GetKeyTTL(&ports.RawGetKeyTTLRequest{Key: key}, &ttl)
		require.Equal(t, uint64(math.MaxUint64)-now, ttl.TTL)
	}
}

// TestRawKeysThatAreTooLarge: plain writes check the length of keys, before or after the family; atomic ones and reads
// do not (src/storage/mod.rs: check_key_size).
func TestRawKeysThatAreTooLarge(t *testing.T) {
	var e Engine
	r := e.Raw(1)
	short, long := bytes.Repeat([]byte("k"), 8192), bytes.Repeat([]byte("k"), 8193)
	const tooLarge = "max key size exceeded, size: 8193, limit: 8192"
	writes := map[string]func(key []byte, cf string, cas bool) string{
		"put": func(key []byte, cf string, cas bool) string {
			var reply ports.RawWriteReply
			r.Put(&ports.RawPutRequest{Key: key, CF: cf, ForCAS: cas}, &reply)
			return reply.Text
		},
		"batch put": func(key []byte, cf string, cas bool) string {
			var reply ports.RawWriteReply
			r.BatchPut(&ports.RawBatchPutRequest{Pairs: []ports.KV{{Key: []byte("a")}, {Key: key}}, CF: cf, ForCAS: cas}, &reply)
			return reply.Text
		},
		"delete": func(key []byte, cf string, cas bool) string {
			var reply ports.RawWriteReply
			r.Delete(&ports.RawDeleteRequest{Key: key, CF: cf, ForCAS: cas}, &reply)
			return reply.Text
		},
		"batch delete": func(key []byte, cf string, cas bool) string {
			var reply ports.RawWriteReply
			r.BatchDelete(&ports.RawBatchDeleteRequest{Keys: [][]byte{[]byte("b"), key}, CF: cf, ForCAS: cas}, &reply)
			return reply.Text
		},
	}
	familyFirst := map[string]bool{"batch put": true, "batch delete": true}
	for name, write := range writes {
		require.Empty(t, write(short, "", false), name)
		require.Equal(t, tooLarge, write(long, "", false), name)
		require.Empty(t, write(long, "", true), name)
		if text := write(long, "raft", false); familyFirst[name] {
			require.Equal(t, "invalid cf name: raft", text, name)
		} else {
			require.Equal(t, tooLarge, text, name)
		}
	}
	for _, req := range []*ports.RawDeleteRangeRequest{
		{Range: ports.KeyRange{Start: long}, CF: "raft"}, {Range: ports.KeyRange{End: long}},
	} {
		var reply ports.RawWriteReply
		r.DeleteRange(req, Extent{}, &reply)
		require.Equal(t, tooLarge, reply.Text)
	}
	e = Engine{}
	var swap ports.RawCompareAndSwapReply
	r.CompareAndSwap(&ports.RawCompareAndSwapRequest{Key: long, Value: long, PreviousAbsent: true}, &swap)
	require.True(t, swap.Succeeded)

	e = Engine{}
	writes["batch put"](long, "", false)
	require.Zero(t, e.RawLen(), "all of a batch, or nothing")
}

// TestRawSwapDeletes: of two absences nothing is written, and a key that has expired is absent
// (txn/commands/compare_and_swap.rs).
func TestRawSwapDeletes(t *testing.T) {
	var e Engine
	key := []byte("k")
	swap := func(now uint64, req ports.RawCompareAndSwapRequest) ports.RawCompareAndSwapReply {
		var reply ports.RawCompareAndSwapReply
		req.Key = key
		e.Raw(now).CompareAndSwap(&req, &reply)
		return reply
	}
	absent := ports.RawCompareAndSwapRequest{PreviousAbsent: true, Delete: true}
	require.Equal(t, ports.RawCompareAndSwapReply{Succeeded: true, PreviousAbsent: true}, swap(1, absent))
	require.Zero(t, e.RawLen())
	swap(1, ports.RawCompareAndSwapRequest{PreviousAbsent: true, Value: []byte("v"), TTL: 5})
	require.Equal(t, ports.RawCompareAndSwapReply{Previous: []byte("v")}, swap(5, absent))
	require.Equal(t, ports.RawCompareAndSwapReply{Succeeded: true, PreviousAbsent: true}, swap(6, absent), "expired")
	require.Equal(t, ports.RawCompareAndSwapReply{PreviousAbsent: true},
		swap(6, ports.RawCompareAndSwapRequest{Previous: []byte("v"), Delete: true}))
	swap(6, ports.RawCompareAndSwapRequest{PreviousAbsent: true})
	require.Equal(t, ports.RawCompareAndSwapReply{Succeeded: true, Previous: []byte{}},
		swap(6, ports.RawCompareAndSwapRequest{Previous: nil, Delete: true}), "an empty value is a value")
	require.Zero(t, e.RawLen())
}

// TestRawRangesThatHoldNothing: a scan finds nothing in them (src/storage/raw/store.rs), a range deletion is refused
// (raftstore: store/fsm/apply.rs: handle_delete_range).
func TestRawRangesThatHoldNothing(t *testing.T) {
	var e Engine
	r := e.Raw(1)
	r.Put(&ports.RawPutRequest{Key: []byte("k")}, &ports.RawWriteReply{})
	for _, bounds := range []string{"k k", "l k"} {
		from, to, _ := strings.Cut(bounds, " ")
		empty := ports.KeyRange{Start: []byte(from), End: []byte(to)}
		for _, reverse := range []bool{false, true} {
			var scan ports.RawScanReply
			r.Scan(&ports.RawScanRequest{Range: empty, Limit: 9, Reverse: reverse}, Extent{}, &scan)
			require.Empty(t, scan.Pairs)
		}
		var reply ports.RawWriteReply
		r.DeleteRange(&ports.RawDeleteRangeRequest{Range: empty}, Extent{}, &reply)
		require.Equal(t, ports.FaultOther, reply.Region().Kind)
		require.Contains(t, reply.Region().Text, "invalid delete range command")
	}
	require.Equal(t, 1, e.RawLen())
}
