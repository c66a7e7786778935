package pd

import (
	"context"
	"slices"
	"strings"

	"github.com/pingcap/kvproto/pkg/keyspacepb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	pdclient "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/clients/gc"
	"github.com/tikv/pd/client/opt"

	"github.com/tikvx/tikvx/ports"
)

// Administer implements [ports.Admin].
func (c *Client) Administer(req *ports.AdminRequest, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	kept := *req
	kept.Regions = slices.Clone(req.Regions)
	c.asks.add(question{admin: &kept, deadline: deadline, tok: tok, sink: sink})
}

// administer asks PD. What PD refuses is an answer.
func (q *questions) administer(ctx context.Context, req *ports.AdminRequest) (*ports.AdminReply, error) {
	a := &ports.AdminReply{}
	err := q.ask(ctx, req, a)
	if err == nil {
		return a, nil
	}
	if why := refusalOf(err); why != ports.AdminAccepted {
		return &ports.AdminReply{Refusal: why}, nil
	}
	return nil, err
}

func (q *questions) ask(ctx context.Context, req *ports.AdminRequest, a *ports.AdminReply) error {
	switch req.Kind {
	case ports.AdminKeyspace:
		meta, err := q.source.LoadKeyspace(ctx, req.Name)
		a.Keyspace = keyspace(meta)
		return err
	case ports.AdminKeyspaceByID:
		meta, err := q.source.LoadKeyspaceByID(ctx, uint32(req.Keyspace))
		a.Keyspace = keyspace(meta)
		return err
	case ports.AdminScatter:
		return q.scatter(ctx, req, a)
	case ports.AdminScattering:
		op, err := q.source.GetOperator(ctx, uint64(req.Region))
		a.Scattering = string(op.GetDesc()) == scatterRegion && op.GetStatus() == pdpb.OperatorStatus_RUNNING
		return err
	default:
		return q.askGC(ctx, req, a)
	}
}

// scatterRegion is what PD calls the operators that scatter a region on demand (pkg/schedule/scatter).
const scatterRegion = "scatter-region"

func (q *questions) scatter(ctx context.Context, req *ports.AdminRequest, a *ports.AdminReply) error {
	ids := make([]uint64, len(req.Regions))
	for i, id := range req.Regions {
		ids[i] = uint64(id)
	}
	answer, err := q.source.ScatterRegions(ctx, ids, opt.WithGroup(req.Group))
	for _, id := range answer.GetFailedRegionsId() {
		a.Failed = append(a.Failed, ports.RegionID(id))
	}
	return err
}

// askGC asks for GC states, and changes them.
func (q *questions) askGC(ctx context.Context, req *ports.AdminRequest, a *ports.AdminReply) (err error) {
	states := q.source.GetGCStatesClient(uint32(req.Keyspace))
	controller := q.source.GetGCInternalController(uint32(req.Keyspace))
	var local *gc.GCBarrierInfo
	var global *gc.GlobalGCBarrierInfo
	switch req.Kind {
	case ports.AdminAdvanceTxnSafePoint:
		result, err := controller.AdvanceTxnSafePoint(ctx, uint64(req.TS))
		a.Old, a.New = ports.Timestamp(result.OldTxnSafePoint), ports.Timestamp(result.NewTxnSafePoint)
		a.Blocker = result.BlockerDescription
		return err
	case ports.AdminAdvanceGCSafePoint:
		result, err := controller.AdvanceGCSafePoint(ctx, uint64(req.TS))
		a.Old, a.New = ports.Timestamp(result.OldGCSafePoint), ports.Timestamp(result.NewGCSafePoint)
		return err
	case ports.AdminSetBarrier:
		local, err = states.SetGCBarrier(ctx, req.Name, uint64(req.TS), req.TTL)
	case ports.AdminDeleteBarrier:
		local, err = states.DeleteGCBarrier(ctx, req.Name)
	case ports.AdminSetGlobalBarrier:
		global, err = states.SetGlobalGCBarrier(ctx, req.Name, uint64(req.TS), req.TTL)
	case ports.AdminDeleteGlobalBarrier:
		global, err = states.DeleteGlobalGCBarrier(ctx, req.Name)
	default:
		state, err := states.GetGCState(ctx, gc.ExcludeGCBarriers(!req.Barriers))
		a.GC = gcState(&state)
		return err
	}
	switch {
	case local != nil:
		a.Found, a.Barrier = true, barrier(local)
	case global != nil:
		a.Found, a.Barrier = true, barrier((*gc.GCBarrierInfo)(global))
	}
	return err
}

func barrier(b *gc.GCBarrierInfo) ports.Barrier {
	return ports.Barrier{Name: b.BarrierID, TS: ports.Timestamp(b.BarrierTS), TTL: b.TTL}
}

func gcState(s *gc.GCState) ports.GCState {
	state := ports.GCState{
		Keyspace: ports.KeyspaceID(s.KeyspaceID), TxnSafePoint: ports.Timestamp(s.TxnSafePoint),
		GCSafePoint: ports.Timestamp(s.GCSafePoint),
	}
	// Without barriers the library has an error in their place, which says that they were not asked for.
	barriers, _ := s.GetGCBarriers()
	for _, b := range barriers {
		state.Barriers = append(state.Barriers, barrier(b))
	}
	return state
}

func keyspace(meta *keyspacepb.KeyspaceMeta) ports.Keyspace {
	return ports.Keyspace{
		ID: ports.KeyspaceID(meta.GetId()), Name: meta.GetName(), State: ports.KeyspaceState(meta.GetState()),
		OwnGC: pdclient.IsKeyspaceUsingKeyspaceLevelGC(meta),
	}
}

// refusals are the codes of PD's errors (PD: pkg/errs/errno.go), which its texts begin with. PD has no other way to say
// what is wrong.
var refusals = []struct {
	code string
	why  ports.AdminRefusal
}{
	{"PD:common:ErrInvalidArgument", ports.AdminRefusedArgument},
	{"PD:gc:ErrReservedGCBarrierID", ports.AdminRefusedReserved},
	{"PD:gc:ErrDecreasingTxnSafePoint", ports.AdminRefusedDecreasing},
	{"PD:gc:ErrDecreasingGCSafePoint", ports.AdminRefusedDecreasing},
	{"PD:gc:ErrGCSafePointExceedsTxnSafePoint", ports.AdminRefusedBeyondTxn},
	{"PD:gc:ErrGCBarrierTSBehindTxnSafePoint", ports.AdminRefusedBehindTxn},
	{"PD:gc:ErrGlobalGCBarrierTSBehindTxnSafePoint", ports.AdminRefusedBehindTxn},
	{"PD:gc:ErrGCOnInvalidKeyspace", ports.AdminRefusedSharedGC},
	{"PD:keyspace:ErrKeyspaceNotFound", ports.AdminRefusedNoKeyspace},
	{"PD:region:ErrRegionNotFound", ports.AdminRefusedNoRegion},
	{"type:REGION_NOT_FOUND", ports.AdminRefusedNoRegion},
	// A header with any other error, or one of PD's own that the call ended with.
	{`message:"`, ports.AdminRefusedOther},
	{"code = Unknown desc = [PD:", ports.AdminRefusedOther},
}

// refusalOf says what PD has against a request, and AdminAccepted where it was not PD that said so.
func refusalOf(err error) ports.AdminRefusal {
	text := err.Error()
	for _, r := range refusals {
		if strings.Contains(text, r.code) {
			return r.why
		}
	}
	return ports.AdminAccepted
}
