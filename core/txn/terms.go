package txn

import (
	"math"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// terms are what all requests of one commit have in common.
type terms struct {
	start ports.Timestamp
	// began is the instant at which the oracle gave start, 0 when it came from
	// elsewhere.
	began    ports.Instant
	deadline ports.Instant
	primary  []byte `fp:"shared"`
	// size is the bytes of all keys and values.
	size     int
	priority ports.Priority
	source   string
}

// age returns how long ago the transaction began. Lives of locks are counted from
// the start timestamp, so the oracle's time is what matters; the local clock alone
// would give a transaction with an old start timestamp locks that are born
// expired.
func (t *terms) age(env *sm.Env, now ports.Instant) time.Duration {
	age := time.Duration(0)
	if t.began != 0 {
		age = now.Sub(t.began)
	}
	if env.Clock.TS != 0 {
		age = max(age, ts.Sub(env.Clock.TS, t.start)+max(now.Sub(env.Clock.At), 0))
	}
	return max(age, 0)
}

// lifePerRootMiB is the life that a transaction's size earns its locks, for each
// square root of a MiB (client-go: txnLockTTL).
const lifePerRootMiB = 6 * time.Second

// life returns how long locks live after they are written.
func (t *terms) life(env *sm.Env) time.Duration {
	earned := time.Duration(float64(lifePerRootMiB) * math.Sqrt(float64(t.size)/(1<<20)))
	return max(env.Knobs.LockTTL, min(earned, env.Knobs.MaxLockTTL))
}

// ttl returns the milliseconds after the start timestamp at which a lock that is
// written now and lives for so long expires.
func (t *terms) ttl(env *sm.Env, now ports.Instant, life time.Duration) uint64 {
	return uint64((t.age(env, now) + life).Milliseconds())
}

// label fills in the part of a header that is not about routing.
func (t *terms) label(hdr *ports.Header) {
	hdr.Priority, hdr.RequestSource = t.priority, t.source
}

func (t *terms) fingerprint(h *sm.Hash) {
	h.TS(t.start)
	h.Instant(t.began)
	h.Instant(t.deadline)
	h.Bytes(t.primary)
	h.Int(t.size)
	h.Uint(uint64(t.priority))
	h.Text(t.source)
}
