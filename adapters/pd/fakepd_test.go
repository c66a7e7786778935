package pd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/pingcap/kvproto/pkg/meta_storagepb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

const clusterID = 4711

// fakePD is a PD of one member that keeps silent and refuses when it is told to.
type fakePD struct {
	pdpb.UnimplementedPDServer
	meta_storagepb.UnimplementedMetaStorageServer
	address string
	server  *grpc.Server

	mu     sync.Mutex
	free   sync.Cond
	silent bool
	quit   bool
	// refuse is what every question is answered with, when set.
	refuse error
	// gcError is what the header of an answer about GC says.
	gcError *pdpb.Error
	// batchScans: this PD implements BatchScanRegions.
	batchScans bool
	regions    []ports.Region
	stores     []*metapb.Store
	physical   int64
	logical    int64
	// scans counts the plain scans, batches the batch scans that were asked for.
	scans, batches int
}

func newFakePD(t testing.TB) *fakePD {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &fakePD{
		address: listener.Addr().String(), batchScans: true, physical: 1_700_000_000_000,
		regions: cluster(), stores: []*metapb.Store{
			{Id: 1, Address: "store-1:20160", Labels: []*metapb.StoreLabel{{Key: "zone", Value: "a"}}},
			{Id: 2, Address: "store-2:20160", State: metapb.StoreState_Offline},
			{Id: 3, Address: "store-3:20160", State: metapb.StoreState_Tombstone, NodeState: metapb.NodeState_Removed},
		},
	}
	p.free.L = &p.mu
	p.server = grpc.NewServer()
	pdpb.RegisterPDServer(p.server, p)
	meta_storagepb.RegisterMetaStorageServer(p.server, p)
	go p.server.Serve(listener)
	t.Cleanup(p.stop)
	return p
}

// cluster is three regions on two stores.
func cluster() []ports.Region {
	region := func(id uint64, start, end string) ports.Region {
		return ports.Region{
			RegionVersion: ports.RegionVersion{ID: ports.RegionID(id), Epoch: ports.Epoch{ConfVer: 2, Version: id}},
			Range:         ports.KeyRange{Start: []byte(start), End: []byte(end)},
			Peers: []ports.Peer{
				{ID: ports.PeerID(id + 1), Store: 1}, {ID: ports.PeerID(id + 2), Store: 2, Role: ports.RoleLearner},
			},
			Leader: ports.PeerID(id + 1),
		}
	}
	regions := []ports.Region{region(10, "", "g"), region(20, "g", "p"), region(30, "p", "")}
	regions[1].Down = []ports.PeerID{22}
	return regions
}

// buckets are those of the cluster's regions. The second region has been split since it reported its own, the third has
// none.
func buckets() []*ports.Buckets {
	return []*ports.Buckets{
		{Version: 5<<32 | 1, Keys: [][]byte{nil, []byte("c"), []byte("e"), []byte("g")}},
		{Version: 6 << 32, Keys: [][]byte{[]byte("g"), []byte("x"), nil}},
		nil,
	}
}

// do changes the PD under its lock.
func (p *fakePD) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.free.Broadcast()
}

func (p *fakePD) silence() { p.do(func() { p.silent = true }) }
func (p *fakePD) resume()  { p.do(func() { p.silent = false }) }

func (p *fakePD) stop() {
	p.do(func() { p.quit = true })
	p.server.Stop()
}

// enter waits while the PD is silent and returns what it answers every question with. The lock is held.
func (p *fakePD) enter() error {
	for p.silent && !p.quit {
		p.free.Wait()
	}
	if p.quit {
		return io.EOF
	}
	return p.refuse
}

func (p *fakePD) header() *pdpb.ResponseHeader { return &pdpb.ResponseHeader{ClusterId: clusterID} }

func (p *fakePD) GetMembers(context.Context, *pdpb.GetMembersRequest) (*pdpb.GetMembersResponse, error) {
	m := &pdpb.Member{Name: "pd", MemberId: 1, ClientUrls: []string{"http://" + p.address}}
	return &pdpb.GetMembersResponse{Header: p.header(), Members: []*pdpb.Member{m}, Leader: m, EtcdLeader: m}, nil
}

func (p *fakePD) GetClusterInfo(context.Context, *pdpb.GetClusterInfoRequest) (*pdpb.GetClusterInfoResponse, error) {
	return &pdpb.GetClusterInfoResponse{
		Header: p.header(), ServiceModes: []pdpb.ServiceMode{pdpb.ServiceMode_PD_SVC_MODE},
	}, nil
}

// Get knows of no services that run apart from PD. The library asks before anything else, and goes on asking for
// seconds where nobody answers.
func (p *fakePD) Get(context.Context, *meta_storagepb.GetRequest) (*meta_storagepb.GetResponse, error) {
	return &meta_storagepb.GetResponse{Header: &meta_storagepb.ResponseHeader{ClusterId: clusterID}}, nil
}

func (p *fakePD) Tso(stream pdpb.PD_TsoServer) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		answer, err := p.allocate(int64(req.Count))
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (p *fakePD) allocate(count int64) (*pdpb.TsoResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return nil, err
	}
	if p.logical+count >= 1<<ports.LogicalBits {
		p.physical, p.logical = p.physical+1, 0
	}
	p.logical += count
	return &pdpb.TsoResponse{
		Header: p.header(), Count: uint32(count),
		Timestamp: &pdpb.Timestamp{Physical: p.physical, Logical: p.logical},
	}, nil
}

func (p *fakePD) answerRegion(i int, wanted bool) *pdpb.GetRegionResponse {
	r := &p.regions[i]
	answer := &pdpb.GetRegionResponse{Header: p.header(), Region: wire.RegionMeta(r)}
	for _, peer := range r.Peers {
		if peer.ID == r.Leader {
			answer.Leader = wire.PeerMeta(peer)
		}
		if slices.Contains(r.Down, peer.ID) {
			answer.DownPeers = append(answer.DownPeers, &pdpb.PeerStats{Peer: wire.PeerMeta(peer)})
		}
	}
	if b := buckets()[i]; b != nil && wanted {
		answer.Buckets = &metapb.Buckets{RegionId: uint64(r.ID), Version: b.Version, Keys: b.Keys}
	}
	return answer
}

func (p *fakePD) find(
	buckets bool, want func(i int, r *ports.Region) bool,
) (*pdpb.GetRegionResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return nil, err
	}
	for i := range p.regions {
		if want(i, &p.regions[i]) {
			return p.answerRegion(i, buckets), nil
		}
	}
	return &pdpb.GetRegionResponse{Header: p.header()}, nil
}

func (p *fakePD) GetRegion(_ context.Context, req *pdpb.GetRegionRequest) (*pdpb.GetRegionResponse, error) {
	return p.find(req.NeedBuckets, func(_ int, r *ports.Region) bool { return r.Range.Contains(req.RegionKey) })
}

// GetPrevRegion answers, as PD does, with the region before the one that holds the key.
func (p *fakePD) GetPrevRegion(_ context.Context, req *pdpb.GetRegionRequest) (*pdpb.GetRegionResponse, error) {
	return p.find(req.NeedBuckets, func(i int, _ *ports.Region) bool {
		return i+1 < len(p.regions) && p.regions[i+1].Range.Contains(req.RegionKey)
	})
}

func (p *fakePD) overlapping(start, end []byte, limit int, buckets bool) []*pdpb.Region {
	var list []*pdpb.Region
	for i := range p.regions {
		r := &p.regions[i]
		before := len(end) > 0 && bytes.Compare(r.Range.Start, end) >= 0
		behind := len(r.Range.End) > 0 && bytes.Compare(r.Range.End, start) <= 0
		if before || behind || limit > 0 && len(list) == limit {
			continue
		}
		a := p.answerRegion(i, buckets)
		list = append(list, &pdpb.Region{
			Region: a.Region, Leader: a.Leader, DownPeers: a.DownPeers, Buckets: a.Buckets,
		})
	}
	return list
}

func (p *fakePD) ScanRegions(_ context.Context, req *pdpb.ScanRegionsRequest) (*pdpb.ScanRegionsResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return nil, err
	}
	p.scans++
	return &pdpb.ScanRegionsResponse{
		Header: p.header(), Regions: p.overlapping(req.StartKey, req.EndKey, int(req.Limit), false),
	}, nil
}

func (p *fakePD) BatchScanRegions(
	_ context.Context, req *pdpb.BatchScanRegionsRequest,
) (*pdpb.BatchScanRegionsResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batches++
	if !p.batchScans {
		return nil, status.Error(codes.Unimplemented, "unknown method BatchScanRegions")
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	r := req.Ranges[0]
	return &pdpb.BatchScanRegionsResponse{
		Header: p.header(), Regions: p.overlapping(r.StartKey, r.EndKey, int(req.Limit), req.NeedBuckets),
	}, nil
}

func (p *fakePD) GetStore(_ context.Context, req *pdpb.GetStoreRequest) (*pdpb.GetStoreResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return nil, err
	}
	for _, s := range p.stores {
		if s.Id == req.StoreId {
			return &pdpb.GetStoreResponse{Header: p.header(), Store: s}, nil
		}
	}
	header := p.header()
	header.Error = &pdpb.Error{
		Type: pdpb.ErrorType_UNKNOWN, Message: fmt.Sprintf("invalid store ID %d, not found", req.StoreId),
	}
	return &pdpb.GetStoreResponse{Header: header}, nil
}

func (p *fakePD) GetAllStores(
	_ context.Context, req *pdpb.GetAllStoresRequest,
) (*pdpb.GetAllStoresResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return nil, err
	}
	answer := &pdpb.GetAllStoresResponse{Header: p.header()}
	for _, s := range p.stores {
		if s.State != metapb.StoreState_Tombstone || !req.ExcludeTombstoneStores {
			answer.Stores = append(answer.Stores, s)
		}
	}
	return answer, nil
}
