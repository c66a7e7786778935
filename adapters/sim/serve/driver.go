package serve

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pingcap/kvproto/pkg/meta_storagepb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// driver is PD's service: what clients ask of one.
type driver struct {
	pdpb.UnimplementedPDServer
	meta_storagepb.UnimplementedMetaStorageServer
	cluster *Cluster
}

func header() *pdpb.ResponseHeader { return &pdpb.ResponseHeader{ClusterId: ClusterID} }

// GetMembers names one member, which leads.
func (d *driver) GetMembers(context.Context, *pdpb.GetMembersRequest) (*pdpb.GetMembersResponse, error) {
	scheme := "http://"
	if d.cluster.secure {
		scheme = "https://"
	}
	m := &pdpb.Member{Name: "pd", MemberId: 1, ClientUrls: []string{scheme + d.cluster.pd}}
	return &pdpb.GetMembersResponse{Header: header(), Members: []*pdpb.Member{m}, Leader: m, EtcdLeader: m}, nil
}

// GetClusterInfo says that PD itself allocates timestamps.
func (d *driver) GetClusterInfo(
	context.Context, *pdpb.GetClusterInfoRequest,
) (*pdpb.GetClusterInfoResponse, error) {
	return &pdpb.GetClusterInfoResponse{
		Header: header(), ServiceModes: []pdpb.ServiceMode{pdpb.ServiceMode_PD_SVC_MODE},
	}, nil
}

// Get finds no service that runs apart from PD.
func (d *driver) Get(context.Context, *meta_storagepb.GetRequest) (*meta_storagepb.GetResponse, error) {
	return &meta_storagepb.GetResponse{Header: &meta_storagepb.ResponseHeader{ClusterId: ClusterID}}, nil
}

// Tso allocates timestamps in batches.
func (d *driver) Tso(stream pdpb.PD_TsoServer) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		// One timestamp is asked for as a client of the world does: it is late, or does not come, when the world says so.
		c, ctx := d.cluster, stream.Context()
		ev := make(answer, 1)
		c.caller.Timestamp(c.deadline(ctx), ports.Tok{}, ev)
		if _, err := settle(ctx, ev); err != nil {
			return err
		}
		var last ports.Timestamp
		c.Do(func(w *sim.World) { last = w.Reserve(int(req.GetCount())) })
		if last == 0 {
			return status.Error(codes.InvalidArgument, "a batch of no or of too many timestamps")
		}
		err = stream.Send(&pdpb.TsoResponse{
			Header: header(), Count: req.GetCount(),
			Timestamp: &pdpb.Timestamp{Physical: last.Physical(), Logical: last.Logical()},
		})
		if err != nil {
			return err
		}
	}
}

// settle waits for PD's answer; a question that the world leaves open stays open.
func settle(ctx context.Context, a answer) (ports.Event, error) {
	ev, err := a.wait(ctx)
	switch {
	case err != nil || ev.Kind != ports.EventRefused || ev.Cause.Kind == ports.CauseNotFound:
		return ev, err
	case ev.Cause.Kind == ports.CauseTimeout:
		return ev, silence(ctx)
	}
	return ev, status.Error(codes.Unavailable, "PD has no leader")
}

func (d *driver) ask(ctx context.Context, q ports.Query) (ports.Event, error) {
	ev := make(answer, 1)
	d.cluster.caller.Ask(&q, d.cluster.deadline(ctx), ports.Tok{}, ev)
	return settle(ctx, ev)
}

// GetRegion finds the region that holds a key.
func (d *driver) GetRegion(ctx context.Context, req *pdpb.GetRegionRequest) (*pdpb.GetRegionResponse, error) {
	ev, err := d.ask(ctx, ports.Query{
		Kind: ports.QueryRegion, Key: req.GetRegionKey(), Buckets: req.GetNeedBuckets(),
	})
	return regionResponse(regionsOf(&ev)), err
}

// GetPrevRegion finds the region before the one that holds a key.
func (d *driver) GetPrevRegion(ctx context.Context, req *pdpb.GetRegionRequest) (*pdpb.GetRegionResponse, error) {
	ev, err := d.ask(ctx, ports.Query{Kind: ports.QueryRegion, Key: req.GetRegionKey()})
	if err != nil || len(ev.Regions) == 0 || len(ev.Regions[0].Range.Start) == 0 {
		return &pdpb.GetRegionResponse{Header: header()}, err
	}
	ev, err = d.ask(ctx, ports.Query{
		Kind: ports.QueryRegionByEnd, Key: ev.Regions[0].Range.Start, Buckets: req.GetNeedBuckets(),
	})
	return regionResponse(regionsOf(&ev)), err
}

// GetRegionByID finds a region by its id.
func (d *driver) GetRegionByID(
	ctx context.Context, req *pdpb.GetRegionByIDRequest,
) (*pdpb.GetRegionResponse, error) {
	ev, err := d.ask(ctx, ports.Query{
		Kind: ports.QueryRegions, Limit: math.MaxInt32, Buckets: req.GetNeedBuckets(),
	})
	list := slices.DeleteFunc(regionsOf(&ev), func(r *pdpb.Region) bool {
		return r.Region.Id != req.GetRegionId()
	})
	return regionResponse(list), err
}

// regionResponse answers with the first region, if there is one.
func regionResponse(list []*pdpb.Region) *pdpb.GetRegionResponse {
	answer := &pdpb.GetRegionResponse{Header: header()}
	if len(list) > 0 {
		r := list[0]
		answer.Region, answer.Leader, answer.DownPeers, answer.Buckets = r.Region, r.Leader, r.DownPeers, r.Buckets
	}
	return answer
}

// regionsOf returns the regions of PD's answer.
func regionsOf(ev *ports.Event) []*pdpb.Region {
	var list []*pdpb.Region
	for i := range ev.Regions {
		r := region(&ev.Regions[i])
		if i < len(ev.Buckets) && ev.Buckets[i] != nil {
			b := ev.Buckets[i]
			r.Buckets = &metapb.Buckets{RegionId: r.Region.Id, Version: b.Version, Keys: b.Keys}
		}
		list = append(list, r)
	}
	return list
}

func region(r *ports.Region) *pdpb.Region {
	m := &pdpb.Region{Region: wire.RegionMeta(r)}
	if leader, ok := r.Peer(r.Leader); ok {
		m.Leader = wire.PeerMeta(leader)
	}
	for _, id := range r.Down {
		if p, ok := r.Peer(id); ok {
			m.DownPeers = append(m.DownPeers, &pdpb.PeerStats{Peer: wire.PeerMeta(p)})
		}
	}
	return m
}

// scan finds consecutive regions; a limit of 0 is none.
func (d *driver) scan(ctx context.Context, q ports.Query) ([]*pdpb.Region, error) {
	q.Kind = ports.QueryRegions
	if q.Limit <= 0 {
		q.Limit = math.MaxInt32
	}
	ev, err := d.ask(ctx, q)
	return regionsOf(&ev), err
}

// ScanRegions finds the regions of one range.
func (d *driver) ScanRegions(
	ctx context.Context, req *pdpb.ScanRegionsRequest,
) (*pdpb.ScanRegionsResponse, error) {
	list, err := d.scan(ctx, ports.Query{Key: req.GetStartKey(), End: req.GetEndKey(), Limit: int(req.GetLimit())})
	answer := &pdpb.ScanRegionsResponse{Header: header(), Regions: list}
	for _, r := range list {
		answer.RegionMetas, answer.Leaders = append(answer.RegionMetas, r.Region), append(answer.Leaders, r.Leader)
	}
	return answer, err
}

// BatchScanRegions finds the regions of several ranges; one that two ranges share is named once.
func (d *driver) BatchScanRegions(
	ctx context.Context, req *pdpb.BatchScanRegionsRequest,
) (*pdpb.BatchScanRegionsResponse, error) {
	answer := &pdpb.BatchScanRegionsResponse{Header: header()}
	for _, r := range req.GetRanges() {
		limit := int(req.GetLimit())
		if limit > 0 {
			if limit -= len(answer.Regions); limit == 0 {
				break
			}
		}
		list, err := d.scan(ctx, ports.Query{
			Key: r.GetStartKey(), End: r.GetEndKey(), Limit: limit, Buckets: req.GetNeedBuckets(),
		})
		if err != nil {
			return nil, err
		}
		if n := len(answer.Regions); n > 0 && len(list) > 0 &&
			list[0].GetRegion().GetId() == answer.Regions[n-1].GetRegion().GetId() {
			list = list[1:]
		}
		answer.Regions = append(answer.Regions, list...)
	}
	return answer, nil
}

// GetStore finds a store. It is found under the address of its server here, wherever the world has moved it.
func (d *driver) GetStore(ctx context.Context, req *pdpb.GetStoreRequest) (*pdpb.GetStoreResponse, error) {
	ev, err := d.ask(ctx, ports.Query{Kind: ports.QueryStore, Store: ports.StoreID(req.GetStoreId())})
	answer := &pdpb.GetStoreResponse{Header: header()}
	if len(ev.Stores) == 0 {
		answer.Header.Error = &pdpb.Error{
			Type: pdpb.ErrorType_UNKNOWN, Message: fmt.Sprintf("invalid store ID %d, not found", req.GetStoreId()),
		}
		return answer, err
	}
	s := ev.Stores[0]
	s.Address = d.cluster.Store(s.ID)
	answer.Store = wire.StoreMeta(&s)
	return answer, err
}

// GetAllStores lists the stores.
func (d *driver) GetAllStores(
	ctx context.Context, req *pdpb.GetAllStoresRequest,
) (*pdpb.GetAllStoresResponse, error) {
	ev, err := d.ask(ctx, ports.Query{Kind: ports.QueryStores})
	answer := &pdpb.GetAllStoresResponse{Header: header()}
	for _, s := range ev.Stores {
		if s.State != ports.StoreTombstone || !req.GetExcludeTombstoneStores() {
			s.Address = d.cluster.Store(s.ID)
			answer.Stores = append(answer.Stores, wire.StoreMeta(&s))
		}
	}
	return answer, err
}
