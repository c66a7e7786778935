package app

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGate(t *testing.T) {
	var g gate
	require.Equal(t, entered, g.read())
	require.Equal(t, entered, g.read(), "reads run beside each other")
	require.Equal(t, occupied, g.write(), "a write runs alone")
	g.leaveRead()
	require.Equal(t, occupied, g.write())
	g.leaveRead()
	require.Equal(t, entered, g.write())
	require.Equal(t, occupied, g.read(), "nothing runs beside a write")
	require.Equal(t, occupied, g.write())
	require.Equal(t, occupied, g.abandon())
	g.leaveWrite()
	require.True(t, g.open())
	require.Equal(t, Unknown, g.outcome())

	require.Equal(t, entered, g.write())
	g.end(Committed)
	require.Equal(t, []entry{closed, closed, closed}, []entry{g.read(), g.write(), g.abandon()})
	require.False(t, g.open())
	require.Equal(t, Committed, g.outcome())
}

// Reads that still run when the transaction is abandoned leave without waking it up.
func TestGateAbandonedUnderReads(t *testing.T) {
	var g gate
	require.Equal(t, entered, g.read())
	require.Equal(t, entered, g.read())
	require.Equal(t, entered, g.abandon())
	g.leaveRead()
	g.leaveRead()
	require.Equal(t, []entry{closed, closed, closed}, []entry{g.read(), g.write(), g.abandon()})
	require.Equal(t, Aborted, g.outcome())
}

func TestGateDiscarded(t *testing.T) {
	var g gate
	require.Equal(t, entered, g.write())
	g.discard()
	require.Equal(t, closed, g.write())
	g.leaveWrite()
	require.Equal(t, closed, g.read(), "who leaves does not wake it up")
	require.Equal(t, Aborted, g.outcome())

	var ended gate
	require.Equal(t, entered, ended.write())
	ended.end(Unknown)
	ended.discard()
	require.Equal(t, Unknown, ended.outcome(), "what is known stays")
}

// Whoever was let in to write is alone: the race detector would see the others.
func TestGateExcludes(t *testing.T) {
	var g gate
	var shared, writes int
	var counting sync.Mutex
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for range 1000 {
				switch {
				case w == 0 && g.read() == entered:
					_ = shared
					g.leaveRead()
				case w > 0 && g.write() == entered:
					shared++
					g.leaveWrite()
					counting.Lock()
					writes++
					counting.Unlock()
				}
			}
		})
	}
	workers.Wait()
	require.Equal(t, writes, shared)
	require.Equal(t, entered, g.write())
}
