package sim

import "github.com/tikvx/tikvx/ports"

// operator is a scatter of one region that runs (PD: pkg/schedule/scatter). Peers stay where they are; what is spread
// is leaders.
type operator struct {
	region ports.RegionID
	epoch  ports.Epoch
	group  string
}

// operatorTime is the unit of time that PD needs to have something done by a region.
const operatorTime = 4 * heartbeatTime

// scatter begins to spread the leaders of regions. A single region that PD does not know is refused, several are
// reported as failed, as is one without a leader, or with an operator for another purpose
// (PD: pkg/schedule/scatter/region_scatterer.go: ScatterRegionsByID, scatterWithOptions).
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
	if running := w.pd.operator(r.ID); running != nil {
		return running.group == group && running.epoch == r.Epoch
	}
	if r.Leader == 0 {
		return false
	}
	step := w.choose(SiteScatter, len(r.Peers))
	if step == 0 {
		return true
	}
	at := 0
	for i := range r.Peers {
		if r.Peers[i].ID == r.Leader {
			at = i
		}
	}
	to := r.Peers[(at+step)%len(r.Peers)].Store
	w.pd.operators = append(w.pd.operators, operator{region: r.ID, epoch: r.Epoch, group: group})
	w.After(w.now+operatorTime*ports.Instant(1+w.choose(SiteDelay, 16)), func() {
		w.pd.endOperator(r.ID)
		w.Transfer(r.ID, to)
	})
	return true
}

func (d *driver) operator(id ports.RegionID) *operator {
	for i := range d.operators {
		if d.operators[i].region == id {
			return &d.operators[i]
		}
	}
	return nil
}

func (d *driver) endOperator(id ports.RegionID) {
	for i := range d.operators {
		if d.operators[i].region == id {
			d.operators = append(d.operators[:i], d.operators[i+1:]...)
			return
		}
	}
}

// tellScattering says whether the operator of a region is a scatter that runs; for one without an operator PD says that
// it was not found, which is the same to a client (PD: server/grpc_service.go: GetOperator).
func (w *World) tellScattering(req *ports.AdminRequest, a *ports.AdminReply) {
	a.Scattering = w.pd.operator(req.Region) != nil
}
