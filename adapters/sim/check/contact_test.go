package check_test

import (
	"testing"

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
