package sim

import (
	"bytes"
	"slices"
	"sort"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// region is a Raft group. Consensus itself is not simulated: whoever leads has every committed entry, and what is
// applied is applied everywhere.
type region struct {
	// Region is as the leader knows it; its slices are never changed.
	ports.Region
	// term counts leaders.
	term uint64
	// synced is the instant from which on the leader's store has a max_ts above all that other leaders have served
	// (components/raftstore: store/txn_ext.rs: MaxTsSyncStatus).
	synced ports.Instant
	// electing: an election is on its way.
	electing bool
	// inFlashback: only flashbacks and reads below flashbackStart are served.
	inFlashback    bool
	flashbackStart ports.Timestamp
	// merging is set while the region becomes part of a neighbour.
	merging *merger
	// moving is set while PD moves a peer; late are the peers that lack something.
	moving *mover
	late   []late
	safe   safePoint
	// cut is when the leader has lost its majority, 0 when it has one; stalled are requests that wait for one.
	cut     ports.Instant
	stalled []happening
	buckets bucketing
	// recovering: the leader was made one by force, and does nothing yet.
	recovering bool
}

func (r *region) extent() mvcc.Extent { return mvcc.Extent{Start: r.Range.Start, End: r.Range.End} }

// leader returns the leading peer, false when there is none.
func (r *region) leader() (ports.Peer, bool) {
	if r.Leader == 0 {
		return ports.Peer{}, false
	}
	return r.Peer(r.Leader)
}

// serving returns the leading peer, false when there is none, its store does not run, or it has lost its majority.
func (w *World) serving(r *region) (ports.Peer, bool) {
	leader, ok := r.leader()
	if !ok {
		return leader, false
	}
	s := w.store(leader.Store)
	return leader, s.up && !s.hung && r.cut == 0 && !r.recovering
}

// regionSet is all regions, in key order and by id.
type regionSet struct {
	ordered []*region
	byID    map[ports.RegionID]*region
}

// at returns the index of the region that holds a key of PD's key space.
func (s *regionSet) at(key []byte) int {
	return sort.Search(len(s.ordered), func(i int) bool {
		return bytes.Compare(s.ordered[i].Range.Start, key) > 0
	}) - 1
}

// remove takes out the region at an index.
func (s *regionSet) remove(i int) {
	delete(s.byID, s.ordered[i].ID)
	s.ordered = slices.Delete(s.ordered, i, i+1)
}

// populate makes the regions of a new cluster. A region has peers on three stores; leaders take turns.
func (w *World) populate() {
	w.regions.byID = map[ports.RegionID]*region{}
	var bounds [][]byte
	for _, key := range w.config.Splits {
		bounds = append(bounds, w.bound(key))
	}
	bounds = append(bounds, keyspaceBounds(w.config.Keyspaces)...)
	slices.SortFunc(bounds, bytes.Compare)
	bounds = slices.CompactFunc(bounds, bytes.Equal)
	var start []byte
	for i := 0; i <= len(bounds); i++ {
		r := &region{term: 1}
		r.Range.Start = start
		if i < len(bounds) {
			r.Range.End = bounds[i]
			start = bounds[i]
		}
		r.ID = ports.RegionID(w.newID())
		r.Epoch = ports.Epoch{ConfVer: 1, Version: 1}
		for p := range min(3, len(w.stores)) {
			r.Peers = append(r.Peers, ports.Peer{
				ID: ports.PeerID(w.newID()), Store: w.stores[(i+p)%len(w.stores)].id,
			})
		}
		r.Leader = r.Peers[0].ID
		w.regions.ordered = append(w.regions.ordered, r)
		w.regions.byID[r.ID] = r
	}
}

// bound returns a key as PD knows it.
func (w *World) bound(key []byte) []byte {
	if w.config.RawKeys {
		return bytes.Clone(key)
	}
	return mvcc.AppendEncoded(nil, key)
}

func (w *World) newID() uint64 {
	w.lastID++
	return w.lastID
}

// split cuts a region, unless it merges. The new region takes the lower half, the old one keeps the upper; both get the
// next version (raftstore: store/fsm/apply.rs: exec_batch_split with right_derive, TiKV's default), and the new one's
// leader is on the same store. See [Config.LeftDerive].
func (w *World) split(key []byte) bool {
	i := w.regions.at(key)
	old := w.regions.ordered[i]
	if bytes.Equal(old.Range.Start, key) || len(key) == 0 || old.merging != nil || old.cut != 0 || old.inFlashback {
		return false
	}
	half := &region{term: old.term, Region: old.Region}
	half.ID = ports.RegionID(w.newID())
	half.Peers = slices.Clone(old.Peers)
	for p := range half.Peers {
		half.Peers[p].ID = ports.PeerID(w.newID())
		if old.Peers[p].ID == old.Leader {
			half.Leader = half.Peers[p].ID
		}
		w.inherit(half, old, p)
	}
	old.Epoch.Version++
	half.Epoch.Version++
	old.forgetBuckets()
	at := bytes.Clone(key)
	if w.config.LeftDerive {
		half.Range.Start, old.Range.End = at, at
		i++
	} else {
		half.Range.End, old.Range.Start = at, at
	}
	w.regions.ordered = slices.Insert(w.regions.ordered, i, half)
	w.regions.byID[half.ID] = half
	w.count(FaultSplit)
	w.note(noteSplit, uint64(old.ID), uint64(half.ID), 0)
	if half.Leader == 0 {
		w.elect(half)
	}
	w.heartbeat()
	return true
}

// lead makes a peer the leader of its region.
func (w *World) lead(r *region, peer ports.PeerID) {
	r.Leader = peer
	r.term++
	w.cutOff(r, 0)
	w.onTime(r, peer)
	if w.severed > 0 {
		var view *mvcc.Engine
		w.separate(r, &view, 0)
	}
	w.syncMaxTS(r)
	r.forgetBuckets()
	w.note(noteLeader, uint64(r.ID), uint64(peer), r.term)
	w.heartbeat()
}

// syncMaxTS lets a new leader fetch a timestamp, because it does not know what the last one has served; until it has
// one, it takes neither async commit nor 1PC (raftstore: store/worker/pd.rs: handle_update_max_timestamp).
func (w *World) syncMaxTS(r *region) {
	r.synced = w.now + 16*travelTime
	if leader, ok := r.leader(); ok {
		s := w.store(leader.Store)
		s.maxTS = max(s.maxTS, w.pd.last)
	}
}

// elect lets a region find a leader, after the time that its followers need to notice.
func (w *World) elect(r *region) {
	if r.electing {
		return
	}
	r.electing = true
	wait := electionTime + electionTime/4*ports.Instant(w.chooser.Choose(SiteElection, 8))
	h := w.agenda.add(w.now + wait)
	h.kind, h.region = happenElection, r
}

func (w *World) onElection(r *region) {
	r.electing = false
	if _, led := w.serving(r); led || w.regions.byID[r.ID] != r || r.recovering {
		return
	}
	able := w.candidates(r, r.Peers)
	if len(able) == 0 {
		if r.cut != 0 {
			w.stepDown(r)
		}
		w.elect(r)
		return
	}
	w.forgetLocks(r, false)
	w.lead(r, able[w.choose(SiteCandidate, len(able))].ID)
}
