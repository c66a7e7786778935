package tikvx

import (
	"context"
	"errors"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/adapters/pd"
	"github.com/tikvx/tikvx/app"
)

// connect makes the ports of a client on a real cluster: PD on its own library, TiKV
// over gRPC, and the clock of the process.
func connect(ctx context.Context, endpoints []string, c app.Connection) (app.Ports, error) {
	var files TLS
	if c.TLS != nil {
		files = *c.TLS
	}
	timers := clock.New()
	placement, err := pd.Open(ctx, pd.Config{
		Endpoints: endpoints, CA: files.CA, Cert: files.Cert, Key: files.Key, Clock: timers,
	})
	if err != nil {
		timers.Close()
		return app.Ports{}, wrongEndpoint(err)
	}
	network := grpc.New(grpc.Config{
		ClusterID: placement.ClusterID(), CA: files.CA, Cert: files.Cert, Key: files.Key, Clock: timers,
	})
	return app.Ports{
		Network: network, Oracle: placement, Placement: placement, Timers: timers,
		Close: func() {
			network.Close()
			placement.Close()
			timers.Close()
		},
	}, nil
}

// wrongEndpoint turns what PD's adapter did not even try into a misuse.
func wrongEndpoint(err error) error {
	var endpoint *pd.EndpointError
	switch {
	case errors.Is(err, pd.ErrNoEndpoint):
	case errors.As(err, &endpoint) && endpoint.Malformed:
	default:
		return err
	}
	return &Error{Code: ErrMisuse, Op: "open", Outcome: Aborted, Argument: "endpoints", Text: err.Error(), Err: err}
}
