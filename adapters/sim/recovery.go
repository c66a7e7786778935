package sim

import "github.com/tikvx/tikvx/ports"

// Recover lets a region that has lost its majority go on with what is left, as an operator does who has given the
// stores up (pd-ctl unsafe remove-failed-stores): a peer leads by force, and refuses everything until the others are no
// members any more. False: there is a majority, or nobody is left.
func (w *World) Recover(id ports.RegionID) bool {
	r := w.regions.byID[id]
	if r == nil || r.recovering || len(w.candidates(r, r.Peers)) > 0 {
		return false
	}
	for _, p := range r.Peers {
		if p.Role == ports.RoleLearner || p.Witness || !w.runs(r, p) {
			continue
		}
		r.recovering = true
		w.lead(r, p.ID)
		w.After(w.now+operatorTime*ports.Instant(1+w.choose(SiteMovePeer, 16)), func() { w.recovered(r, p.ID) })
		return true
	}
	return false
}

// recovered ends a recovery, if its leader still leads: the peers of failed stores are removed.
func (w *World) recovered(r *region, leader ports.PeerID) {
	if !r.recovering || r.Leader != leader {
		return
	}
	r.recovering = false
	var left []ports.Peer
	for _, p := range r.Peers {
		if !w.runs(r, p) {
			continue
		}
		if p.Role != ports.RoleLearner {
			p.Role = ports.RoleVoter
		}
		left = append(left, p)
	}
	r.Epoch.ConfVer += uint64(len(r.Peers) - len(left))
	r.Peers = left
	w.dismiss(r)
	w.note(notePeers, uint64(r.ID), r.Epoch.ConfVer, 0)
	w.heartbeat()
}
