package run

import (
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/core/sm"
)

// shortLife is the life of a lock below which its transaction may lose it in the middle of an ordinary commit.
const shortLife = 100 * time.Millisecond

// knobs draws the clients' limits: batches, pages, caches and patience of any size
// must give the same guarantees. The first of each list is production's.
func knobs(w *sim.World) sm.Knobs {
	k := sm.DefaultKnobs()
	k.RequestTimeout = draw(w, k.RequestTimeout, 5*time.Second, time.Second, 200*time.Millisecond)
	k.ScanTimeout = draw(w, k.ScanTimeout, k.RequestTimeout)
	k.PDTimeout = draw(w, k.PDTimeout, 500*time.Millisecond)
	k.RegionTTL = draw(w, k.RegionTTL, time.Second)
	k.RegionTTLJitter = k.RegionTTL / 10
	k.RegionsPerLoad = draw(w, k.RegionsPerLoad, 2)
	k.Workers = draw(w, k.Workers, 4, 1)
	k.CommitBatchBytes = draw(w, k.CommitBatchBytes, 256, 1)
	k.BatchGetKeys = draw(w, k.BatchGetKeys, 3)
	k.ScanPage = draw(w, k.ScanPage, 5, 1)
	k.ResolveLiteKeys = draw(w, k.ResolveLiteKeys, 2)
	k.TxnStatusEntries = draw(w, k.TxnStatusEntries, 4)
	k.LockTTL = draw(w, k.LockTTL, 500*time.Millisecond, 2*time.Millisecond)
	if k.LockTTL < shortLife {
		k.MaxLockTTL = k.LockTTL // or the size of any transaction would earn it as much
	}
	return k
}

func draw[T any](w *sim.World, values ...T) T {
	return values[w.Choose(sim.SiteWorkload, len(values))]
}
