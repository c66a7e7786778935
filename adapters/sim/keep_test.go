package sim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// A lock in the memory of a leader is gone with it, unless that hands over in peace and has the time to write it down.
func TestLocksInMemory(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *World, r *region)
		chosen chosen
		kept   bool
	}{
		"transfer": {
			change: func(w *World, r *region) { w.Transfer(r.ID, r.Peers[1].Store) }, chosen: chosen{SiteKeep: {1}}, kept: true,
		},
		"hasty transfer": {
			change: func(w *World, r *region) { w.Transfer(r.ID, r.Peers[1].Store) },
			chosen: chosen{SiteKeep: {1}, SiteHandOver: {1}},
		},
		"crash": {
			change: func(w *World, r *region) { w.Crash(r.Peers[0].Store) }, chosen: chosen{SiteKeep: {1}},
		},
		"crash of a leader that has replicated it": {
			change: func(w *World, r *region) { w.Crash(r.Peers[0].Store) }, chosen: chosen{}, kept: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, Config{Chooser: c.chosen, Faults: FaultsOf(FaultLostLock)})
			s.hold(lockOf(10, "k"))
			require.NotNil(t, s.w.Lock([]byte("k")))
			c.change(s.w, s.w.regions.ordered[0])
			s.rest()
			require.Equal(t, c.kept, s.w.Lock([]byte("k")) != nil)
			counts := s.w.Counts()
			require.Equal(t, !c.kept, counts[FaultLostLock] == 1)
			if c.kept {
				return
			}
			lost := s.send(&ports.PrewriteRequest{
				Mutations: []ports.Mutation{{Key: []byte("k")}}, Primary: []byte("k"), StartTS: 10, ForUpdateTS: 10,
				Actions: []ports.PessimisticAction{ports.DoPessimisticCheck},
			})
			require.Empty(t, s.await(lost).Reply.(*ports.PrewriteReply).Errors, "made good by the prewrite")
		})
	}
}

// A lock that is answered before it is replicated may never be; so may one that was waited for.
func TestAnsweredAndLost(t *testing.T) {
	choices := chosen{}
	s := newStation(t, Config{Chooser: choices, Faults: FaultsOf(FaultLostLock)})
	choices[SiteKeep] = []int{2}
	s.hold(lockOf(10, "k"))
	require.Nil(t, s.w.Lock([]byte("k")))

	s.hold(lockOf(10, "k"))
	gens := s.wait(forced(lockOf(20, "k")))
	choices[SiteKeep] = []int{2}
	s.release(10, "k")
	require.Empty(t, s.locked(gens[0]).Errors)
	require.Nil(t, s.w.Lock([]byte("k")))
	s.noWaits()
}

// A region that is to merge writes down what is in its leader's memory.
func TestLocksInMemoryBeforeAMerge(t *testing.T) {
	s := newStation(t, Config{
		Chooser: chosen{SiteKeep: {1}}, Faults: FaultsOf(FaultLostLock), Splits: [][]byte{[]byte("x")},
	})
	s.hold(lockOf(10, "k"))
	first, second := s.w.regions.ordered[0], s.w.regions.ordered[1]
	s.w.Transfer(second.ID, first.Peers[0].Store)
	require.True(t, s.w.engine.InMemory(first.extent()))
	require.True(t, s.w.Merge(first.ID, second.ID))
	s.rest()
	require.False(t, s.w.engine.InMemory(second.extent()))
	require.NotNil(t, s.w.Lock([]byte("k")))
}
