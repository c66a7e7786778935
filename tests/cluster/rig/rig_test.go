package rig

import (
	"context"
	"testing"
	"time"
)

// These tests start real servers: they belong to `make cluster`.

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
