package sm

import "github.com/tikvx/tikvx/ports"

// FailureCode says why an operation could not do what was asked. Core has codes;
// errors begin in app.
type FailureCode uint8

// The ways to fail.
const (
	FailNone FailureCode = iota
	// FailCancelled: the caller stopped waiting.
	FailCancelled
	// FailDeadline: the deadline passed; History says what was tried.
	FailDeadline
	// FailLost: a request that must not be repeated got no answer.
	FailLost
	// FailRejected: TiKV refused in a way that no retry mends (Fault or Text).
	FailRejected
	// FailConflict: another transaction wrote a key after this one began.
	FailConflict
	// FailKeyExists: a key that was to be inserted exists.
	FailKeyExists
	// FailTxnAborted: the transaction was rolled back by somebody else.
	FailTxnAborted
	// FailTxnTooOld: the transaction began too long ago to be committed.
	FailTxnTooOld
	// FailUnsupported: a lock of a kind was met that this client cannot resolve.
	FailUnsupported
	// FailMisuse: the request itself is wrong; nothing was sent.
	FailMisuse
	// FailProtocol: TiKV or PD answered what the protocol does not allow.
	FailProtocol
)

// Attempt is one entry of an operation's history.
type Attempt struct {
	Store ports.StoreID
	Fault ports.FaultKind
	Cause ports.CauseKind
}

// HistorySize is the number of attempts that a failure remembers.
const HistorySize = 4

// History remembers the last attempts of an operation.
type History struct {
	// Count is the number of attempts that were made.
	Count int
	// Last holds the newest attempts, the newest at (Count-1) % HistorySize.
	Last [HistorySize]Attempt
}

// Add records an attempt.
func (h *History) Add(a Attempt) {
	h.Last[h.Count%HistorySize] = a
	h.Count++
}

// Fingerprint implements part of [Machine].
func (h *History) Fingerprint(x *Hash) {
	x.Int(h.Count)
	for _, a := range h.Last {
		x.Uint(uint64(a.Store))
		x.Uint(uint64(a.Fault)<<8 | uint64(a.Cause))
	}
}

// Failure describes why an operation failed. The zero Failure is no failure.
type Failure struct {
	Code    FailureCode
	Fault   ports.FaultKind
	Cause   ports.Cause
	History History
	// KeyError is set when a key error led here; its byte slices are owned, and
	// nothing changes it afterwards, so that copies of a failure share it.
	KeyError *ports.KeyError `fp:"shared"`
	// Text is short and free of keys.
	Text string
}

// Failed reports whether there is a failure.
func (f *Failure) Failed() bool { return f.Code != FailNone }

// Fingerprint implements part of [Machine].
func (f *Failure) Fingerprint(x *Hash) {
	x.Uint(uint64(f.Code)<<8 | uint64(f.Fault))
	x.Cause(f.Cause)
	f.History.Fingerprint(x)
	x.KeyError(f.KeyError)
	x.Text(f.Text)
}
