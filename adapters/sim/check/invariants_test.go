package check_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// disk is data that a test writes as it likes, and a monitor that looks at it.
type disk struct {
	locks   map[string]*mvcc.Lock
	records map[string][]mvcc.Write
	// now is the present of status checks.
	now ports.Timestamp
	*check.Invariants
}

func (d *disk) Lock(key []byte) *mvcc.Lock     { return d.locks[string(key)] }
func (d *disk) Writes(key []byte) []mvcc.Write { return d.records[string(key)] }

func newDisk() *disk {
	d := &disk{locks: map[string]*mvcc.Lock{}, records: map[string][]mvcc.Write{}, now: 500}
	d.Invariants = check.NewInvariants(d, func() ports.Timestamp { return max(1000, d.now) })
	return d
}

// The transaction of these tests began at 10, has the primary a, and writes a and b.

func (d *disk) lock(keys ...string) {
	q := &ports.PrewriteRequest{Primary: []byte("a"), StartTS: 10}
	for _, k := range keys {
		d.locks[k] = &mvcc.Lock{Primary: []byte("a"), StartTS: 10, MinCommitTS: 12}
		q.Mutations = append(q.Mutations, ports.Mutation{Key: []byte(k)})
	}
	d.Submitted(q)
	d.Executed(&ports.Header{}, q, &ports.PrewriteReply{})
}

func (d *disk) commit(ts ports.Timestamp, keys ...string) {
	q := &ports.CommitRequest{Primary: []byte("a"), StartTS: 10, CommitTS: ts}
	for _, k := range keys {
		delete(d.locks, k)
		d.records[k] = append(d.records[k], mvcc.Write{StartTS: 10, CommitTS: ts})
		q.Keys = append(q.Keys, []byte(k))
	}
	d.Submitted(q)
	d.Executed(&ports.Header{}, q, &ports.CommitReply{CommitTS: ts})
	d.Answered(q, &ports.CommitReply{CommitTS: ts})
}

func (d *disk) rollback(keys ...string) {
	q := &ports.BatchRollbackRequest{StartTS: 10}
	for _, k := range keys {
		delete(d.locks, k)
		d.records[k] = append(d.records[k], mvcc.Write{StartTS: 10, CommitTS: 10, Kind: ports.KindRollback})
		q.Keys = append(q.Keys, []byte(k))
	}
	d.Executed(&ports.Header{}, q, &ports.BatchRollbackReply{})
	d.Answered(q, &ports.BatchRollbackReply{})
}

func (d *disk) read(ts ports.Timestamp, key string) {
	d.Executed(&ports.Header{}, &ports.GetRequest{Key: []byte(key), TS: ts}, &ports.GetReply{})
}

func (d *disk) resolve(ts ports.Timestamp, keys ...string) {
	q := &ports.ResolveLockRequest{StartTS: 10, CommitTS: ts}
	for _, k := range keys {
		q.Keys = append(q.Keys, []byte(k))
	}
	d.Executed(&ports.Header{}, q, &ports.ResolveLockReply{})
}

func (d *disk) status(primary string, r *ports.CheckTxnStatusReply) {
	q := &ports.CheckTxnStatusRequest{Primary: []byte(primary), LockTS: 10, CurrentTS: d.now, CallerStartTS: 400}
	d.Executed(&ports.Header{}, q, r)
	d.Answered(q, r)
}

func TestInvariantsAccept(t *testing.T) {
	for name, run := range map[string]func(*disk){
		"commit":   func(d *disk) { d.read(14, "a"); d.lock("a", "b"); d.commit(15, "a"); d.commit(15, "b") },
		"rollback": func(d *disk) { d.lock("a", "b"); d.rollback("a"); d.rollback("b") },
		"resolved to commit": func(d *disk) {
			d.lock("a", "b")
			d.commit(15, "a")
			d.status("a", &ports.CheckTxnStatusReply{CommitTS: 15})
			d.resolve(15, "b")
		},
		"resolved to rollback": func(d *disk) {
			d.lock("a", "b")
			d.rollback("a")
			d.now = 1 << 18
			d.status("a", &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback})
			d.resolve(0)
		},
		"secondary rolled back, its primary never came": func(d *disk) { d.lock("b"); d.rollback("b") },
		"read of the newest": func(d *disk) {
			d.read(ports.MaxTimestamp, "a")
			d.lock("a")
			d.commit(15, "a")
		},
		"read through a committed lock": func(d *disk) {
			d.lock("a", "b")
			d.commit(15, "a")
			d.Executed(&ports.Header{CommittedLocks: []ports.Timestamp{10}},
				&ports.GetRequest{Key: []byte("b"), TS: 20}, &ports.GetReply{})
			d.commit(15, "b")
		},
	} {
		d := newDisk()
		run(d)
		require.Empty(t, d.Wrong(), name)
	}
}

func TestInvariantsReject(t *testing.T) {
	for _, c := range []struct {
		what string
		run  func(*disk)
	}{
		{"forbid less than 12", func(d *disk) { d.lock("a"); d.commit(11, "a") }},
		{"which was read at 20", func(d *disk) { d.lock("a"); d.read(20, "a"); d.commit(15, "a") }},
		{"is in the future", func(d *disk) { d.read(1001, "a") }},
		{"is in the future", func(d *disk) { d.lock("a"); d.commit(1001, "a") }},
		{"and on \"b\" at 16", func(d *disk) { d.lock("a", "b"); d.commit(15, "a"); d.commit(16, "b") }},
		{"before its primary", func(d *disk) { d.lock("a", "b"); d.commit(15, "b") }},
		{"is not locked", func(d *disk) { d.lock("a", "b"); delete(d.locks, "b"); d.commit(15, "a") }},
		{"its lock on \"b\" is gone", func(d *disk) {
			d.lock("a", "b")
			d.commit(15, "a")
			delete(d.locks, "b")
			d.resolve(15, "b")
		}},
		{"the commit of 10 on \"a\" is gone", func(d *disk) {
			d.lock("a")
			d.commit(15, "a")
			delete(d.records, "a")
			d.status("a", &ports.CheckTxnStatusReply{})
		}},
		{"and rolled back on \"b\"", func(d *disk) { d.lock("a", "b"); d.commit(15, "a"); d.rollback("b") }},
		{"is rolled back, and committed", func(d *disk) { d.lock("a"); d.rollback("a"); d.commit(15, "a") }},
		{"while its primary is locked", func(d *disk) { d.lock("a", "b"); d.rollback("b") }},
		{"over a version of 13", func(d *disk) {
			d.records["a"] = []mvcc.Write{{StartTS: 9, CommitTS: 13}}
			d.lock("a")
			d.commit(15, "a")
		}},
		{"as committed at 15, it is at 0", func(d *disk) { d.lock("a", "b"); d.resolve(15, "b") }},
		{"resolved as rolled back, it is committed", func(d *disk) {
			d.lock("a", "b")
			d.commit(15, "a")
			d.resolve(0, "b")
		}},
		{"resolved as rolled back while", func(d *disk) { d.lock("a", "b"); d.resolve(0, "b") }},
		{"status of 10 asked at \"b\"", func(d *disk) { d.lock("a", "b"); d.status("b", &ports.CheckTxnStatusReply{}) }},
		{"another \"a\"", func(d *disk) {
			d.lock("a")
			d.Executed(&ports.Header{}, &ports.TxnHeartBeatRequest{Primary: []byte("b"), StartTS: 10}, nil)
		}},
		{"with the primary \"c\"", func(d *disk) {
			d.lock("a", "b")
			d.locks["b"].Primary = []byte("c")
			d.resolve(0)
		}},
		{"committed on \"a\", and locks it", func(d *disk) {
			d.lock("a")
			d.commit(15, "a")
			d.lock("a")
		}},
		{"answered as committed, and as rolled back", func(d *disk) {
			d.lock("a")
			d.commit(15, "a")
			d.status("a", &ports.CheckTxnStatusReply{Action: ports.ActionLockNotExistRollback})
		}},
	} {
		d := newDisk()
		c.run(d)
		require.NotEmpty(t, d.Wrong(), c.what)
		require.Contains(t, strings.Join(d.Wrong(), "; "), c.what)
	}
}

func TestInvariantsAtRest(t *testing.T) {
	d := newDisk()
	d.lock("a", "b")
	d.commit(15, "a")
	require.Len(t, d.AtRest(), 1)
	d.commit(15, "b")
	require.Empty(t, d.AtRest())
	needed := d.Amplification()
	require.Equal(t, check.Amplification{Requests: 3, Txns: 1, Most: 1.5}, needed)
	require.Empty(t, needed.Exceeds(1.5))
	require.Len(t, needed.Exceeds(1.4), 1)
}
