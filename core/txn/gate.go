package txn

import (
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// maxPush is how far beyond a commit timestamp a reader can have pushed the least
// one that the primary's lock accepts; more is a broken reader, whose demand would
// put the commit into the future (client-go: an hour).
const maxPush = time.Hour

// admit is the gate before the first request.
func admit(env *sm.Env, now ports.Instant, t *terms) sm.Failure {
	switch {
	case t.start == 0 || t.start == ports.MaxTimestamp || !t.start.Readable():
		return sm.Failure{Code: sm.FailMisuse, Text: "a start timestamp that cannot be one"}
	case now >= t.deadline:
		return sm.Failure{Code: sm.FailDeadline}
	}
	return tooOld(env, t.age(env, now))
}

// admitTS is the gate that every commit timestamp has to pass, before anything is
// sent that could commit at it.
func admitTS(env *sm.Env, t *terms, commitTS ports.Timestamp) sm.Failure {
	if commitTS <= t.start {
		return sm.Failure{Code: sm.FailProtocol, Text: "a commit timestamp not above the start timestamp"}
	}
	return tooOld(env, ts.Sub(commitTS, t.start))
}

// admitPush is the gate for a least commit timestamp that TiKV demands.
func admitPush(e *ports.KeyError, commitTS ports.Timestamp) sm.Failure {
	if ts.Sub(e.MinCommitTS, commitTS) > maxPush {
		return sm.Failure{
			Code: sm.FailRejected, KeyError: e.Clone(), Text: "a least commit timestamp too far in the future",
		}
	}
	return sm.Failure{}
}

func tooOld(env *sm.Env, age time.Duration) sm.Failure {
	if age >= env.Knobs.MaxCommitAge {
		return sm.Failure{Code: sm.FailTxnTooOld}
	}
	return sm.Failure{}
}
