package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// operator is a scatter of one region that runs (PD: pkg/schedule/scatter): another peer shall lead, or a peer moves to
// a store that has none.
type operator struct {
	region ports.RegionID
	epoch  ports.Epoch
	group  string
	// moves: it runs as long as the region's peers move.
	moves bool
}

// operatorTime is the unit of time that PD needs to have something done by a region.
const operatorTime = 4 * heartbeatTime

// scatter begins to spread regions. A single region that PD does not know is refused, several are reported as failed,
// as is one without a leader, or with an operator for another purpose (PD: pkg/schedule/scatter/region_scatterer.go:
// ScatterRegionsByID, scatterWithOptions).
func (w *World) scatter(req *ports.AdminRequest, a *ports.AdminReply) {
	if len(req.Regions) == 0 || len(req.Regions) == 1 && w.regions.byID[req.Regions[0]] == nil {
		refused(a, ports.AdminRefusedNoRegion)
		return
	}
	known := false
	for _, id := range req.Regions {
		r := w.regions.byID[id]
		known = known || r != nil
		if r == nil || !w.scatterRegion(r, req.Group) {
			a.Failed = append(a.Failed, id)
		}
	}
	if !known {
		refused(a, ports.AdminRefusedOther)
	}
}

// scatterRegion lets a region begin, and reports whether PD has nothing against it. Choice 0 is that it lies well
// already, as most regions do.
func (w *World) scatterRegion(r *region, group string) bool {
	switch running := w.scattering(r.ID); {
	case running != nil:
		return running.group == group && running.epoch == r.Epoch
	case r.Leader == 0 || r.moving != nil || r.merging != nil:
		return false
	}
	at := slices.IndexFunc(r.Peers, func(p ports.Peer) bool { return p.ID == r.Leader })
	next := r.Peers[(at+1)%len(r.Peers)].Store
	vacant := w.vacant(r, next)
	vacant = vacant[:len(vacant)-1]
	choice := w.choose(SiteScatter, len(r.Peers)+len(vacant))
	op := operator{region: r.ID, epoch: r.Epoch, group: group, moves: choice >= len(r.Peers)}
	switch {
	case choice == 0:
		return true
	case op.moves:
		if !w.MovePeer(r.ID, next, vacant[choice-len(r.Peers)]) {
			return true
		}
	default:
		to := r.Peers[(at+choice)%len(r.Peers)].Store
		w.After(w.now+operatorTime*ports.Instant(1+w.choose(SiteDelay, 16)), func() {
			w.pd.endOperator(r.ID)
			w.Transfer(r.ID, to)
		})
	}
	w.pd.operators = append(w.pd.operators, op)
	return true
}

// scattering returns the operator that scatters a region, nil when there is none, or no more.
func (w *World) scattering(id ports.RegionID) *operator {
	i := slices.IndexFunc(w.pd.operators, func(op operator) bool { return op.region == id })
	if i < 0 {
		return nil
	}
	if r := w.regions.byID[id]; w.pd.operators[i].moves && (r == nil || r.moving == nil) {
		w.pd.endOperator(id)
		return nil
	}
	return &w.pd.operators[i]
}

func (d *driver) endOperator(id ports.RegionID) {
	d.operators = slices.DeleteFunc(d.operators, func(op operator) bool { return op.region == id })
}

// tellScattering says whether the operator of a region is a scatter that runs; for one without an operator PD says that
// it was not found, which is the same to a client (PD: server/grpc_service.go: GetOperator).
func (w *World) tellScattering(req *ports.AdminRequest, a *ports.AdminReply) {
	a.Scattering = w.scattering(req.Region) != nil
}
