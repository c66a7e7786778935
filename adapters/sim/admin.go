package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Administer implements [ports.Admin].
func (c *Client) Administer(req *ports.AdminRequest, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	q := c.question(deadline, tok, sink)
	kept := *req
	kept.Regions = slices.Clone(req.Regions)
	q.admin = &kept
	c.world.ask(q, happenAsked)
}

// Administer implements [ports.Admin].
func (c *WallClient) Administer(req *ports.AdminRequest, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.wall.Do(func(*World) { c.client.Administer(req, deadline, tok, sink) })
}

// onAdministered lets PD do what it is asked to; its answer may still be lost.
func (w *World) onAdministered(q *question) {
	q.answer = w.administer(q.admin)
	w.note(noteAdmin, uint64(q.admin.Kind), uint64(q.answer.Refusal), uint64(q.admin.TS))
	w.tell(q, w.now+w.pdTravel())
}

// administer does at once what PD is asked to.
func (w *World) administer(req *ports.AdminRequest) *ports.AdminReply {
	a := &ports.AdminReply{}
	switch req.Kind {
	case ports.AdminGCState:
		w.tellGCState(req, a)
	case ports.AdminAdvanceTxnSafePoint:
		w.advanceTxnSafePoint(req, a)
	case ports.AdminAdvanceGCSafePoint:
		w.advanceGCSafePoint(req, a)
	case ports.AdminSetBarrier:
		w.setBarrier(req, a)
	case ports.AdminDeleteBarrier:
		w.deleteBarrier(req, a)
	case ports.AdminSetGlobalBarrier:
		w.setGlobalBarrier(req, a)
	case ports.AdminDeleteGlobalBarrier:
		w.deleteGlobalBarrier(req, a)
	case ports.AdminKeyspace:
		w.tellKeyspace(a, func(k *ports.Keyspace) bool { return k.Name == req.Name })
	case ports.AdminKeyspaceByID:
		w.tellKeyspace(a, func(k *ports.Keyspace) bool { return k.ID == req.Keyspace })
	case ports.AdminScatter:
		w.scatter(req, a)
	case ports.AdminScattering:
		w.tellScattering(req, a)
	}
	return a
}

// refused says why PD does not do what it is asked to, and nothing else.
func refused(a *ports.AdminReply, why ports.AdminRefusal) { *a = ports.AdminReply{Refusal: why} }
