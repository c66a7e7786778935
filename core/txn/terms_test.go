package txn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

func testEnv(clock sm.Clock) *sm.Env {
	knobs := sm.DefaultKnobs()
	return &sm.Env{Knobs: &knobs, Clock: clock}
}

// TestAge: lives of locks are counted from the start timestamp, also when it came
// from elsewhere or the machine slept in between.
func TestAge(t *testing.T) {
	second := ports.Instant(time.Second)
	for _, c := range []struct {
		name  string
		terms terms
		clock sm.Clock
		want  time.Duration
	}{
		{"by the local clock", terms{start: ms(1000), began: second}, sm.Clock{}, 4 * time.Second},
		{"by the oracle", terms{start: ms(1000)}, sm.Clock{TS: ms(60000), At: 3 * second}, 61 * time.Second},
		{"whichever is greater", terms{start: ms(1000), began: second}, sm.Clock{TS: ms(9000), At: 4 * second},
			9 * time.Second},
		{"an old sighting says little", terms{start: ms(1000), began: second}, sm.Clock{TS: ms(900), At: second},
			4 * time.Second},
		{"a start in the future", terms{start: ms(9000)}, sm.Clock{TS: ms(1000), At: 5 * second}, 0},
		{"nothing is known", terms{start: ms(1000)}, sm.Clock{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, c.terms.age(testEnv(c.clock), 5*second))
		})
	}
}

// TestLife: 6 s for each root of a MiB, between 3 s and 20 s (client-go: txnLockTTL).
func TestLife(t *testing.T) {
	for size, want := range map[int]time.Duration{
		0: 3 * time.Second, 16 << 10: 3 * time.Second, 1 << 18: 3 * time.Second, 1 << 20: 6 * time.Second,
		4 << 20: 12 * time.Second, 12 << 20: 20 * time.Second, 1 << 30: 20 * time.Second,
	} {
		tm := terms{size: size}
		require.Equal(t, want, tm.life(testEnv(sm.Clock{})), size)
	}
	tm := terms{start: ms(1000), began: ports.Instant(time.Second)}
	require.Equal(t, uint64(5000), tm.ttl(testEnv(sm.Clock{}), ports.Instant(3*time.Second), 3*time.Second))
}

func TestAdmit(t *testing.T) {
	now, day := ports.Instant(time.Second), 24*time.Hour
	deadline := now.Add(time.Second)
	for _, c := range []struct {
		name  string
		terms terms
		want  sm.FailureCode
	}{
		{"a young transaction", terms{start: ms(1000), began: now, deadline: deadline}, sm.FailNone},
		{"no start", terms{deadline: deadline}, sm.FailMisuse},
		{"the newest version is no start", terms{start: ports.MaxTimestamp, deadline: deadline}, sm.FailMisuse},
		{"a reserved timestamp", terms{start: ports.MaxTimestamp - 1, deadline: deadline}, sm.FailMisuse},
		{"too late", terms{start: ms(1000), began: now, deadline: now}, sm.FailDeadline},
		{"a day old", terms{start: ms(1000), began: now.Add(-day), deadline: deadline}, sm.FailTxnTooOld},
		{"not quite a day old", terms{start: ms(1000), began: now.Add(1 - day), deadline: deadline}, sm.FailNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := admit(testEnv(sm.Clock{}), now, &c.terms)
			require.Equal(t, c.want, f.Code)
		})
	}
}

func TestAdmitTS(t *testing.T) {
	day := (24 * time.Hour).Milliseconds()
	tm := terms{start: ms(1000)}
	for ts, want := range map[ports.Timestamp]sm.FailureCode{
		ms(999): sm.FailProtocol, ms(1000): sm.FailProtocol, ms(1000) + 1: sm.FailNone,
		ms(999 + day): sm.FailNone, ms(1000 + day): sm.FailTxnTooOld,
	} {
		f := admitTS(testEnv(sm.Clock{}), &tm, ts)
		require.Equal(t, want, f.Code, ts)
	}
	hour := time.Hour.Milliseconds()
	for least, want := range map[ports.Timestamp]sm.FailureCode{
		ms(2000): sm.FailNone, ms(1000 + hour): sm.FailNone, ms(1001 + hour): sm.FailRejected,
	} {
		f := admitPush(&ports.KeyError{Kind: ports.KeyCommitTSExpired, MinCommitTS: least}, ms(1000))
		require.Equal(t, want, f.Code, least)
	}
}

func TestFailureOf(t *testing.T) {
	want := map[ports.KeyErrorKind]sm.FailureCode{
		ports.KeyErrorNone: sm.FailProtocol, ports.KeyErrorOther: sm.FailRejected, ports.KeyLocked: sm.FailProtocol,
		ports.KeyWriteConflict: sm.FailConflict, ports.KeyAlreadyExists: sm.FailKeyExists,
		ports.KeyRetryable: sm.FailTxnAborted, ports.KeyAbort: sm.FailRejected, ports.KeyDeadlock: sm.FailTxnAborted,
		ports.KeyCommitTSExpired: sm.FailProtocol, ports.KeyTxnNotFound: sm.FailProtocol,
		ports.KeyCommitTSTooLarge: sm.FailProtocol, ports.KeyAssertionFailed: sm.FailRejected,
		ports.KeyPrimaryMismatch: sm.FailProtocol, ports.KeyTxnLockNotFound: sm.FailTxnAborted,
		ports.KeyTxnLockNotFound + 1: sm.FailProtocol,
	}
	for kind, code := range want {
		key := []byte("k")
		e := &ports.KeyError{Kind: kind, Key: key}
		f := failureOf(e)
		require.Equal(t, code, f.Code, kind)
		key[0] = 'x' // the reply's memory goes back to its owner
		require.Equal(t, "k", string(f.KeyError.Key))
		require.NotContains(t, f.Text, "k is")
	}
	f := failureOf(&ports.KeyError{Kind: ports.KeyWriteConflict, Reason: ports.ConflictSelfRolledBack})
	require.Equal(t, sm.FailTxnAborted, f.Code)
}
