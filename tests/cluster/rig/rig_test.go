package rig

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestAwaitStores: a cluster is there when every store of it can be reached.
func TestAwaitStores(t *testing.T) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	late, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Stores: []*Process{
		{Name: "first", Address: first.Addr().String()}, {Name: "late", Address: late},
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.awaitStores(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a store that does not listen is waited for: %v", err)
	}
	there := make(chan error, 1)
	go func() { there <- c.awaitStores(t.Context()) }()
	second, err := net.Listen("tcp", late)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := <-there; err != nil {
		t.Fatal(err)
	}
}

// TestAwaitAnotherStart: a cluster that does not come up is started again, in a place of its own.
func TestAwaitAnotherStart(t *testing.T) {
	tries := 0
	second := func(_ context.Context, _ Binaries, dir string) (*Cluster, error) {
		if tries++; tries == 1 {
			return nil, errors.New("somebody else has the port")
		}
		return &Cluster{dir: dir}, nil
	}
	c, err := start(t.Context(), Binaries{}, t.TempDir(), second)
	if err != nil || tries != 2 || filepath.Base(c.dir) != "start2" {
		t.Fatalf("%d tries: %v", tries, err)
	}
}

// The other tests start real servers.

func binaries(t *testing.T) Binaries {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Build(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUnistoreStartsAndComesBackAfterPDWasKilled(t *testing.T) {
	b := binaries(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := StartUnistore(ctx, b, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.PD.Kill()
	if err := c.PD.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitPD(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestRaftStoresElectWhenTheLeaderDies(t *testing.T) {
	b := binaries(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c, err := StartRaft(ctx, b, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.LeadEverything(ctx, c.Stores[0]); err != nil {
		t.Fatal(err)
	}
	id, err := c.StoreID(ctx, c.Stores[0])
	if err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	c.Stores[0].Kill()
	elected, err := c.AwaitLeadersElsewhere(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("elected after %v", elected.Sub(killed).Round(time.Millisecond))
}
