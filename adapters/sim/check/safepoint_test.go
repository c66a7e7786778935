package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func TestSafePoints(t *testing.T) {
	state := func(k ports.KeyspaceID, txn, gc ports.Timestamp) ports.GCState {
		return ports.GCState{Keyspace: k, TxnSafePoint: txn, GCSafePoint: gc}
	}
	old := []ports.Lock{{StartTS: 20}}
	const null = ports.NullKeyspace
	for _, c := range []struct {
		what   string
		states []ports.GCState
		locks  []ports.Lock
		wrong  string
	}{
		{"they grow", []ports.GCState{state(null, 20, 0), state(null, 20, 19), state(null, 30, 19)}, old, ""},
		{"each keyspace has its own", []ports.GCState{state(null, 20, 0), state(1, 10, 5)}, nil, ""},
		{"a lock is younger", []ports.GCState{state(null, 20, 19)}, old, ""},
		{"a lock is younger and shared", []ports.GCState{state(null, 20, 19)}, []ports.Lock{{Shared: old}}, ""},
		{"the data of a keyspace goes by another one", []ports.GCState{state(1, 20, 20)}, old, ""},
		{"the txn safe point goes back", []ports.GCState{state(null, 20, 0), state(null, 19, 0)}, nil, "went back"},
		{"the GC safe point goes back", []ports.GCState{state(1, 20, 5), state(1, 20, 4)}, nil, "went back"},
		{"it is beyond", []ports.GCState{state(null, 20, 21)}, nil, "beyond"},
		{"a lock is left", []ports.GCState{state(null, 20, 20)}, old, "passed a lock of 20"},
		{"a shared lock is left", []ports.GCState{state(null, 20, 20)}, []ports.Lock{{Shared: old}}, "passed a lock of 20"},
	} {
		d := newDisk()
		for _, s := range c.states {
			d.SafePointMoved(s, c.locks)
		}
		if c.wrong == "" {
			require.Empty(t, d.Wrong(), c.what)
		} else {
			require.Len(t, d.Wrong(), 1, c.what)
			require.Contains(t, d.Wrong()[0], c.wrong)
		}
	}
	d := newDisk()
	d.SafePointMoved(state(null, 20, 20), nil)
	d.SafePointMoved(state(null, 30, 20), old)
	require.Empty(t, d.Wrong(), "a lock that came later was in nobody's way")
}
