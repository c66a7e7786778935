package ports

// Timers is the host's clock.
type Timers interface {
	// Now returns the present instant; it never goes back.
	Now() Instant
	// Arm posts one [EventTimer] with the token at the given instant or soon
	// after. There is no way to disarm: a token that nobody waits for is ignored.
	Arm(at Instant, tok Tok, sink Sink)
}
