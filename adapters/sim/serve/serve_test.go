package serve_test

import (
	"context"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	grpclib "google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/adapters/pd"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/serve"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves a world until the test ends.
func start(t *testing.T, config sim.Config) (*serve.Cluster, *sim.World) {
	w, err := sim.New(config)
	require.NoError(t, err)
	c, err := serve.Start(w, serve.Config{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, w
}

func newClock(t *testing.T) *clock.Clock {
	c := clock.New()
	t.Cleanup(c.Close)
	return c
}

func newNetwork(t *testing.T, timers *clock.Clock) *grpc.Network {
	n := grpc.New(grpc.Config{ClusterID: serve.ClusterID, Clock: timers})
	t.Cleanup(n.Close)
	return n
}

func TestNetworkContract(t *testing.T) {
	porttest.Network(t, func(t *testing.T) *porttest.NetworkRig {
		w, err := sim.New(sim.Config{RawKeys: true})
		require.NoError(t, err)
		region := w.Regions()[0]
		leader, _ := region.Peer(region.Leader)
		c, err := serve.Start(w, serve.Config{})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		timers := newClock(t)
		n := newNetwork(t, timers)
		return &porttest.NetworkRig{
			Host: porttest.Host{Clock: timers}, Network: n,
			Endpoint: ports.Endpoint{Store: leader.Store, Address: c.Store(leader.Store)},
			Nowhere:  ports.Endpoint{Store: 99, Address: "127.0.0.1:1"},
			Header:   ports.Header{Region: region.RegionVersion, Peer: leader},
			Hang:     func() { c.Do(func(w *sim.World) { w.Hang(leader.Store) }) },
			Continue: func() {
				c.Do(func(w *sim.World) {
					w.Resume(leader.Store)
					// While it hung the others have elected a leader.
					w.Transfer(region.ID, leader.Store)
				})
			},
			Close: n.Close,
		}
	})
}

func openPD(t *testing.T, c *serve.Cluster, timers *clock.Clock) *pd.Client {
	client, err := pd.Open(t.Context(), pd.Config{Endpoints: []string{c.PD()}, Clock: timers})
	require.NoError(t, err)
	return client
}

func TestOracleContract(t *testing.T) {
	porttest.Oracle(t, func(t *testing.T) *porttest.OracleRig {
		c, _ := start(t, sim.Config{})
		timers := newClock(t)
		client := openPD(t, c, timers)
		closed := closing(t, client)
		return &porttest.OracleRig{
			Host: porttest.Host{Clock: timers}, Oracle: client, Close: closed,
			Silence:  func() { c.Do(func(w *sim.World) { w.SilencePD(ports.Forever) }) },
			Continue: func() { c.Do(func(w *sim.World) { w.ResumePD() }) },
		}
	})
}

func TestPlacementContract(t *testing.T) {
	porttest.Placement(t, func(t *testing.T) *porttest.PlacementRig {
		w, err := sim.New(sim.Config{Splits: [][]byte{[]byte("f"), []byte("m")}, RawKeys: true, BucketKeys: 1})
		require.NoError(t, err)
		for _, key := range "abcghi" {
			w.Engine().Raw(1).Put(&ports.RawPutRequest{Key: []byte(string(key))}, &ports.RawWriteReply{})
		}
		regions, stores := w.Regions(), w.Stores()
		var buckets []*ports.Buckets
		for _, r := range regions {
			require.True(t, w.RefreshBuckets(r.ID))
			buckets = append(buckets, w.Buckets(r.ID))
		}
		w.Run(w.Now().Add(time.Second), nil)
		c, err := serve.Start(w, serve.Config{})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		for i := range stores {
			stores[i].Address = c.Store(stores[i].ID)
		}
		timers := newClock(t)
		client := openPD(t, c, timers)
		return &porttest.PlacementRig{
			Host: porttest.Host{Clock: timers}, Placement: client, Regions: regions, Buckets: buckets, Stores: stores,
			Silence:  func() { c.Do(func(w *sim.World) { w.SilencePD(ports.Forever) }) },
			Continue: func() { c.Do(func(w *sim.World) { w.ResumePD() }) },
			Close:    closing(t, client),
		}
	})
}

// closing returns a function that closes a client once, which the end of the test calls as well.
func closing(t *testing.T, client *pd.Client) func() {
	closed := false
	end := func() {
		if !closed {
			closed = true
			client.Close()
		}
	}
	t.Cleanup(end)
	return end
}

// TestForeignRequests: what a store of TiKV refuses as such.
func TestForeignRequests(t *testing.T) {
	c, _ := start(t, sim.Config{RawKeys: true})
	timers := newClock(t)
	to := ports.Endpoint{Store: 1, Address: c.Store(1)}
	for _, req := range []ports.Request{
		&ports.RawGetRequest{Key: []byte("k")}, &ports.RawGetKeyTTLRequest{Key: []byte("k")},
	} {
		n := grpc.New(grpc.Config{ClusterID: 1, Clock: timers})
		defer n.Close()
		box := make(porttest.Mailbox, 1)
		n.Submit(to, &ports.Header{}, req, timers.Now().Add(time.Minute), ports.Tok{}, box)
		ev := box.Next(t)
		require.Equal(t, ports.EventLost, ev.Kind)
		require.Equal(t, ports.CauseRejected, ev.Cause.Kind, "a request for another cluster")
	}
}

// TestCrashedStore: streams and calls end, and the store serves again when it is back.
func TestCrashedStore(t *testing.T) {
	c, _ := start(t, sim.Config{RawKeys: true})
	timers := newClock(t)
	n := newNetwork(t, timers)
	to := ports.Endpoint{Store: 1, Address: c.Store(1)}
	ask := func(n *grpc.Network, req ports.Request) ports.Event {
		box := make(porttest.Mailbox, 1)
		n.Submit(to, &ports.Header{}, req, timers.Now().Add(time.Minute), ports.Tok{}, box)
		return box.Next(t)
	}
	probe := func() ports.CauseKind {
		box := make(porttest.Mailbox, 1)
		n.Probe(to, timers.Now().Add(time.Minute), ports.Tok{}, box)
		return box.Next(t).Cause.Kind
	}
	requests := []ports.Request{
		&ports.RawGetRequest{Key: []byte("k")}, &ports.RawGetKeyTTLRequest{Key: []byte("k")},
	}
	c.Do(func(w *sim.World) { w.Crash(1) })
	for _, req := range requests {
		ev := ask(newNetwork(t, timers), req)
		require.Equal(t, ports.EventLost, ev.Kind)
		require.Equal(t, ports.CauseConnection, ev.Cause.Kind)
	}
	require.Equal(t, ports.CauseConnection, probe())
	c.Do(func(w *sim.World) { w.Restart(1, "elsewhere:1") })
	require.Equal(t, ports.CauseNone, probe())
	for end := time.Now().Add(20 * time.Second); ask(n, requests[0]).Kind != ports.EventReply; {
		require.True(t, time.Now().Before(end))
	}
	require.Equal(t, ports.EventReply, ask(n, requests[1]).Kind)
}

// TestPD asks what the client library does not ask in the tests of the contract.
func TestPD(t *testing.T) {
	c, _ := start(t, sim.Config{Splits: [][]byte{[]byte("f"), []byte("m")}})
	var regions []ports.Region
	c.Do(func(w *sim.World) { regions = w.Regions() })
	cc, err := grpclib.NewClient("passthrough:///"+c.PD(), grpclib.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer cc.Close()
	client := pdpb.NewPDClient(cc)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	byID, err := client.GetRegionByID(ctx, &pdpb.GetRegionByIDRequest{RegionId: uint64(regions[1].ID)})
	require.NoError(t, err)
	require.Equal(t, regions[1].Range.Start, byID.Region.StartKey)
	none, err := client.GetRegionByID(ctx, &pdpb.GetRegionByIDRequest{RegionId: 999})
	require.NoError(t, err)
	require.Nil(t, none.Region)
	before, err := client.GetPrevRegion(ctx, &pdpb.GetRegionRequest{RegionKey: regions[1].Range.Start})
	require.NoError(t, err)
	require.EqualValues(t, regions[0].ID, before.Region.Id)
	none, err = client.GetPrevRegion(ctx, &pdpb.GetRegionRequest{})
	require.NoError(t, err)
	require.Nil(t, none.Region)

	key := func(i int) []byte { return regions[i].Range.Start }
	ranges := []*pdpb.KeyRange{{EndKey: append(key(1), 1)}, {StartKey: append(key(1), 2)}}
	batch, err := client.BatchScanRegions(ctx, &pdpb.BatchScanRegionsRequest{Ranges: ranges})
	require.NoError(t, err)
	require.Len(t, batch.Regions, 3, "a region that two ranges share is named once")
	batch, err = client.BatchScanRegions(ctx, &pdpb.BatchScanRegionsRequest{Ranges: ranges, Limit: 2})
	require.NoError(t, err)
	require.Len(t, batch.Regions, 2)
	//lint:ignore SA1019 clients that are older than the batch scan ask for it
	scan, err := client.ScanRegions(ctx, &pdpb.ScanRegionsRequest{Limit: 2})
	require.NoError(t, err)
	require.Len(t, scan.Regions, 2)
	require.Len(t, scan.RegionMetas, 2)

	tso, err := client.Tso(ctx)
	require.NoError(t, err)
	require.NoError(t, tso.Send(&pdpb.TsoRequest{Count: 0}))
	_, err = tso.Recv()
	require.ErrorContains(t, err, "batch")

	c.Do(func(w *sim.World) { w.RestartPD(ports.Forever) })
	_, err = client.GetRegion(ctx, &pdpb.GetRegionRequest{})
	require.ErrorContains(t, err, "leader")
}

func TestAddressInUse(t *testing.T) {
	c, _ := start(t, sim.Config{})
	w, err := sim.New(sim.Config{})
	require.NoError(t, err)
	_, err = serve.Start(w, serve.Config{PD: c.PD()})
	require.ErrorContains(t, err, c.PD())
	w.Close()
	require.Empty(t, c.Store(99))
}
