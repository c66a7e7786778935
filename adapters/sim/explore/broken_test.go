package explore

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// broken is a store or a client with a bug, and the configuration in which the search must find it.
type broken struct {
	config Config
	store  func(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply
	event  func(ev *ports.Event)
	// wrong is part of what is found.
	wrong string
}

// The bugs. The transcript of each is testdata/<name>.txt.
var bugs = map[string]broken{
	"store forgets rollbacks": {
		config: config(3, 0, Lose, Expire), store: forgetRollbacks, wrong: "a store has said that it is rolled back",
	},
	"store commits without a lock": {
		config: config(0, 0, Expire), store: commitAnyway, wrong: "is committed",
	},
	"store sees no conflicts": {config: config(0, 0), store: ignoreConflicts, wrong: "overlap"},
	"store takes the living for dead": {
		config: config(0, 0), store: buryAlive, wrong: "rolled back",
	},
	"reads pass every lock":    {config: config(3, 0), store: readThrough, wrong: "read"},
	"store pushes in vain":     {config: config(3, 0), store: pushInVain, wrong: "read"},
	"lost is taken for unsent": {config: config(0, 0, Lose, Cancel), event: unsent, wrong: "aborted, and it is committed"},
	"locks are forever":        {config: config(3, 0, Crash), store: immortal, wrong: "waits for ever"},
}

// forgetRollbacks executes a request and removes all rollback records: it builds the data anew from what is left.
func forgetRollbacks(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	reply := Execute(e, x, hdr, req)
	var fresh mvcc.Engine
	e.Walk(func(key []byte, lock *mvcc.Lock, writes []mvcc.Write) bool {
		for i := range writes {
			if w := &writes[i]; w.Kind != ports.KindRollback {
				put(&fresh, key, w.StartTS, w.CommitTS, w.Value)
			}
		}
		if lock != nil {
			fresh.PutLock(key, *lock)
		}
		return true
	})
	*e = fresh
	return reply
}

func put(e *mvcc.Engine, key []byte, start, commit ports.Timestamp, value []byte) {
	e.Prewrite(&ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: key, Value: value}}, Primary: key, StartTS: start,
	}, &ports.PrewriteReply{})
	e.Commit(&ports.CommitRequest{Keys: [][]byte{key}, StartTS: start, CommitTS: commit}, &ports.CommitReply{})
}

// commitAnyway says that a commit whose lock is gone is done.
func commitAnyway(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	reply := Execute(e, x, hdr, req)
	if q, ok := req.(*ports.CommitRequest); ok {
		return &ports.CommitReply{CommitTS: q.CommitTS}
	}
	return reply
}

// ignoreConflicts takes every prewrite for one of a transaction that began just now: with the newest timestamp.
func ignoreConflicts(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	q, ok := req.(*ports.PrewriteRequest)
	if !ok {
		return Execute(e, x, hdr, req)
	}
	for i := range q.Mutations {
		m := &q.Mutations[i]
		locked := false
		e.Walk(func(key []byte, lock *mvcc.Lock, _ []mvcc.Write) bool {
			locked = locked || lock != nil && string(key) == string(m.Key)
			return true
		})
		if locked {
			return Execute(e, x, hdr, req)
		}
		e.PutLock(m.Key, mvcc.Lock{Primary: q.Primary, StartTS: q.StartTS, TTL: q.TTL, Value: m.Value})
	}
	return &ports.PrewriteReply{}
}

// buryAlive takes every lock for expired.
func buryAlive(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	if q, ok := req.(*ports.CheckTxnStatusRequest); ok {
		probe := e.Clone()
		reply := Execute(probe, x, hdr, q).(*ports.CheckTxnStatusReply)
		if reply.Err == nil && reply.Lock != nil {
			return &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback}
		}
	}
	return Execute(e, x, hdr, req)
}

// readThrough lets reads pass every lock.
func readThrough(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	open := *hdr
	e.Walk(func(_ []byte, lock *mvcc.Lock, _ []mvcc.Write) bool {
		if lock != nil {
			open.ResolvedLocks = append(open.ResolvedLocks[:len(open.ResolvedLocks):len(open.ResolvedLocks)], lock.StartTS)
		}
		return true
	})
	return Execute(e, x, &open, req)
}

// pushInVain says that a living transaction will commit above the reader, and does not see to it.
func pushInVain(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	if q, ok := req.(*ports.CheckTxnStatusRequest); ok {
		probe := e.Clone()
		reply := Execute(probe, x, hdr, q).(*ports.CheckTxnStatusReply)
		if reply.Err == nil && reply.Lock != nil {
			reply.Action = ports.ActionMinCommitTSPushed
			return reply
		}
	}
	return Execute(e, x, hdr, req)
}

// immortal lets no lock expire.
func immortal(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	if q, ok := req.(*ports.PrewriteRequest); ok {
		long := *q
		long.TTL = math.MaxInt64 / 2
		return Execute(e, x, hdr, &long)
	}
	return Execute(e, x, hdr, req)
}

// unsent tells clients that what is lost was never sent.
func unsent(ev *ports.Event) {
	if ev.Kind == ports.EventLost {
		ev.Kind = ports.EventUnsent
	}
}

func (b *broken) open() *Explorer {
	c := b.config
	c.store, c.event = b.store, b.event
	return New(c)
}

// Whatever is broken is found, and the shortest way to it is the committed transcript. UPDATE=1 writes transcripts.
func TestBugsAreFound(t *testing.T) {
	for name, b := range bugs {
		t.Run(name, func(t *testing.T) {
			r := b.open().Run()
			require.NotEmpty(t, r.Violation)
			require.False(t, r.Exhausted)
			got := b.open().Shortest(1_000_000)
			require.Contains(t, got, b.wrong)
			path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
			if os.Getenv("UPDATE") != "" {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// A transcript is played again, and leads to the same violation; on what is not broken it leads nowhere.
func TestReplay(t *testing.T) {
	for name, b := range bugs {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt"))
			require.NoError(t, err)
			violation, err := b.open().Replay(string(text))
			require.NoError(t, err)
			require.Contains(t, string(text), "violation: "+violation+"\n")
			violation, _ = New(b.config).Replay(string(text)) // not every step needs to exist there
			require.Empty(t, violation)
		})
	}
}
