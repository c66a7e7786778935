package explore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

// data makes stored data: locks and versions of transactions that are named by the timestamp at which they began.
func data(x *Explorer, locks []held, versions []version) *engine {
	var e mvcc.Engine
	for _, v := range versions {
		e.PutLock([]byte(v.key), mvcc.Lock{Primary: []byte("a"), StartTS: v.start, Value: []byte(v.value)})
		e.Commit(&ports.CommitRequest{Keys: keyBytes([]string{v.key}), StartTS: v.start, CommitTS: v.commit},
			&ports.CommitReply{})
	}
	for _, l := range locks {
		e.PutLock([]byte(l.key), mvcc.Lock{Primary: []byte("a"), StartTS: l.start, MinCommitTS: l.least, TTL: l.ttl})
	}
	return x.engine(&e)
}

func put2(start, commit ports.Timestamp) []version {
	return []version{{key: "a", start: start, commit: commit}, {key: "b", start: start, commit: commit}}
}

// What stores must never keep, and what they may.
func TestStoredDataIsInspected(t *testing.T) {
	x := New(config(0, 0))
	for name, c := range map[string]struct {
		versions []version
		wrong    string
	}{
		"nothing":             {},
		"one after the other": {append(put2(1, 2), put2(3, 4)...), ""},
		"next to each other":  {append(put2(1, 2), put2(2, 4)...), ""},
		"overlap on different keys": {[]version{
			{key: "a", start: 1, commit: 3}, {key: "b", start: 2, commit: 4},
		}, ""},
		"overlap": {append(put2(1, 3), put2(2, 4)...), "T1 and T2 overlap, and both wrote a"},
		"two commit timestamps": {[]version{
			{key: "a", start: 1, commit: 3}, {key: "b", start: 1, commit: 4},
		}, "T1 is committed at T3 and at T4"},
	} {
		require.Equal(t, c.wrong, data(x, nil, c.versions).wrong, name)
	}
	twice := &engine{versions: []version{{key: "a", start: 1, commit: 2}, {key: "a", start: 1, commit: 2}}}
	require.Equal(t, "T1 is committed twice on a", twice.inspect())
}

// What no request may do.
func TestRequestsAreInspected(t *testing.T) {
	x := New(config(0, 0))
	before := data(x, []held{{key: "b", start: 3, least: 6}}, put2(1, 2))
	require.Empty(t, compare(before, before))
	require.Empty(t, compare(before, data(x, nil, append(put2(1, 2), version{key: "b", start: 3, commit: 6}))))
	require.Equal(t, "the commit of T1 on b is gone", compare(before, data(x, nil, put2(1, 2)[:1])))
	require.Equal(t, "the commit of T1 on a is gone", compare(before, data(x, nil, put2(1, 3))))
	require.Equal(t, "T3 is committed below its least timestamp",
		compare(before, data(x, nil, append(put2(1, 2), version{key: "b", start: 3, commit: 5}))))
	require.Equal(t, "T1 is committed on b, and locks it again",
		compare(before, data(x, []held{{key: "b", start: 1}}, put2(1, 2))))
}

// What replies say of transactions.
func TestVerdicts(t *testing.T) {
	commit, rollback := &ports.CommitRequest{StartTS: 1}, &ports.BatchRollbackRequest{StartTS: 1}
	status, failed := &ports.CheckTxnStatusRequest{LockTS: 1}, &ports.KeyError{}
	for _, c := range []struct {
		req  ports.Request
		body ports.Reply
		want said
	}{
		{commit, &ports.CommitReply{}, saidCommitted},
		{commit, &ports.CommitReply{Err: failed}, 0},
		{rollback, &ports.BatchRollbackReply{}, saidRolledBack},
		{rollback, &ports.BatchRollbackReply{Err: failed}, 0},
		{status, &ports.CheckTxnStatusReply{CommitTS: 2}, saidCommitted},
		{status, &ports.CheckTxnStatusReply{Lock: &ports.Lock{}}, 0},
		{status, &ports.CheckTxnStatusReply{Err: failed}, 0},
		{status, &ports.CheckTxnStatusReply{Action: ports.ActionLockNotExistDoNothing}, 0},
		{status, &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback}, saidRolledBack},
		{status, &ports.CheckTxnStatusReply{}, saidRolledBack},
		{&ports.GetRequest{}, &ports.GetReply{}, 0},
	} {
		start, got := verdict(c.req, c.body)
		require.Equal(t, c.want, got)
		require.Equal(t, got != 0, start == 1)
	}
}

// What clients are told must agree with what is stored.
func TestTransactionsAreInspected(t *testing.T) {
	x := New(config(0, 0))
	none, whole := data(x, nil, nil), data(x, nil, put2(1, 2))
	half := data(x, []held{{key: "b", start: 1}}, put2(1, 2)[:1])
	for name, c := range map[string]struct {
		engine *engine
		slot   slot
		wrong  string
	}{
		"not yet":             {none, slot{client: &client{}}, ""},
		"whole":               {whole, slot{client: &client{}}, ""},
		"secondary to come":   {half, slot{client: &client{}}, ""},
		"committed":           {half, told(txn.Committed, 2), ""},
		"aborted":             {none, told(txn.Aborted, 0), ""},
		"unknown":             {whole, slot{client: &client{answered: true, doubted: true}}, ""},
		"said committed":      {whole, slot{&client{}, saidCommitted}, ""},
		"said rolled back":    {none, slot{&client{}, saidRolledBack}, ""},
		"lost secondary":      {data(x, nil, put2(1, 2)[:1]), slot{client: &client{}}, "a secondary is lost"},
		"secondary alone":     {data(x, nil, put2(1, 2)[1:]), slot{client: &client{}}, "the primary is not"},
		"committed, yet not":  {none, told(txn.Committed, 2), "told that it is committed"},
		"another timestamp":   {whole, told(txn.Committed, 3), "told that it is committed"},
		"aborted, yet not":    {whole, told(txn.Aborted, 0), "told that it is aborted"},
		"unknown for nothing": {whole, told(txn.Unknown, 0), "unknown, although no answer was lost"},
		"said, yet not":       {none, slot{&client{}, saidCommitted}, "has said that it is committed"},
		"said dead, yet not":  {whole, slot{&client{}, saidRolledBack}, "has said that it is rolled back"},
	} {
		c.slot.client.start, c.slot.client.program = 1, &x.config.Clients[0]
		s := state{engine: c.engine, clients: [maxClients]slot{c.slot}}
		got := s.inspect()
		if c.wrong == "" {
			require.Empty(t, got, name)
			continue
		}
		require.Contains(t, got, "T1 (c1): ", name)
		require.Contains(t, got, c.wrong, name)
	}
}

func told(outcome txn.OutcomeKind, commit ports.Timestamp) slot {
	return slot{client: &client{answered: true, outcome: outcome, commitTS: commit}}
}

// What a client believes of a transaction must be so.
func TestBeliefs(t *testing.T) {
	x := New(config(0, 0))
	s := state{engine: data(x, nil, put2(1, 2))}
	s.clients[0].client = &client{start: 1, program: &x.config.Clients[0]}
	require.Empty(t, s.believe([]ports.Fact{{StartTS: 1, CommitTS: 2}, {StartTS: 7}}))
	require.Contains(t, s.believe([]ports.Fact{{StartTS: 1}}), "believes that it was committed at T0, it was at T2")
}

// Once everything has come to rest, locks are resolved as their primaries say; then transactions are whole and reads
// have seen what was there.
func TestEndsAreInspected(t *testing.T) {
	x := New(config(3, 0))
	reader := func(a, b string) *client {
		return &client{start: 3, program: &x.config.Clients[1], reads: []observation{{"a", a, a != ""}, {"b", b, b != ""}}}
	}
	versions := []version{{key: "a", start: 1, commit: 2, value: "v"}, {key: "b", start: 1, commit: 2, value: "v"}}
	lock := []held{{key: "b", start: 1}}
	for name, c := range map[string]struct {
		engine *engine
		reader *client
		wrong  string
	}{
		"nothing written, nothing read": {data(x, nil, nil), reader("", ""), ""},
		"all read":                      {data(x, nil, versions), reader("v", "v"), ""},
		"not all read":                  {data(x, nil, versions), reader("v", ""), `T3 (c2) read "" of b, which was "v"`},
		"read what never was":           {data(x, nil, nil), reader("v", ""), `T3 (c2) read "v" of a, which was ""`},
		"in part":                       {data(x, nil, versions[:1]), reader("v", ""), "T1 (c1) is committed in part"},
		"dead lock":                     {data(x, lock, nil), reader("", ""), ""},
		"resolved to a value that was not read": {
			data(x, lock, versions[:1]), reader("v", "v"), `T3 (c2) read "v" of b, which was ""`,
		},
	} {
		writer := &client{start: 1, program: &x.config.Clients[0]}
		s := state{engine: c.engine, clients: [maxClients]slot{{client: writer}, {client: c.reader}}}
		require.Equal(t, c.wrong, x.end(&s), name)
	}
	overlap := data(x, nil, append(put2(1, 3), put2(2, 4)...))
	require.Contains(t, x.end(&state{engine: overlap}), "overlap")
	require.Contains(t, (&state{engine: overlap}).inspect(), "overlap")
}
