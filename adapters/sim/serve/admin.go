package serve

import (
	"context"
	"math"
	"time"

	"github.com/pingcap/kvproto/pkg/keyspacepb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/ports"
)

// refusals begin with PD's own codes (PD: pkg/errs/errno.go), by which clients tell them apart.
var refusals = [...]string{
	ports.AdminRefusedOther:      "[PD:scatter:ErrEmptyRegion]empty region",
	ports.AdminRefusedArgument:   "[PD:common:ErrInvalidArgument]invalid argument",
	ports.AdminRefusedReserved:   "[PD:gc:ErrReservedGCBarrierID]the barrier ID is reserved",
	ports.AdminRefusedDecreasing: "[PD:gc:ErrDecreasingTxnSafePoint]trying to update a safe point to a smaller value",
	ports.AdminRefusedBeyondTxn:  "[PD:gc:ErrGCSafePointExceedsTxnSafePoint]the value exceeds the txn safe point",
	ports.AdminRefusedBehindTxn:  "[PD:gc:ErrGCBarrierTSBehindTxnSafePoint]the ts is behind the txn safe point",
	ports.AdminRefusedSharedGC:   "[PD:gc:ErrGCOnInvalidKeyspace]keyspace level GC is not enabled",
	ports.AdminRefusedNoKeyspace: "[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist",
	ports.AdminRefusedNoRegion:   "[PD:region:ErrRegionNotFound]region not found",
}

// administer asks the world's PD. A refusal goes into the header of the answer.
func (d *driver) administer(
	ctx context.Context, req ports.AdminRequest,
) (*ports.AdminReply, *pdpb.ResponseHeader, error) {
	ev := make(answer, 1)
	d.cluster.caller.Administer(&req, d.cluster.deadline(ctx), ports.Tok{}, ev)
	got, err := settle(ctx, ev)
	if err != nil {
		return nil, nil, err
	}
	h := header()
	if why := got.Admin.Refusal; why != ports.AdminAccepted {
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_UNKNOWN, Message: refusals[why]}
		if why == ports.AdminRefusedNoKeyspace {
			h.Error.Type = pdpb.ErrorType_ENTRY_NOT_FOUND
		}
	}
	return got.Admin, h, nil
}

// keyspaceOf is the keyspace of a request; without one it is the null keyspace (PD: server/gc_service.go:
// getKeyspaceID).
func keyspaceOf(scope *pdpb.KeyspaceScope) ports.KeyspaceID {
	if scope == nil {
		return ports.NullKeyspace
	}
	return ports.KeyspaceID(scope.GetKeyspaceId())
}

// ttlOf is a life in seconds, as far as a Duration goes.
func ttlOf(seconds int64) time.Duration {
	switch {
	case seconds < 0:
		return 0
	case seconds > int64(ports.Forever/time.Second):
		return ports.Forever
	}
	return time.Duration(seconds) * time.Second
}

func secondsOf(ttl time.Duration) int64 {
	if ttl == ports.Forever {
		return math.MaxInt64
	}
	return int64(ttl / time.Second)
}

func barrierInfo(b *ports.Barrier) *pdpb.GCBarrierInfo {
	return &pdpb.GCBarrierInfo{BarrierId: b.Name, BarrierTs: uint64(b.TS), TtlSeconds: secondsOf(b.TTL)}
}

func globalBarrierInfo(b *ports.Barrier) *pdpb.GlobalGCBarrierInfo {
	return &pdpb.GlobalGCBarrierInfo{BarrierId: b.Name, BarrierTs: uint64(b.TS), TtlSeconds: secondsOf(b.TTL)}
}

// GetGCState tells how far the garbage of a keyspace is collected.
func (d *driver) GetGCState(ctx context.Context, req *pdpb.GetGCStateRequest) (*pdpb.GetGCStateResponse, error) {
	a, h, err := d.administer(ctx, ports.AdminRequest{
		Kind: ports.AdminGCState, Keyspace: keyspaceOf(req.GetKeyspaceScope()), Barriers: !req.GetExcludeGcBarriers(),
	})
	if err != nil {
		return nil, err
	}
	state := &pdpb.GCState{
		KeyspaceScope: &pdpb.KeyspaceScope{
			Keyspace: &pdpb.KeyspaceScope_KeyspaceId{KeyspaceId: uint32(a.GC.Keyspace)},
		},
		IsKeyspaceLevelGc: a.GC.Keyspace != ports.NullKeyspace,
		TxnSafePoint:      uint64(a.GC.TxnSafePoint), GcSafePoint: uint64(a.GC.GCSafePoint),
	}
	for i := range a.GC.Barriers {
		state.GcBarriers = append(state.GcBarriers, barrierInfo(&a.GC.Barriers[i]))
	}
	return &pdpb.GetGCStateResponse{Header: h, GcState: state}, nil
}

// AdvanceTxnSafePoint moves a txn safe point as far as barriers let it.
func (d *driver) AdvanceTxnSafePoint(
	ctx context.Context, req *pdpb.AdvanceTxnSafePointRequest,
) (*pdpb.AdvanceTxnSafePointResponse, error) {
	a, h, err := d.administer(ctx, ports.AdminRequest{
		Kind: ports.AdminAdvanceTxnSafePoint, Keyspace: keyspaceOf(req.GetKeyspaceScope()),
		TS: ports.Timestamp(req.GetTarget()),
	})
	if err != nil {
		return nil, err
	}
	return &pdpb.AdvanceTxnSafePointResponse{
		Header: h, OldTxnSafePoint: uint64(a.Old), NewTxnSafePoint: uint64(a.New), BlockerDescription: a.Blocker,
	}, nil
}

// AdvanceGCSafePoint moves a GC safe point.
func (d *driver) AdvanceGCSafePoint(
	ctx context.Context, req *pdpb.AdvanceGCSafePointRequest,
) (*pdpb.AdvanceGCSafePointResponse, error) {
	a, h, err := d.administer(ctx, ports.AdminRequest{
		Kind: ports.AdminAdvanceGCSafePoint, Keyspace: keyspaceOf(req.GetKeyspaceScope()),
		TS: ports.Timestamp(req.GetTarget()),
	})
	if err != nil {
		return nil, err
	}
	return &pdpb.AdvanceGCSafePointResponse{
		Header: h, OldGcSafePoint: uint64(a.Old), NewGcSafePoint: uint64(a.New),
	}, nil
}

// UpdateGCSafePoint is AdvanceGCSafePoint of the null keyspace for older clients, client-go's GC among them: a smaller
// target changes nothing and is answered with what is (PD: server/gc_service.go: UpdateGCSafePoint).
func (d *driver) UpdateGCSafePoint(
	ctx context.Context, req *pdpb.UpdateGCSafePointRequest,
) (*pdpb.UpdateGCSafePointResponse, error) {
	a, _, err := d.administer(ctx, ports.AdminRequest{
		Kind: ports.AdminAdvanceGCSafePoint, Keyspace: ports.NullKeyspace, TS: ports.Timestamp(req.GetSafePoint()),
	})
	switch {
	case err != nil:
		return nil, err
	case a.Refusal == ports.AdminRefusedDecreasing:
		a, _, err = d.administer(ctx, ports.AdminRequest{Kind: ports.AdminGCState, Keyspace: ports.NullKeyspace})
		if err != nil {
			return nil, err
		}
		a.New = a.GC.GCSafePoint
	case a.Refusal != ports.AdminAccepted:
		return nil, status.Error(codes.Unknown, refusals[a.Refusal])
	}
	return &pdpb.UpdateGCSafePointResponse{Header: header(), NewSafePoint: uint64(a.New)}, nil
}

// SetGCBarrier makes or replaces a barrier.
func (d *driver) SetGCBarrier(
	ctx context.Context, req *pdpb.SetGCBarrierRequest,
) (*pdpb.SetGCBarrierResponse, error) {
	a, h, err := d.administer(ctx, ports.AdminRequest{
		Kind: ports.AdminSetBarrier, Keyspace: keyspaceOf(req.GetKeyspaceScope()), Name: req.GetBarrierId(),
		TS: ports.Timestamp(req.GetBarrierTs()), TTL: ttlOf(req.GetTtlSeconds()),
	})
	if err != nil {
		return nil, err
	}
	r := &pdpb.SetGCBarrierResponse{Header: h}
	if a.Found {
		r.NewBarrierInfo = barrierInfo(&a.Barrier)
	}
	return r, nil
}

// DeleteGCBarrier removes a barrier.
func (d *driver) DeleteGCBarrier(
	ctx context.Context, req *pdpb.DeleteGCBarrierRequest,
) (*pdpb.DeleteGCBarrierResponse, error) {
	a, h, err := d.administer(ctx, ports.AdminRequest{
		Kind: ports.AdminDeleteBarrier, Keyspace: keyspaceOf(req.GetKeyspaceScope()), Name: req.GetBarrierId(),
	})
	if err != nil {
		return nil, err
	}
	r := &pdpb.DeleteGCBarrierResponse{Header: h}
	if a.Found {
		r.DeletedBarrierInfo = barrierInfo(&a.Barrier)
	}
	return r, nil
}

// SetGlobalGCBarrier makes or replaces a barrier of all keyspaces.
func (d *driver) SetGlobalGCBarrier(
	ctx context.Context, req *pdpb.SetGlobalGCBarrierRequest,
) (*pdpb.SetGlobalGCBarrierResponse, error) {
	a, h, err := d.administer(ctx, ports.AdminRequest{
		Kind: ports.AdminSetGlobalBarrier, Name: req.GetBarrierId(), TS: ports.Timestamp(req.GetBarrierTs()),
		TTL: ttlOf(req.GetTtlSeconds()),
	})
	if err != nil {
		return nil, err
	}
	r := &pdpb.SetGlobalGCBarrierResponse{Header: h}
	if a.Found {
		r.NewBarrierInfo = globalBarrierInfo(&a.Barrier)
	}
	return r, nil
}

// DeleteGlobalGCBarrier removes a barrier of all keyspaces.
func (d *driver) DeleteGlobalGCBarrier(
	ctx context.Context, req *pdpb.DeleteGlobalGCBarrierRequest,
) (*pdpb.DeleteGlobalGCBarrierResponse, error) {
	a, h, err := d.administer(ctx, ports.AdminRequest{Kind: ports.AdminDeleteGlobalBarrier, Name: req.GetBarrierId()})
	if err != nil {
		return nil, err
	}
	r := &pdpb.DeleteGlobalGCBarrierResponse{Header: h}
	if a.Found {
		r.DeletedBarrierInfo = globalBarrierInfo(&a.Barrier)
	}
	return r, nil
}

// ScatterRegion begins to spread regions over the stores (PD: server/grpc_service.go: ScatterRegion).
func (d *driver) ScatterRegion(
	ctx context.Context, req *pdpb.ScatterRegionRequest,
) (*pdpb.ScatterRegionResponse, error) {
	order := ports.AdminRequest{Kind: ports.AdminScatter, Group: req.GetGroup()}
	for _, id := range req.GetRegionsId() {
		order.Regions = append(order.Regions, ports.RegionID(id))
	}
	a, _, err := d.administer(ctx, order)
	switch {
	case err != nil:
		return nil, err
	case a.Refusal != ports.AdminAccepted:
		return nil, status.Error(codes.Unknown, refusals[a.Refusal])
	}
	r := &pdpb.ScatterRegionResponse{Header: header()}
	for _, id := range a.Failed {
		r.FailedRegionsId = append(r.FailedRegionsId, uint64(id))
	}
	r.FinishedPercentage = uint64(100 - 100*len(a.Failed)/len(order.Regions))
	return r, nil
}

// GetOperator tells what is being done to a region.
func (d *driver) GetOperator(ctx context.Context, req *pdpb.GetOperatorRequest) (*pdpb.GetOperatorResponse, error) {
	id := ports.RegionID(req.GetRegionId())
	a, h, err := d.administer(ctx, ports.AdminRequest{Kind: ports.AdminScattering, Region: id})
	switch {
	case err != nil:
		return nil, err
	case !a.Scattering:
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_REGION_NOT_FOUND, Message: "Not Found"}
		return &pdpb.GetOperatorResponse{Header: h}, nil
	}
	return &pdpb.GetOperatorResponse{
		Header: h, RegionId: req.GetRegionId(), Desc: []byte("scatter-region"), Status: pdpb.OperatorStatus_RUNNING,
	}, nil
}

// keyspaces is PD's service of that name.
type keyspaces struct {
	keyspacepb.UnimplementedKeyspaceServer
	driver *driver
}

// LoadKeyspace finds a keyspace by its name.
func (k *keyspaces) LoadKeyspace(
	ctx context.Context, req *keyspacepb.LoadKeyspaceRequest,
) (*keyspacepb.LoadKeyspaceResponse, error) {
	return k.load(ctx, ports.AdminRequest{Kind: ports.AdminKeyspace, Name: req.GetName()})
}

// LoadKeyspaceByID finds a keyspace by its id.
func (k *keyspaces) LoadKeyspaceByID(
	ctx context.Context, req *keyspacepb.LoadKeyspaceByIDRequest,
) (*keyspacepb.LoadKeyspaceResponse, error) {
	return k.load(ctx, ports.AdminRequest{Kind: ports.AdminKeyspaceByID, Keyspace: ports.KeyspaceID(req.GetId())})
}

func (k *keyspaces) load(ctx context.Context, req ports.AdminRequest) (*keyspacepb.LoadKeyspaceResponse, error) {
	a, h, err := k.driver.administer(ctx, req)
	if err != nil || a.Refusal != ports.AdminAccepted {
		return &keyspacepb.LoadKeyspaceResponse{Header: h}, err
	}
	meta := &keyspacepb.KeyspaceMeta{
		Keyspace: &keyspacepb.KeyspaceMeta_Id{Id: uint32(a.Keyspace.ID)}, Name: a.Keyspace.Name,
		State: keyspacepb.KeyspaceState(a.Keyspace.State), Config: map[string]string{"gc_management_type": "unified"},
	}
	if a.Keyspace.OwnGC {
		meta.Config["gc_management_type"] = "keyspace_level"
	}
	return &keyspacepb.LoadKeyspaceResponse{Header: h, Keyspace: meta}, nil
}
