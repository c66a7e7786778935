package ports

// Oracle allocates timestamps (PD's TSO). Every call is answered by exactly one
// [EventTimestamp] or [EventRefused] with its token. A timestamp is greater than
// every timestamp that was answered anywhere before the call was made.
type Oracle interface {
	Timestamp(deadline Instant, tok Tok, sink Sink)
}
