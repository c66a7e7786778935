package grpc_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nowhere is an address at which nobody listens.
func nowhere(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestContract(t *testing.T) {
	porttest.Network(t, func(t *testing.T) *porttest.NetworkRig {
		s := newStore(t)
		c := clock.New()
		n := grpc.New(grpc.Config{ClusterID: 1, Clock: c})
		t.Cleanup(func() {
			s.resume()
			n.Close()
			c.Close()
		})
		return &porttest.NetworkRig{
			Host: porttest.Host{Clock: c}, Network: n,
			Endpoint: ports.Endpoint{Store: 1, Address: s.address},
			Nowhere:  ports.Endpoint{Store: 2, Address: nowhere(t)},
			Header:   ports.Header{Region: ports.RegionVersion{ID: 1}, Peer: ports.Peer{ID: 1, Store: 1}},
			Hang:     s.hang, Continue: s.resume, Close: n.Close,
		}
	})
}
