package sim

import "github.com/tikvx/tikvx/ports"

// DiskUsage says how full the disk of a store is (components/tikv_util/src/sys/disk.rs: DiskUsage).
type DiskUsage uint8

// The states of a disk.
const (
	DiskNormal DiskUsage = iota
	// DiskAlmostFull: writes that do not allow it are refused.
	DiskAlmostFull
	// DiskAlreadyFull: all writes are.
	DiskAlreadyFull
)

// SetDisk says how full the disk of a store is.
func (w *World) SetDisk(id ports.StoreID, usage DiskUsage) {
	s := w.store(id)
	if s.disk == usage {
		return
	}
	if s.disk == DiskNormal {
		w.count(FaultDiskFull)
		w.full++
	} else if usage == DiskNormal {
		w.full--
	}
	s.disk = usage
	w.note(noteDisk, uint64(id), uint64(usage), 0)
}

// refusesFull says whether a leader refuses a write for want of space: its own, or that of so many others that no
// majority has some. A leader without space hands over to somebody with (raftstore: store/peer.rs:
// check_normal_proposal_with_disk_full_opt, refill_disk_full_peers).
func (w *World) refusesFull(r *region, s *store, hdr *ports.Header, f *ports.RegionFault) bool {
	fits := func(usage DiskUsage) bool {
		return usage == DiskNormal || usage == DiskAlmostFull && hdr.AllowedOnAlmostFull
	}
	switch {
	case !fits(s.disk):
		*f = ports.RegionFault{Kind: ports.FaultDiskFull, Store: s.id}
		w.After(w.now+4*travelTime, func() { w.leaveFull(r) })
		return true
	case majority(r.Peers, func(p ports.Peer) bool { return p.Store == s.id || fits(w.store(p.Store).disk) }):
		return false
	}
	*f = ports.RegionFault{Kind: ports.FaultDiskFull}
	for _, p := range r.Peers {
		if w.store(p.Store).disk != DiskNormal && f.Store == 0 {
			f.Store = p.Store
		}
	}
	return true
}

// leaveFull transfers leadership to a peer with space, unless most have none.
func (w *World) leaveFull(r *region) {
	space := func(p ports.Peer) bool { return w.store(p.Store).disk == DiskNormal }
	leader, led := w.serving(r)
	if w.regions.byID[r.ID] != r || !led || space(leader) || !majority(r.Peers, space) {
		return
	}
	for _, p := range r.Peers {
		if id, ok := w.successor(r, p.Store); ok && space(p) {
			w.lead(r, id)
			return
		}
	}
}

// fillSomewhere lets the disk of a store be full for a while, one at a time.
func (w *World) fillSomewhere() {
	if w.full > 0 {
		return
	}
	id := w.stores[w.choose(SiteVictim, len(w.stores))].id
	w.SetDisk(id, DiskAlmostFull+DiskUsage(w.choose(SiteCandidate, 2)))
	w.After(w.now.Add(w.outage()), func() { w.SetDisk(id, DiskNormal) })
}
