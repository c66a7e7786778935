package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// region is what PD's HTTP interface tells of a region.
type region struct {
	ID     uint64 `json:"id"`
	Leader peer   `json:"leader"`
	Peers  []peer `json:"peers"`
	Down   []any  `json:"down_peers"`
	// Pending are peers that have not caught up with their leader.
	Pending []any `json:"pending_peers"`
}

type peer struct {
	ID    uint64 `json:"id"`
	Store uint64 `json:"store_id"`
	// Learner is a peer that has no vote yet.
	Learner bool `json:"is_learner"`
}

// api calls PD's HTTP interface.
func (c *Cluster) api(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.PD.Address+"/pd/api/v1/"+path, reader)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// timestamp asks PD for one over gRPC, as clients do.
func (c *Cluster) timestamp(ctx context.Context, cluster uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := grpc.NewClient("passthrough:///"+c.PD.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // one call only
	stream, err := pdpb.NewPDClient(conn).Tso(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&pdpb.TsoRequest{Header: &pdpb.RequestHeader{ClusterId: cluster}, Count: 1})
	if err != nil {
		return err
	}
	reply, err := stream.Recv()
	if err == nil && reply.GetHeader().GetError() != nil {
		err = errors.New(reply.GetHeader().GetError().GetMessage())
	}
	return err
}

func (c *Cluster) regions(ctx context.Context) ([]region, error) {
	var list struct {
		Regions []region `json:"regions"`
	}
	err := c.api(ctx, http.MethodGet, "regions", nil, &list)
	return list.Regions, err
}

// hasRegions reports whether there are at least that many regions and each has
// that many replicas that vote and keep up, and a leader.
func (c *Cluster) hasRegions(least, replicas int) (bool, error) {
	list, err := c.regions(context.Background())
	if err != nil || len(list) < least {
		return false, err
	}
	for _, r := range list {
		voters := 0
		for _, p := range r.Peers {
			if !p.Learner {
				voters++
			}
		}
		if voters < replicas || r.Leader.ID == 0 || len(r.Pending) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// StoreID returns the identifier that PD gave to a store.
func (c *Cluster) StoreID(ctx context.Context, p *Process) (uint64, error) {
	var list struct {
		Stores []struct {
			Store struct {
				ID      uint64 `json:"id"`
				Address string `json:"address"`
			} `json:"store"`
		} `json:"stores"`
	}
	if err := c.api(ctx, http.MethodGet, "stores", nil, &list); err != nil {
		return 0, err
	}
	for _, s := range list.Stores {
		if s.Store.Address == p.Address {
			return s.Store.ID, nil
		}
	}
	return 0, fmt.Errorf("PD knows no store at %s", p.Address)
}

// LeadEverything makes one store lead every region and waits until it does.
func (c *Cluster) LeadEverything(ctx context.Context, p *Process) error {
	store, err := c.StoreID(ctx, p)
	if err != nil {
		return err
	}
	return await(ctx, "one store leads every region", func() (bool, error) {
		list, err := c.regions(ctx)
		if err != nil {
			return false, err
		}
		all := true
		for _, r := range list {
			if r.Leader.Store != store {
				all = false
				// A refused operator (one is running already) is asked for again.
				_ = c.api(ctx, http.MethodPost, "operators", map[string]any{
					"name": "transfer-leader", "region_id": r.ID, "to_store_id": store,
				}, nil)
			}
		}
		return all, nil
	})
}

// AwaitLeadersElsewhere waits until PD knows that no region is led by the store,
// and returns when that was.
func (c *Cluster) AwaitLeadersElsewhere(ctx context.Context, store uint64) (time.Time, error) {
	err := await(ctx, "every region is led by another store", func() (bool, error) {
		list, err := c.regions(ctx)
		if err != nil {
			return false, err
		}
		for _, r := range list {
			if r.Leader.Store == store || r.Leader.ID == 0 {
				return false, nil
			}
		}
		return len(list) > 0, nil
	})
	return time.Now(), err
}
