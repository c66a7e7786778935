package app

import "errors"

// Outcome says what became of a write.
type Outcome uint8

// The outcomes of a transaction. The zero value claims nothing.
const (
	// Unknown: the write may have taken effect, or may still take effect, or not.
	Unknown Outcome = iota
	// Committed: the transaction is committed.
	Committed
	// Aborted: the transaction took no effect and never will.
	Aborted
)

// The outcomes of a raw write, beside [Unknown].
const (
	// Applied: the write took effect.
	Applied = Committed
	// NotApplied: the write took no effect and never will.
	NotApplied = Aborted
)

// String implements [fmt.Stringer] in the words of transactions.
func (o Outcome) String() string {
	switch o {
	case Unknown:
		return "unknown"
	case Committed:
		return "committed"
	case Aborted:
		return "aborted"
	}
	return "invalid"
}

// OutcomeOf returns what became of the write that ended with err, [Committed] for
// nil. The error may be wrapped or joined with others; where they differ, the whole
// is [Unknown]. An error without an [*Error] inside is not of this library: it was
// returned by the function given to Update, whose transaction was then rolled back,
// so it is [Aborted]. Wrap errors with %w, or this cannot be told. A read writes
// nothing; its errors are Aborted, too.
func OutcomeOf(err error) Outcome {
	switch e := err.(type) {
	case nil:
		return Committed
	case *Error:
		return e.Outcome
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return OutcomeOf(inner)
		}
	case interface{ Unwrap() []error }:
		return joined(e.Unwrap())
	}
	return Aborted
}

// joined returns the outcome that several errors agree on, as far as they are there.
func joined(errs []error) Outcome {
	all, met := Aborted, false
	for _, err := range errs {
		if err == nil {
			continue
		}
		one := OutcomeOf(err)
		if met && one != all {
			return Unknown
		}
		all, met = one, true
	}
	return all
}

// Retryable reports whether it is worth it, and safe, to try again what ended with
// err: the transaction from its beginning, or the raw call. It is false when the
// outcome is unknown: the second run could apply the write twice.
func Retryable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.retryable && OutcomeOf(err) == NotApplied
}
