package ports

// Network carries requests to stores.
//
// Every Submit and every Probe is answered by exactly one event with its token:
// [EventReply], [EventLost] or [EventUnsent] for Submit, [EventProbed] for Probe.
// The answer may be posted before the call returns. Implementations do not retry.
//
// Safe for concurrent use unless the host says otherwise.
type Network interface {
	// Submit sends req under hdr. Both are borrowed until Submit returns. When no
	// answer has come at deadline, Lost is posted if bytes were handed to the
	// wire and Unsent if not; a reply that comes later is dropped.
	Submit(to Endpoint, hdr *Header, req Request, deadline Instant, tok Tok, sink Sink)
	// Probe asks whether the store serves, on a path of its own so that a stuck
	// stream cannot answer for it.
	Probe(to Endpoint, deadline Instant, tok Tok, sink Sink)
	// Watch names the sink for facts that no operation asked for (EventLearn).
	// Called at most once, before the first Submit.
	Watch(sink Sink)
	// Forget closes the connections to an endpoint whose store moved away;
	// requests in flight on them are Lost.
	Forget(to Endpoint)
}
