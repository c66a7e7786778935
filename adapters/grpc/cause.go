package grpc

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/ports"
)

// Causes that are not gRPC's.
var (
	networkClosed    = ports.Cause{Kind: ports.CauseClosed, Text: "closed"}
	storeMoved       = ports.Cause{Kind: ports.CauseConnection, Text: "the store has moved"}
	storeHung        = ports.Cause{Kind: ports.CauseHung, Text: "the store is silent and does not answer a probe"}
	deadlinePassed   = ports.Cause{Kind: ports.CauseTimeout, Text: "the deadline passed"}
	malformedAnswer  = ports.Cause{Kind: ports.CauseMalformed, Text: "the answer is malformed"}
	malformedAddress = ports.Cause{Kind: ports.CauseConnection, Text: "the address is malformed"}
	brokenStream     = ports.Cause{Kind: ports.CauseConnection, Text: "the stream is broken"}
)

// causeOf says why a call or a stream ended. The texts that servers send are not passed on: they can contain keys.
func causeOf(err error) ports.Cause {
	code := status.Code(err)
	return ports.Cause{Kind: causeKind(code), Text: "gRPC: " + code.String()}
}

// dialCause says why a connection could not be made. That text is gRPC's own and names nothing but the address.
func dialCause(err error) ports.Cause {
	cause := causeOf(err)
	if cause.Kind == ports.CauseConnection {
		cause.Text = status.Convert(err).Message()
	}
	return cause
}

func causeKind(code codes.Code) ports.CauseKind {
	switch code {
	case codes.DeadlineExceeded:
		return ports.CauseTimeout
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented,
		codes.FailedPrecondition:
		// TiKV answers InvalidArgument to a request for another cluster.
		return ports.CauseRejected
	case codes.OK, codes.Canceled, codes.Unknown, codes.NotFound, codes.AlreadyExists, codes.ResourceExhausted,
		codes.Aborted, codes.OutOfRange, codes.Internal, codes.Unavailable, codes.DataLoss:
		return ports.CauseConnection
	}
	return ports.CauseConnection
}
