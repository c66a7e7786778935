package ports

import "time"

// SilenceLimit is how long an endpoint to which requests are in flight may be
// silent before it is doubted, and how long its probe may then take. A request to a
// hung store is therefore given up after about twice this time, well before the
// region's other peers elect a leader (TiKV: raft-store.raft-election-timeout-ticks,
// 10 s by default).
const SilenceLimit = time.Second

// Network carries requests to stores.
//
// Every Submit and every Probe is answered by exactly one event with its token:
// [EventReply], [EventLost] or [EventUnsent] for Submit, [EventProbed] for Probe.
// The answer may be posted before the call returns. Implementations do not retry.
//
// A store that has stopped but keeps its connections (a stopped process, a stalled
// machine, a network that drops packets) must not hold requests until their
// deadlines, and nobody but the implementation sees that nothing comes. When
// requests are in flight to an endpoint and nothing has come from it for
// [SilenceLimit], the implementation probes it as Probe does; if the probe is not
// answered within [SilenceLimit] either, everything in flight there is answered at
// once: Lost with [CauseHung], or Unsent where nothing was handed to the wire. An
// endpoint that answers anything at all, or the probe, is slow and not hung.
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
