package read

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// A machine that waits for its next use holds nothing of the last one, not even
// behind the ends of its slices.
func TestBatchGetForgets(t *testing.T) {
	view, keys := regionsOf(20)
	env := benchEnv(view)
	var m BatchGet
	var out sm.Effects
	m.Init(keys, ms(100), Options{}, 20*second)
	m.Step(&env, &ports.Event{Kind: ports.EventStart}, &out)
	require.Len(t, m.workers, 20)
	m.Step(&env, &ports.Event{Kind: ports.EventCancel}, &out)
	require.True(t, m.Done())

	workers := cap(m.workers)
	m.Forget()
	kept := m
	m.groups, m.stale, m.queue, m.workers = BatchGet{}.groups, nil, nil, nil
	require.Equal(t, BatchGet{}, m)
	for _, w := range kept.workers[:workers] {
		require.Equal(t, batchWorker{}, w)
	}
	for _, s := range append(kept.stale[:cap(kept.stale)], kept.queue[:cap(kept.queue)]...) {
		require.Equal(t, span{}, s)
	}
	require.Empty(t, kept.groups.List())
}
