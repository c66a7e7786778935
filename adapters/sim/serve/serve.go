// Package serve puts a simulated cluster behind the protocols of PD and TiKV, so that clients in any language, and
// other clients' test suites, can use it. PD and every store listen on a port of their own on this machine.
//
// The network between the cluster and whoever connects is real; on top of it everything happens that the world's
// faults allow. A request that the world loses is not answered, a store that crashes or resets a connection ends the
// stream, and a store that hangs answers nothing, health checks included.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"github.com/pingcap/kvproto/pkg/keyspacepb"
	"github.com/pingcap/kvproto/pkg/meta_storagepb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

// ClusterID is the identifier of every simulated cluster.
const ClusterID = 7_000_001

// patience is how long a question waits whose caller names no end.
const patience = time.Minute

// Config says where and how the servers listen.
type Config struct {
	// PD is the address of PD, host:port; empty means a free port on 127.0.0.1.
	PD string
	// TLS, when set, is what PD and the stores secure their connections with.
	TLS *tls.Config
}

// Cluster is a world that is served. Safe for concurrent use.
type Cluster struct {
	wall    *sim.Wall
	pd      string
	secure  bool
	servers []*grpc.Server
	// addresses are those of the stores' servers, by store.
	addresses map[ports.StoreID]string
	// caller makes the calls that belong to no stream.
	caller     *sim.WallClient
	goroutines sync.WaitGroup
}

// Start serves a world, in real time from now on. The world is then reached through [Cluster.Do] only.
func Start(w *sim.World, cfg Config) (*Cluster, error) {
	c := &Cluster{secure: cfg.TLS != nil, addresses: map[ports.StoreID]string{}}
	stores := w.Stores()
	var listeners []net.Listener
	address := cfg.PD
	for i := range len(stores) + 1 {
		if i > 0 || address == "" {
			address = "127.0.0.1:0"
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, l := range listeners {
				err = errors.Join(err, l.Close())
			}
			return nil, fmt.Errorf("serve: %w", err)
		}
		listeners = append(listeners, l)
	}
	c.wall = sim.NewWall(w)
	c.caller = c.wall.Client("caller")
	c.pd = listeners[0].Addr().String()
	for i := range stores {
		c.addresses[stores[i].ID] = listeners[i+1].Addr().String()
	}
	// Messages may have any size, and clients may ask as often as they like whether the connection lives (tikv:
	// src/server/server.rs: max_receive_message_len, http2_max_ping_strikes).
	options := []grpc.ServerOption{
		grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(math.MaxInt32),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Nanosecond, PermitWithoutStream: true}),
	}
	if c.secure {
		options = append(options, grpc.Creds(credentials.NewTLS(cfg.TLS)))
	}
	pd := grpc.NewServer(options...)
	driver := &driver{cluster: c}
	pdpb.RegisterPDServer(pd, driver)
	meta_storagepb.RegisterMetaStorageServer(pd, driver)
	keyspacepb.RegisterKeyspaceServer(pd, &keyspaces{driver: driver})
	c.serve(pd, listeners[0])
	for i := range stores {
		station := &station{cluster: c, id: stores[i].ID}
		own := []grpc.ServerOption{grpc.ForceServerCodecV2(codec{}), grpc.UnknownServiceHandler(station.handle)}
		c.serve(grpc.NewServer(append(own, options...)...), listeners[i+1])
	}
	return c, nil
}

func (c *Cluster) serve(s *grpc.Server, l net.Listener) {
	c.servers = append(c.servers, s)
	// Serve returns when Close stops the server; there is nobody to tell of an earlier end.
	c.goroutines.Go(func() { _ = s.Serve(l) })
}

// PD returns the address that clients open.
func (c *Cluster) PD() string { return c.pd }

// Store returns the address of a store's server, "" when there is no such store.
func (c *Cluster) Store(id ports.StoreID) string { return c.addresses[id] }

// Do calls f on the world while nothing else happens to it. f must not wait.
func (c *Cluster) Do(f func(w *sim.World)) { c.wall.Do(f) }

// Close ends every stream, every server and the world, and waits for them.
func (c *Cluster) Close() {
	for _, s := range c.servers {
		s.Stop()
	}
	c.goroutines.Wait()
	c.caller.Close()
	c.wall.Close()
}

// endpoint returns where the world has a store at this moment.
func (c *Cluster) endpoint(id ports.StoreID) ports.Endpoint {
	to := ports.Endpoint{Store: id}
	c.wall.Do(func(w *sim.World) {
		for _, s := range w.Stores() {
			if s.ID == id {
				to.Address = s.Address
			}
		}
	})
	return to
}

// deadline is the instant at which a call's context ends.
func (c *Cluster) deadline(ctx context.Context) ports.Instant {
	now := c.caller.Now()
	if end, ok := ctx.Deadline(); ok {
		return now.Add(time.Until(end))
	}
	return now.Add(patience)
}

// answer takes one event.
type answer chan ports.Event

// Post implements [ports.Sink].
func (a answer) Post(ev ports.Event) { a <- ev }
