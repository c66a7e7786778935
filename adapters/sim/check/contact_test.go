package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/ports"
)

// TestContact: whoever has met no expired lock of a transaction must not roll it back for not being found.
func TestContact(t *testing.T) {
	const start = 100 // ms
	ts := func(ms int64) ports.Timestamp { return ports.ComposeTimestamp(ms, 0) }
	now := ts(1000)
	locked := func(ttl uint64) *ports.KeyError {
		return &ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{StartTS: ts(start), TTL: ttl}}
	}
	order := &ports.CheckTxnStatusRequest{LockTS: ts(start), CurrentTS: now, RollbackIfNotExist: true}
	shown := func(m *check.Invariants, ttl uint64) map[string]func() {
		return map[string]func(){
			"get":       func() { m.Answered(&ports.GetRequest{}, &ports.GetReply{Err: locked(ttl)}) },
			"batch get": func() { m.Answered(&ports.BatchGetRequest{}, &ports.BatchGetReply{Err: locked(ttl)}) },
			"pairs": func() {
				m.Answered(&ports.BatchGetRequest{}, &ports.BatchGetReply{Pairs: []ports.Pair{{}, {Err: locked(ttl)}}})
			},
			"scan": func() {
				m.Answered(&ports.ScanRequest{}, &ports.ScanReply{Pairs: []ports.Pair{{Err: locked(ttl)}}})
			},
			"prewrite": func() {
				m.Answered(&ports.PrewriteRequest{}, &ports.PrewriteReply{Errors: []ports.KeyError{*locked(ttl)}})
			},
			"scan lock": func() {
				m.Answered(&ports.ScanLockRequest{}, &ports.ScanLockReply{Locks: []ports.Lock{locked(ttl).Lock}})
			},
			"shared": func() {
				e := &ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{Shared: []ports.Lock{locked(ttl).Lock}}}
				m.Answered(&ports.GetRequest{}, &ports.GetReply{Err: e})
			},
		}
	}
	monitor := func() *check.Invariants {
		return check.NewInvariants(newDisk(), func() ports.Timestamp { return now })
	}
	for name := range shown(monitor(), 0) {
		m := monitor()
		shown(m, 899)[name]()
		m.Submitted(order)
		require.Empty(t, m.Wrong(), name)

		m = monitor()
		shown(m, 900)[name]()
		m.Submitted(&ports.CheckTxnStatusRequest{LockTS: ts(start), CurrentTS: now})
		require.Empty(t, m.Wrong(), name)
		m.Submitted(order)
		require.Len(t, m.Wrong(), 1, name)
		require.Contains(t, m.Wrong()[0], "is to be rolled back unless it is found")
	}
	m := monitor()
	m.Submitted(order)
	require.Len(t, m.Wrong(), 1, "nobody has seen anything")
}

// TestLocking: a lock lives on from when it is written, whenever that is.
func TestLocking(t *testing.T) {
	prewrite := func(ttl uint64) *ports.PrewriteRequest { return &ports.PrewriteRequest{StartTS: 10, TTL: ttl} }
	at := func(ms int) ports.Instant { return ports.Instant(1).Add(time.Duration(ms) * time.Millisecond) }
	d := newDisk()
	d.Locking(prewrite(5), at(0))
	d.Locking(prewrite(5), at(5))
	d.Locking(prewrite(9), at(9))
	require.Empty(t, d.Wrong())
	d.Locking(prewrite(5), at(6))
	require.Len(t, d.Wrong(), 1)
	require.Contains(t, d.Wrong()[0], "10 locks keys for 5 ms after its start, which is 6 ms ago")
}

// TestWorking: whoever goes on for longer than its locks live keeps them alive.
func TestWorking(t *testing.T) {
	q := &ports.PrewriteRequest{
		StartTS: 10, TTL: 400, Primary: []byte("a"), Mutations: []ports.Mutation{{Key: []byte("a")}},
	}
	other := *q
	other.Mutations = []ports.Mutation{{Key: []byte("b")}}
	at := func(ms int) ports.Instant { return ports.Instant(1).Add(time.Duration(ms) * time.Millisecond) }
	refused := &ports.PrewriteReply{Errors: []ports.KeyError{{}}}
	elsewhere := &ports.PrewriteReply{ReplyHeader: ports.ReplyHeader{Fault: &ports.RegionFault{}}}

	d := newDisk()
	d.Locked(&other, &ports.PrewriteReply{}, at(0))
	d.Locked(q, refused, at(0))
	d.Locked(q, elsewhere, at(0))
	d.Working(10, at(5000))
	d.Locked(q, &ports.PrewriteReply{}, at(5000))
	d.Working(10, at(6000))
	require.Empty(t, d.Wrong())
	d.Working(10, at(6001))
	require.Len(t, d.Wrong(), 1)
	require.Contains(t, d.Wrong()[0], "10 has locked its primary for 400ms, 1.001s ago, and does not keep it alive")
	d.Beaten(10)
	d.Working(10, at(9000))
	require.Len(t, d.Wrong(), 1)
}
