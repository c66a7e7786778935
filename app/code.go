package app

// Code says what kind of failure an error is. Codes are errors themselves, so that
// errors.Is(err, ErrConflict) asks for the kind.
type Code uint8

// The kinds of failure. The comment says what to do about each.
const (
	// ErrNotFound: the key is absent. A key with an empty value (raw only) is not.
	ErrNotFound Code = iota + 1
	// ErrConflict: another transaction wrote one of the keys after this one began.
	// Run the transaction again; Update does.
	ErrConflict
	// ErrKeyExists: a key that was to be inserted exists.
	ErrKeyExists
	// ErrTxnAborted: somebody else rolled the transaction back, for instance a
	// reader that found its locks expired. Run the transaction again.
	ErrTxnAborted
	// ErrTxnTooOld: the transaction began too long ago to be committed. Run it
	// again, faster.
	ErrTxnTooOld
	// ErrTooLarge: a key, an entry or a transaction exceeds its limit.
	// [Error.Size] and [Error.Limit] say by how much.
	ErrTooLarge
	// ErrMisuse: the call is wrong. [Error.Argument] says what is wrong with it.
	ErrMisuse
	// ErrConcurrentUse: two goroutines used one transaction at the same time and
	// at least one of them wrote. Also an ErrMisuse.
	ErrConcurrentUse
	// ErrFinished: the transaction was committed or rolled back before. Also an
	// ErrMisuse.
	ErrFinished
	// ErrClosed: the client is closed.
	ErrClosed
	// ErrCancelled: the context was cancelled. Also context.Canceled.
	ErrCancelled
	// ErrUnavailable: the cluster did not serve the call before its deadline, or did
	// not answer a request that must not be repeated. In the first case also
	// context.DeadlineExceeded. [Error.Attempts] says what was tried.
	ErrUnavailable
	// ErrUnsupported: a lock was met that this version cannot resolve.
	ErrUnsupported
	// ErrRejected: TiKV or PD refused the request in a way that no retry mends.
	ErrRejected
	// ErrProtocol: a server answered what the protocol does not allow.
	ErrProtocol
	// ErrInternal: this library found itself in a state that must not be. Please
	// report it.
	ErrInternal
	numCodes
)

var codeTexts = [numCodes]string{
	ErrNotFound:      "key not found",
	ErrConflict:      "write conflict",
	ErrKeyExists:     "key exists",
	ErrTxnAborted:    "transaction aborted",
	ErrTxnTooOld:     "transaction too old",
	ErrTooLarge:      "too large",
	ErrMisuse:        "misuse",
	ErrConcurrentUse: "concurrent use of a transaction",
	ErrFinished:      "transaction has ended",
	ErrClosed:        "client closed",
	ErrCancelled:     "cancelled",
	ErrUnavailable:   "unavailable",
	ErrUnsupported:   "not supported yet",
	ErrRejected:      "rejected",
	ErrProtocol:      "protocol violation",
	ErrInternal:      "internal error",
}

// Error implements error.
func (c Code) Error() string { return "tikvx: " + c.text() }

// Is makes the special kinds of misuse match [ErrMisuse].
func (c Code) Is(target error) bool {
	return target == ErrMisuse && (c == ErrConcurrentUse || c == ErrFinished)
}

func (c Code) text() string {
	if c > 0 && c < numCodes {
		return codeTexts[c]
	}
	return "invalid code"
}
