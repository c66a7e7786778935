package txn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// TestLockFailure: which locks are worth resolving.
func TestLockFailure(t *testing.T) {
	lock := func(start ports.Timestamp) ports.Lock { return ports.Lock{Key: []byte("k"), StartTS: start} }
	for _, c := range []struct {
		name string
		lock ports.Lock
		want sm.FailureCode
	}{
		{"of an earlier transaction", lock(ms(999)), sm.FailNone},
		{"of this transaction", lock(ms(1000)), sm.FailProtocol},
		{"of a later transaction", lock(ms(1000) + 1), sm.FailConflict},
		{"shared by earlier ones", ports.Lock{StartTS: ms(2000), Shared: []ports.Lock{lock(ms(1)), lock(ms(2))}},
			sm.FailNone},
		{"shared, also by a later one", ports.Lock{Shared: []ports.Lock{lock(ms(1)), lock(ms(1001))}}, sm.FailConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := prewrite{prewriting: prewriting{terms: terms{start: ms(1000)}}}
			f := p.lockFailure(&ports.KeyError{Kind: ports.KeyLocked, Lock: c.lock})
			require.Equal(t, c.want, f.Code)
			if c.want == sm.FailConflict {
				require.Equal(t, ports.KeyWriteConflict, f.KeyError.Kind)
				require.Greater(t, f.KeyError.ConflictTS, ms(1000))
			}
		})
	}
}

// TestLead: the span with the primary is taken next, wherever it stands.
func TestLead(t *testing.T) {
	p := plan{planned: planned{keys: make([][]byte, 9)}}
	for i := range p.keys {
		p.keys[i] = []byte{byte('a' + i)}
	}
	p.queue = []span{{from: 6, to: 9}, {from: 2, to: 6}, {from: 0, to: 2}}
	require.True(t, p.lead(7))
	require.Equal(t, span{from: 6, to: 8}, p.take(2))
	require.False(t, p.lead(7), "it is with a worker")
	require.Equal(t, span{from: 8, to: 9}, p.take(2))
	require.True(t, p.lead(1))
	require.Equal(t, span{from: 0, to: 2}, p.take(100))
	require.Equal(t, span{from: 2, to: 3}, p.take(0), "a batch has a key at least")
	require.Equal(t, span{from: 3, to: 6}, p.take(100))
	require.Empty(t, p.queue)
}
