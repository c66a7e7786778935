package sim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

func TestNetwork(t *testing.T) {
	porttest.Network(t, func(t *testing.T) *porttest.NetworkRig {
		w, c := oneClient(t, sim.Config{RawKeys: true})
		r := w.Regions()[0]
		leader, _ := r.Peer(r.Leader)
		return &porttest.NetworkRig{
			Host: porttest.Host{Clock: c, Step: w.Step}, Network: c,
			Endpoint: endpoint(w, leader.Store), Nowhere: ports.Endpoint{Store: 9, Address: "nowhere:1"},
			Header: ports.Header{Region: r.RegionVersion, Peer: leader},
			Hang:   func() { w.Hang(leader.Store) }, Continue: func() { w.Resume(leader.Store) },
			Close: c.Close,
		}
	})
}

func TestOracle(t *testing.T) {
	porttest.Oracle(t, func(t *testing.T) *porttest.OracleRig {
		w, c := oneClient(t, sim.Config{})
		return &porttest.OracleRig{
			Host: porttest.Host{Clock: c, Step: w.Step}, Oracle: c,
			Silence: func() { w.SilencePD(ports.Forever) }, Continue: w.ResumePD, Close: c.Close,
		}
	})
}

func TestPlacement(t *testing.T) {
	porttest.Placement(t, func(t *testing.T) *porttest.PlacementRig {
		w, buckets := divided(t)
		t.Cleanup(w.Close)
		c := w.Client("client")
		return &porttest.PlacementRig{
			Host: porttest.Host{Clock: c, Step: w.Step}, Placement: c, Stores: w.Stores(),
			Regions: w.Regions(), Buckets: buckets,
			Silence: func() { w.SilencePD(ports.Forever) }, Continue: w.ResumePD, Close: c.Close,
		}
	})
}

func TestTimers(t *testing.T) {
	porttest.Timers(t, func(t *testing.T) porttest.Host {
		w, c := oneClient(t, sim.Config{})
		return porttest.Host{Clock: c, Step: w.Step}
	})
}

func TestWallNetwork(t *testing.T) {
	porttest.Network(t, func(t *testing.T) *porttest.NetworkRig {
		w, err := sim.New(sim.Config{RawKeys: true})
		require.NoError(t, err)
		r := w.Regions()[0]
		leader, _ := r.Peer(r.Leader)
		to := endpoint(w, leader.Store)
		wall := sim.NewWall(w)
		t.Cleanup(wall.Close)
		c := wall.Client("client")
		return &porttest.NetworkRig{
			Host: porttest.Host{Clock: c}, Network: c,
			Endpoint: to, Nowhere: ports.Endpoint{Store: 9, Address: "nowhere:1"},
			Header:   ports.Header{Region: r.RegionVersion, Peer: leader},
			Hang:     func() { wall.Do(func(w *sim.World) { w.Hang(leader.Store) }) },
			Continue: func() { wall.Do(func(w *sim.World) { w.Resume(leader.Store) }) },
			Close:    c.Close,
		}
	})
}

func TestWallOracleAndTimers(t *testing.T) {
	open := func(t *testing.T) (*sim.Wall, *sim.WallClient) {
		w, err := sim.New(sim.Config{})
		require.NoError(t, err)
		wall := sim.NewWall(w)
		t.Cleanup(wall.Close)
		return wall, wall.Client("client")
	}
	porttest.Oracle(t, func(t *testing.T) *porttest.OracleRig {
		wall, c := open(t)
		return &porttest.OracleRig{
			Host: porttest.Host{Clock: c}, Oracle: c, Close: c.Close,
			Silence:  func() { wall.Do(func(w *sim.World) { w.SilencePD(ports.Forever) }) },
			Continue: func() { wall.Do(func(w *sim.World) { w.ResumePD() }) },
		}
	})
	porttest.Timers(t, func(t *testing.T) porttest.Host {
		_, c := open(t)
		return porttest.Host{Clock: c}
	})
}

func TestWallPlacement(t *testing.T) {
	porttest.Placement(t, func(t *testing.T) *porttest.PlacementRig {
		w, buckets := divided(t)
		regions, stores := w.Regions(), w.Stores()
		wall := sim.NewWall(w)
		t.Cleanup(wall.Close)
		c := wall.Client("client")
		return &porttest.PlacementRig{
			Host: porttest.Host{Clock: c}, Placement: c, Regions: regions, Buckets: buckets, Stores: stores,
			Close:    c.Close,
			Silence:  func() { wall.Do(func(w *sim.World) { w.SilencePD(ports.Forever) }) },
			Continue: func() { wall.Do(func(w *sim.World) { w.ResumePD() }) },
		}
	})
}

// divided returns a world with three regions, the first two with several buckets, and the buckets.
func divided(t *testing.T) (*sim.World, []*ports.Buckets) {
	w, err := sim.New(sim.Config{Splits: [][]byte{[]byte("f"), []byte("m")}, RawKeys: true, BucketKeys: 1})
	require.NoError(t, err)
	for _, key := range "abcghi" {
		w.Engine().Raw(1).Put(&ports.RawPutRequest{Key: []byte(string(key))}, &ports.RawWriteReply{})
	}
	var buckets []*ports.Buckets
	for _, r := range w.Regions() {
		require.True(t, w.RefreshBuckets(r.ID))
		buckets = append(buckets, w.Buckets(r.ID))
	}
	w.Run(w.Now().Add(time.Second), nil)
	return w, buckets
}

// oneClient returns a world with one client.
func oneClient(t *testing.T, config sim.Config) (*sim.World, *sim.Client) {
	w, err := sim.New(config)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w, w.Client("client")
}

func endpoint(w *sim.World, id ports.StoreID) ports.Endpoint {
	return ports.Endpoint{Store: id, Address: w.Stores()[id-1].Address}
}

// spaces are two keyspaces, one with a GC of its own.
var spaces = []ports.Keyspace{{ID: 7, Name: "own", OwnGC: true}, {ID: 3, Name: "shared"}}

func regionIDs(w *sim.World) []ports.RegionID {
	list := w.Regions()
	return []ports.RegionID{list[0].ID, list[1].ID}
}

func TestAdmin(t *testing.T) {
	porttest.Admin(t, func(t *testing.T) *porttest.AdminRig {
		w, c := oneClient(t, sim.Config{Keyspaces: spaces})
		return &porttest.AdminRig{
			Host: porttest.Host{Clock: c, Step: w.Step}, Admin: c, Own: spaces[0], Shared: spaces[1], Regions: regionIDs(w),
			Silence: func() { w.SilencePD(ports.Forever) }, Continue: w.ResumePD, Close: c.Close,
		}
	})
}

func TestWallAdmin(t *testing.T) {
	porttest.Admin(t, func(t *testing.T) *porttest.AdminRig {
		w, err := sim.New(sim.Config{Keyspaces: spaces})
		require.NoError(t, err)
		regions := regionIDs(w)
		wall := sim.NewWall(w)
		t.Cleanup(wall.Close)
		c := wall.Client("client")
		return &porttest.AdminRig{
			Host: porttest.Host{Clock: c}, Admin: c, Own: spaces[0], Shared: spaces[1], Regions: regions, Close: c.Close,
			Silence:  func() { wall.Do(func(w *sim.World) { w.SilencePD(ports.Forever) }) },
			Continue: func() { wall.Do(func(w *sim.World) { w.ResumePD() }) },
		}
	})
}
