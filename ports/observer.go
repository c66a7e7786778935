package ports

import "time"

// Attempt describes one request that was answered or given up.
type Attempt struct {
	Verb   Verb
	Store  StoreID
	Region RegionID
	// Fault is the region error, FaultNone when the region served the request.
	Fault FaultKind
	// Cause is set when no answer came.
	Cause CauseKind
	// Elapsed is the time from submission to answer.
	Elapsed time.Duration
}

// Observer watches a client. Implementations must not block and must not call
// back into the client; methods are called from many goroutines. Telemetry only:
// nothing that an observer does changes what the client does.
type Observer interface {
	// OnAttempt is called for every answered or abandoned request.
	OnAttempt(Attempt)
	// OnBackoff is called when an operation starts to wait before a retry.
	OnBackoff(kind string, wait time.Duration)
	// OnRegionLoad is called when a region was loaded from PD.
	OnRegionLoad(regions int, elapsed time.Duration)
	// OnCommit is called when a commit is answered; outcome is "committed",
	// "aborted" or "unknown".
	OnCommit(outcome string, keys int, elapsed time.Duration)
}
