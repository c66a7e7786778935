package serve_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/stretchr/testify/require"
	grpclib "google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/serve"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

func TestAdminContract(t *testing.T) {
	own, shared := ports.Keyspace{ID: 7, Name: "own", OwnGC: true}, ports.Keyspace{ID: 3, Name: "shared"}
	porttest.Admin(t, func(t *testing.T) *porttest.AdminRig {
		w, err := sim.New(sim.Config{Keyspaces: []ports.Keyspace{own, shared}})
		require.NoError(t, err)
		regions := w.Regions()
		c, err := serve.Start(w, serve.Config{})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		timers := newClock(t)
		client := openPD(t, c, timers)
		return &porttest.AdminRig{
			Host: porttest.Host{Clock: timers}, Admin: client, Own: own, Shared: shared,
			Regions:  []ports.RegionID{regions[0].ID, regions[1].ID},
			Silence:  func() { c.Do(func(w *sim.World) { w.SilencePD(ports.Forever) }) },
			Continue: func() { c.Do(func(w *sim.World) { w.ResumePD() }) },
			Close:    closing(t, client),
		}
	})
}

// dialPD connects to PD without its client library.
func dialPD(t *testing.T, c *serve.Cluster) (pdpb.PDClient, context.Context) {
	cc, err := grpclib.NewClient("passthrough:///"+c.PD(), grpclib.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(func() {
		cancel()
		cc.Close()
	})
	return pdpb.NewPDClient(cc), ctx
}

// TestAdministration asks what the client library does not ask in the tests of the contract.
func TestAdministration(t *testing.T) {
	c, _ := start(t, sim.Config{})
	client, ctx := dialPD(t, c)

	_, err := client.AdvanceTxnSafePoint(ctx, &pdpb.AdvanceTxnSafePointRequest{Target: 30})
	require.NoError(t, err, "a request without a keyspace is about the null keyspace")
	for _, step := range []struct{ target, now uint64 }{{10, 10}, {20, 20}, {5, 20}, {0, 20}} {
		r, err := client.UpdateGCSafePoint(ctx, &pdpb.UpdateGCSafePointRequest{SafePoint: step.target})
		require.NoError(t, err)
		require.Equal(t, step.now, r.NewSafePoint)
	}
	_, err = client.UpdateGCSafePoint(ctx, &pdpb.UpdateGCSafePointRequest{SafePoint: 31})
	require.ErrorContains(t, err, "PD:gc:ErrGCSafePointExceedsTxnSafePoint")
	state, err := client.GetGCState(ctx, &pdpb.GetGCStateRequest{})
	require.NoError(t, err)
	require.EqualValues(t, ports.NullKeyspace, state.GcState.KeyspaceScope.GetKeyspaceId())
	require.False(t, state.GcState.IsKeyspaceLevelGc)

	for seconds, refused := range map[int64]bool{-1: true, 0: true, math.MaxInt64 - 1: false} {
		r, err := client.SetGCBarrier(ctx, &pdpb.SetGCBarrierRequest{BarrierId: "b", BarrierTs: 40, TtlSeconds: seconds})
		require.NoError(t, err)
		require.Equal(t, refused, r.Header.Error != nil)
		if !refused {
			require.EqualValues(t, math.MaxInt64, r.NewBarrierInfo.TtlSeconds)
		}
	}
	_, err = client.ScatterRegion(ctx, &pdpb.ScatterRegionRequest{RegionsId: []uint64{998, 999}})
	require.ErrorContains(t, err, "empty region")

	c.Do(func(w *sim.World) { w.RestartPD(ports.Forever) })
	for name, call := range map[string]func() error{
		"GetGCState": func() error { _, err := client.GetGCState(ctx, &pdpb.GetGCStateRequest{}); return err },
		"AdvanceTxnSafePoint": func() error {
			_, err := client.AdvanceTxnSafePoint(ctx, &pdpb.AdvanceTxnSafePointRequest{})
			return err
		},
		"AdvanceGCSafePoint": func() error {
			_, err := client.AdvanceGCSafePoint(ctx, &pdpb.AdvanceGCSafePointRequest{})
			return err
		},
		"UpdateGCSafePoint": func() error {
			_, err := client.UpdateGCSafePoint(ctx, &pdpb.UpdateGCSafePointRequest{})
			return err
		},
		"SetGCBarrier":    func() error { _, err := client.SetGCBarrier(ctx, &pdpb.SetGCBarrierRequest{}); return err },
		"DeleteGCBarrier": func() error { _, err := client.DeleteGCBarrier(ctx, &pdpb.DeleteGCBarrierRequest{}); return err },
		"SetGlobalGCBarrier": func() error {
			_, err := client.SetGlobalGCBarrier(ctx, &pdpb.SetGlobalGCBarrierRequest{})
			return err
		},
		"DeleteGlobalGCBarrier": func() error {
			_, err := client.DeleteGlobalGCBarrier(ctx, &pdpb.DeleteGlobalGCBarrierRequest{})
			return err
		},
		"ScatterRegion": func() error { _, err := client.ScatterRegion(ctx, &pdpb.ScatterRegionRequest{}); return err },
		"GetOperator":   func() error { _, err := client.GetOperator(ctx, &pdpb.GetOperatorRequest{}); return err },
	} {
		require.ErrorContains(t, call(), "no leader", name)
	}
}

// TestOperator: while a region is being scattered, PD names its operator.
func TestOperator(t *testing.T) {
	c, w := start(t, sim.Config{Chooser: always{sim.SiteScatter: 1, sim.SiteDelay: 15}})
	var id uint64
	c.Do(func(*sim.World) { id = uint64(w.Regions()[0].ID) })
	client, ctx := dialPD(t, c)
	op := &pdpb.GetOperatorResponse{}
	for i := 0; op.Status != pdpb.OperatorStatus_RUNNING; i++ { // for 128 ms of real time
		require.Less(t, i, 100)
		r, err := client.ScatterRegion(ctx, &pdpb.ScatterRegionRequest{RegionsId: []uint64{id}})
		require.NoError(t, err)
		require.EqualValues(t, 100, r.FinishedPercentage)
		op, err = client.GetOperator(ctx, &pdpb.GetOperatorRequest{RegionId: id})
		require.NoError(t, err)
	}
	require.Equal(t, "scatter-region", string(op.Desc))
	require.EqualValues(t, id, op.RegionId)
}

// always is a chooser that chooses the same at a site, and 0 elsewhere.
type always map[sim.Site]int

// Choose implements [sim.Chooser].
func (a always) Choose(site sim.Site, n int) int { return min(a[site], n-1) }

// TestAdministrationOfStores: the verbs of administrators travel as the others do.
func TestAdministrationOfStores(t *testing.T) {
	c, w := start(t, sim.Config{})
	timers := newClock(t)
	n := newNetwork(t, timers)
	do := func(req ports.Request) ports.Reply {
		var hdr ports.Header
		c.Do(func(*sim.World) {
			r := w.Regions()[0]
			hdr.Region = r.RegionVersion
			hdr.Peer, _ = r.Peer(r.Leader)
		})
		if req.Verb() == ports.VerbUnsafeDestroyRange {
			hdr = ports.Header{Peer: ports.Peer{Store: 1}}
		}
		box := make(porttest.Mailbox, 1)
		to := ports.Endpoint{Store: hdr.Peer.Store, Address: c.Store(hdr.Peer.Store)}
		n.Submit(to, &hdr, req, timers.Now().Add(time.Minute), ports.Tok{}, box)
		ev := box.Next(t)
		require.Equal(t, ports.EventReply, ev.Kind, "%T", req)
		return ev.Reply
	}
	span := ports.KeyRange{Start: []byte("a"), End: []byte("b")}
	for _, req := range []ports.Request{
		&ports.DeleteRangeRequest{Range: span}, &ports.UnsafeDestroyRangeRequest{Range: span},
		&ports.PrepareFlashbackToVersionRequest{StartTS: 10, Version: 5},
		&ports.FlashbackToVersionRequest{StartTS: 10, CommitTS: 20, Version: 5},
	} {
		reply := do(req).(*ports.RangeReply)
		require.Nil(t, reply.Region(), "%T", req)
		require.Empty(t, reply.Text, "%T", req)
		require.Equal(t, req.Verb(), reply.Of)
	}
	split := do(&ports.SplitRegionRequest{Keys: [][]byte{[]byte("k")}}).(*ports.SplitRegionReply)
	require.Len(t, split.Regions, 2)
	require.Zero(t, do(&ports.RawChecksumRequest{}).(*ports.RawChecksumReply).Pairs)
}
