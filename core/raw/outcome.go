// Package raw holds the state machines of raw key-value access: single keys,
// batches, range deletion and scans, each over one or many routed calls.
//
// Raw writes are not transactions. What a write's caller may conclude is one
// [Outcome] for each key, folded over everything that happened to the requests
// that carried the key.
package raw

import (
	"strings"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
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

// answers are the beginnings of TiKV's free-text answers to raw commands that may
// be shown: what follows holds no keys, except behind ", key: " and ", range: "
// (tikv: src/storage/errors.rs, components/tikv_kv/src/lib.rs). refusal says that
// TiKV had done nothing when it gave the answer.
var answers = [...]struct {
	beginning string
	refusal   bool
}{
	{"ttl is not enabled", true},
	{"invalid cf name", true},
	{"cf is deprecated", true},
	{"max key size exceeded", true},
	{"The length of ttls does not equal", true},
	{"Api version in request does not match", true},
	{"Key mode mismatched", true},
	{"Deadline is exceeded", false},
	{"storage is closed", false},
	{"timeout after", false},
	{"undetermined write result", false},
}

// rejected describes TiKV's free-text answer. maybe is set unless TiKV is known to
// have done nothing: the text may also come from a write whose proposal was not
// heard of again. A text that is not known may hold keys, and is kept where
// everybody knows that.
func rejected(text string) (f sm.Failure, maybe bool) {
	f = sm.Failure{Code: sm.FailRejected}
	for _, a := range answers {
		if strings.HasPrefix(text, a.beginning) {
			shown, _, _ := strings.Cut(text, ", key: ")
			shown, _, _ = strings.Cut(shown, ", range: ")
			f.Text = strings.Clone(shown)
			return f, !a.refusal
		}
	}
	f.Text = "TiKV answered with an error"
	f.KeyError = &ports.KeyError{Kind: ports.KeyErrorOther, Text: strings.Clone(text)}
	return f, true
}

// failedKey describes the error of one key of a reply.
func failedKey(e *ports.KeyError) sm.Failure {
	return sm.Failure{Code: sm.FailRejected, Text: "TiKV answered with an error for one key", KeyError: e.Clone()}
}

// malformed describes a reply that does not belong to its request.
func malformed() sm.Failure {
	return sm.Failure{Code: sm.FailProtocol, Text: "the reply does not belong to the request"}
}
