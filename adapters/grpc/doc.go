// Package grpc carries requests to TiKV over gRPC. It implements [ports.Network].
//
// There is one connection for each store, made when it is first needed and closed when it is idle, and on it one
// BatchCommands stream. Submit encodes its request at once and queues it; a writer takes all that is queued, as one
// frame, whenever the frame before it is under way, and so never waits for company. A reader takes replies apart and
// posts them. Verbs that BatchCommands has no command for, and commands that a server answers with nothing, are called
// alone. gRPC's own retries are off.
//
// A request is Unsent until gRPC has taken its frame, and Lost when no answer comes after that. What ends a connection
// answers everything on it: an error of the stream, a store that hangs (see [ports.SilenceLimit]), Forget and Close.
// After a failure the connection is made anew by the next request, but not before a pause that grows.
//
// Deadlines, silence and idleness of a connection are judged by one alarm that goes off when the first of them is due.
package grpc
