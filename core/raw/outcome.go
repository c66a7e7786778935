// Package raw holds the state machines of raw key-value access: single keys,
// batches, range deletion and scans, each over one or many routed calls.
//
// Raw writes are not transactions. What a write's caller may conclude is one
// [Outcome] for each key, folded over everything that happened to the requests
// that carried the key.
package raw

import (
	"github.com/tikvx/tikvx/core/sm"
)

// Outcome says what became of a raw write.
type Outcome uint8

// The outcomes of a raw write.
const (
	// NotApplied: the write took no effect and never will.
	NotApplied Outcome = iota
	// Applied: the write took effect.
	Applied
	// Unknown: some attempt was lost; the write may have taken effect, or may
	// still take effect.
	Unknown
)

// String implements [fmt.Stringer].
func (o Outcome) String() string {
	switch o {
	case NotApplied:
		return "not applied"
	case Applied:
		return "applied"
	case Unknown:
		return "unknown"
	}
	return "invalid"
}

// join folds the outcomes of several parts of one write.
func join(a, b Outcome) Outcome {
	if a == b {
		return a
	}
	return Unknown
}

// unfinished is the outcome of a write that ended without a success.
func unfinished(maybe bool) Outcome {
	if maybe {
		return Unknown
	}
	return NotApplied
}

// rejected describes TiKV's free-text error of a raw command. The text is kept:
// TiKV puts no keys into it.
func rejected(text string) sm.Failure {
	return sm.Failure{Code: sm.FailRejected, Text: text}
}

// malformed describes a reply of the wrong kind.
func malformed() sm.Failure {
	return sm.Failure{Code: sm.FailProtocol, Text: "reply of another verb"}
}
