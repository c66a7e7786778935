package lock

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// job is the work on the locks of one transaction that were met in one round.
// Pessimistic locks have jobs of their own: what their primary says about them is
// never applied to prewrite locks of the same transaction (pingcap/tidb#21689).
type job struct {
	startTS     ports.Timestamp
	primary     []byte `fp:"shared"`
	pessimistic bool
	// forUpdateTS belongs to pessimistic locks.
	forUpdateTS ports.Timestamp
	txnFile     bool
	// ttl is the longest life that one of the locks was met with, 0 if TiKV told
	// none; size is the largest transaction size.
	ttl, size uint64
	// keys are those of the locks, sorted and distinct.
	keys [][]byte `fp:"shared"`

	stage   stage
	verdict verdict
	// asked: the verdict was had from the primary in this round, so that the
	// primary's own lock is dealt with.
	asked bool
	// foreground: the round waits for this job.
	foreground bool
}

// stage says what a job needs next.
type stage uint8

const (
	needsCheck stage = iota
	needsClean
)

// collect sorts locks into jobs. Keys are copied; sets of shared locks are
// expanded. ok is false if a lock names no transaction.
func collect(locks []ports.Lock) (jobs []job, ok bool) {
	flat := make([]ports.Lock, 0, len(locks))
	for i := range locks {
		l := &locks[i]
		if len(l.Shared) == 0 {
			flat = append(flat, *l)
			continue
		}
		for _, member := range l.Shared {
			if len(member.Key) == 0 {
				member.Key = l.Key
			}
			flat = append(flat, member)
		}
	}
	slices.SortFunc(flat, compareLocks)
	for i := range flat {
		l := &flat[i]
		if l.StartTS == 0 || len(l.Primary) == 0 {
			return nil, false
		}
		if n := len(jobs); n == 0 || !jobs[n-1].holds(l) {
			jobs = append(jobs, newJob(l))
		}
		jobs[len(jobs)-1].add(l)
	}
	return jobs, true
}

// compareLocks sorts by what makes a job, then by key.
func compareLocks(a, b ports.Lock) int {
	if a.StartTS != b.StartTS {
		return cmp.Compare(a.StartTS, b.StartTS)
	}
	if a.Pessimistic() != b.Pessimistic() {
		if a.Pessimistic() {
			return 1
		}
		return -1
	}
	if c := bytes.Compare(a.Primary, b.Primary); c != 0 {
		return c
	}
	if a.Pessimistic() && a.ForUpdateTS != b.ForUpdateTS {
		return cmp.Compare(a.ForUpdateTS, b.ForUpdateTS)
	}
	return bytes.Compare(a.Key, b.Key)
}

func newJob(l *ports.Lock) job {
	j := job{startTS: l.StartTS, primary: bytes.Clone(l.Primary), pessimistic: l.Pessimistic(), foreground: true}
	if j.pessimistic {
		j.forUpdateTS = l.ForUpdateTS
	}
	return j
}

// holds reports whether a lock belongs to the job.
func (j *job) holds(l *ports.Lock) bool {
	return j.startTS == l.StartTS && j.pessimistic == l.Pessimistic() && bytes.Equal(j.primary, l.Primary) &&
		(!j.pessimistic || j.forUpdateTS == l.ForUpdateTS)
}

func (j *job) add(l *ports.Lock) {
	j.ttl, j.size = max(j.ttl, l.TTL), max(j.size, l.TxnSize)
	j.txnFile = j.txnFile || l.IsTxnFile
	if n := len(j.keys); n == 0 || !bytes.Equal(j.keys[n-1], l.Key) {
		j.keys = append(j.keys, bytes.Clone(l.Key))
	}
}

// onlyPrimary reports whether the primary's lock is the only one that was met.
func (j *job) onlyPrimary() bool { return len(j.keys) == 1 && bytes.Equal(j.keys[0], j.primary) }

func (j *job) fingerprint(h *sm.Hash) {
	h.TS(j.startTS)
	h.Bytes(j.primary)
	h.Bool(j.pessimistic)
	h.TS(j.forUpdateTS)
	h.Bool(j.txnFile)
	h.Uint(j.ttl)
	h.Uint(j.size)
	h.Keys(j.keys)
	h.Uint(uint64(j.stage))
	j.verdict.fingerprint(h)
	h.Bool(j.asked)
	h.Bool(j.foreground)
}
