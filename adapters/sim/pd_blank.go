package sim

import (
	"slices"
	"time"
)

// blank takes something out of an answer of PD: leaders and addresses, which it does not know yet after a restart,
// since what it keeps on disk has none (pkg/core/region.go, pkg/storage/endpoint/meta.go), or everything, as when it
// has not heard of a region (server/grpc_service.go: GetRegion, whose answer is then empty).
func (w *World) blank(q *question) {
	switch w.choice(SiteBlankPD, 3) {
	case 0:
		return
	case 1:
		q.regions, q.stores = slices.Clone(q.regions), slices.Clone(q.stores)
		for i := range q.regions {
			q.regions[i].Leader = 0
		}
		for i := range q.stores {
			q.stores[i].Address = ""
		}
	case 2:
		q.regions, q.stores = nil, nil
	}
	w.count(FaultBlankPD)
}

// LagPD lets PD's followers hear nothing for a time, or, when it is [ports.Forever], until [World.ResumePD]: whoever
// does not ask for fresh answers is told what they know (pkg/syncer/client.go).
func (w *World) LagPD(d time.Duration) {
	w.count(FaultLagPD)
	if w.pd.lagging == nil {
		known := w.pd.known[len(w.pd.known)-1]
		w.pd.lagging = &known
	}
	w.endPDOutage(d)
}
