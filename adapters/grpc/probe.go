package grpc

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/ports"
)

// Probe implements [ports.Network]: gRPC's health check, on a connection of its own.
func (n *Network) Probe(to ports.Endpoint, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	started := n.start(func() {
		cause := n.probe(to, deadline)
		sink.Post(ports.Event{Kind: ports.EventProbed, Tok: tok, Now: n.clock.Now(), Cause: cause})
	})
	if !started {
		sink.Post(unanswered(ports.EventProbed, tok, n.clock.Now(), networkClosed))
	}
}

// probe returns the zero cause when the store says that it serves, and CauseRejected when it says that it does not. A
// store without a health service is alive: it has answered.
func (n *Network) probe(to ports.Endpoint, deadline ports.Instant) ports.Cause {
	ctx, cancel := n.until(n.life, deadline)
	defer cancel()
	cc, err := n.dial(to.Address)
	if err != nil {
		return malformedAddress
	}
	defer cc.Close()
	answer, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{})
	switch {
	case n.life.Err() != nil:
		return networkClosed
	case err == nil && answer.GetStatus() == healthpb.HealthCheckResponse_NOT_SERVING:
		return ports.Cause{Kind: ports.CauseRejected, Text: "the store does not serve"}
	case err == nil, status.Code(err) == codes.Unimplemented, status.Code(err) == codes.NotFound:
		return ports.Cause{}
	}
	return dialCause(err)
}

// until returns a context that ends at an instant of the host's clock.
func (n *Network) until(parent context.Context, deadline ports.Instant) (context.Context, context.CancelFunc) {
	left := deadline.Sub(n.clock.Now())
	return context.WithTimeout(parent, min(left, 24*time.Hour))
}
