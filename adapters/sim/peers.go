package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// PeerChange is one change of a region's peers (raft_cmdpb.ChangePeerRequest).
type PeerChange struct {
	Store ports.StoreID
	Kind  PeerChangeKind
	// Witness: the peer that is added takes part in elections, but holds no data.
	Witness bool
}

// PeerChangeKind says what becomes of the peer on a store.
type PeerChangeKind uint8

// The changes. A learner that is to vote is promoted, a voter that is to learn is demoted.
const (
	ChangeToVoter PeerChangeKind = iota
	ChangeToLearner
	ChangeToNothing
)

// ChangePeers changes the peers of a region: one change is made at once, several lead into joint consensus, and none
// leads out of it. False: the changes make no sense, or it is not the time for them.
func (w *World) ChangePeers(id ports.RegionID, changes ...PeerChange) bool {
	r := w.regions.byID[id]
	if r == nil || !w.changeable(r, changes) {
		return false
	}
	peers, conf := w.changed(r, changes), len(changes)
	if conf == 0 {
		peers, conf = leaveJoint(r.Peers)
	}
	if peers == nil || len(w.candidates(r, peers)) == 0 {
		return false
	}
	w.count(FaultMovePeer)
	before := r.Peers
	r.Peers = peers
	// store/fsm/apply.rs: apply_conf_change, apply_leave_joint
	r.Epoch.ConfVer += uint64(conf)
	w.dismiss(r)
	for _, p := range peers {
		if !slices.ContainsFunc(before, func(o ports.Peer) bool { return o.ID == p.ID }) {
			w.awaken(r, p.ID, lateAbsent)
		}
	}
	w.note(notePeers, uint64(r.ID), r.Epoch.ConfVer, 0)
	w.heartbeat()
	return true
}

// changeable reports whether a region's leader proposes changes of peers now (store/peer.rs: propose_conf_change).
func (w *World) changeable(r *region, changes []PeerChange) bool {
	leader, led := w.serving(r)
	if !led || r.merging != nil || r.inFlashback || r.joint() != (len(changes) == 0) {
		return false
	}
	return len(changes) > 0 || leader.Role != ports.RoleDemotingVoter
}

// changed returns the peers after changes, nil if they cannot be made (store/util.rs: check_conf_change;
// store/fsm/apply.rs: apply_conf_change).
func (w *World) changed(r *region, changes []PeerChange) []ports.Peer {
	peers, joint, votes := slices.Clone(r.Peers), len(changes) > 1, false
	for n, c := range changes {
		if int(c.Store) > len(w.stores) || c.Store == 0 ||
			slices.ContainsFunc(changes[:n], func(o PeerChange) bool { return o.Store == c.Store }) {
			return nil
		}
		i := slices.IndexFunc(peers, func(p ports.Peer) bool { return p.Store == c.Store })
		if i < 0 {
			if c.Kind == ChangeToNothing {
				return nil
			}
			i = len(peers)
			peers = append(peers, ports.Peer{
				ID: ports.PeerID(w.newID()), Store: c.Store, Role: ports.RoleLearner, Witness: c.Witness,
			})
			if c.Kind == ChangeToLearner {
				continue
			}
		}
		p := &peers[i]
		votes = votes || p.Role == ports.RoleVoter || c.Kind == ChangeToVoter
		role, remove, ok := p.Role, false, false
		if p.ID != r.Leader || joint && c.Kind != ChangeToNothing {
			role, remove, ok = become(p.Role, c.Kind, joint)
		}
		switch {
		case !ok || !remove && p.Witness != c.Witness:
			return nil
		case remove:
			peers = slices.Delete(peers, i, i+1)
		default:
			p.Role = role
		}
	}
	if joint && !votes {
		return nil // nobody could tell from the roles that consensus is joint
	}
	return peers
}

// become returns the role of a peer after a change, or that it is removed.
func become(role ports.PeerRole, kind PeerChangeKind, joint bool) (now ports.PeerRole, remove, ok bool) {
	switch {
	case kind == ChangeToVoter && role == ports.RoleLearner && joint:
		return ports.RoleIncomingVoter, false, true
	case kind == ChangeToVoter && role == ports.RoleLearner:
		return ports.RoleVoter, false, true
	case kind == ChangeToLearner && role == ports.RoleVoter && joint:
		return ports.RoleDemotingVoter, false, true
	case kind == ChangeToLearner && role == ports.RoleVoter:
		return ports.RoleLearner, false, true
	case kind == ChangeToNothing:
		return role, true, !joint || role != ports.RoleVoter
	}
	return role, false, false
}

// leaveJoint returns the peers after joint consensus, and how many have another role then.
func leaveJoint(before []ports.Peer) (peers []ports.Peer, changed int) {
	peers = slices.Clone(before)
	for i := range peers {
		switch p := &peers[i]; p.Role {
		case ports.RoleIncomingVoter:
			p.Role = ports.RoleVoter
			changed++
		case ports.RoleDemotingVoter:
			p.Role = ports.RoleLearner
			changed++
		default:
		}
	}
	return peers, changed
}

// joint reports whether a region is in joint consensus.
func (r *region) joint() bool {
	return slices.ContainsFunc(r.Peers, func(p ports.Peer) bool {
		return p.Role == ports.RoleIncomingVoter || p.Role == ports.RoleDemotingVoter
	})
}

// candidates returns which of the peers can be elected. One that was cut off has not heard of everything, and loses
// against those that have.
func (w *World) candidates(r *region, peers []ports.Peer) []ports.Peer {
	var able []ports.Peer
	for _, p := range peers {
		l := r.lateness(p.ID)
		if p.Role != ports.RoleLearner && !p.Witness && (l == nil || !l.cut) && w.runs(r, p) && w.elects(r, peers, p) {
			able = append(able, p)
		}
	}
	return able
}
