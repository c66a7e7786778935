package conform

import (
	"fmt"
	"strings"

	"github.com/tikvx/tikvx/ports"
)

// pipelinedCommands are those of pipelined transactions, and what looks into a store.
var pipelinedCommands = map[string]build{
	"flush": flush,
	"buffer-batch-get": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.BufferBatchGetRequest{Keys: a.keys("keys"), StartTS: a.ts("start")}
	},
	"broadcast": func(a *args) ([]byte, ports.Request) {
		return a.key(""), &ports.BroadcastTxnStatusRequest{Statuses: []ports.TxnStatus{{
			StartTS: a.ts("start"), MinCommitTS: a.ts("min-commit"), CommitTS: a.ts("commit"), RolledBack: a.has("rolled-back"),
			Completed: a.has("completed"),
		}}}
	},
	"mvcc-by-key": func(a *args) ([]byte, ports.Request) {
		return a.key("k"), &ports.MvccGetByKeyRequest{Key: a.key("k")}
	},
	"mvcc-by-start": func(a *args) ([]byte, ports.Request) {
		return a.key(""), &ports.MvccGetByStartTSRequest{StartTS: a.ts("start")}
	},
}

func flush(a *args) ([]byte, ports.Request) {
	req := &ports.FlushRequest{
		Primary: a.key("primary"), StartTS: a.ts("start"), TTL: a.number("ttl", 100), Generation: a.number("generation", 1),
	}
	if a.has("strict") {
		req.AssertionLevel = ports.AssertionsStrict
	}
	for _, line := range a.lines() {
		m, _ := a.mutation(line)
		req.Mutations = append(req.Mutations, m)
	}
	return req.Primary, req
}

// pipelined writes the replies to these commands.
func pipelined(b *strings.Builder, reply ports.Reply) {
	switch r := reply.(type) {
	case *ports.FlushReply:
		failures(b, r.Errors)
	case *ports.BufferBatchGetReply:
		many(b, r.Err, r.Pairs)
	case *ports.LockWaitInfoReply:
		unless(b, r.Text, func() { waits(b, "", r.Waits) })
	case *ports.BroadcastTxnStatusReply:
		b.WriteString("ok\n")
	case *ports.MvccGetByKeyReply:
		unless(b, r.Text, func() { inspected(b, &r.Info) })
	case *ports.MvccGetByStartTSReply:
		unless(b, r.Text, func() {
			if len(r.Key) > 0 {
				fmt.Fprintf(b, "key=%s\n", r.Key)
			}
			inspected(b, &r.Info)
		})
	default:
		fmt.Fprintf(b, "unexpected %T\n", reply)
	}
}

// inspected writes what a store keeps for a key, the newest first.
func inspected(b *strings.Builder, info *ports.MvccInfo) {
	if l := info.Lock; l != nil {
		fmt.Fprintf(b, "lock %s start=%s primary=%s value=%s\n", kindName(l.Kind), formatTS(l.StartTS), l.Primary,
			l.ShortValue)
	}
	for i := range info.Writes {
		w := &info.Writes[i]
		fmt.Fprintf(b, "%s start=%s commit=%s value=%s", kindName(w.Kind), formatTS(w.StartTS), formatTS(w.CommitTS),
			w.ShortValue)
		if w.HasOverlappedRollback {
			b.WriteString(" and a rollback")
		}
		b.WriteByte('\n')
	}
	for _, v := range info.Values {
		fmt.Fprintf(b, "long value start=%s bytes=%d\n", formatTS(v.StartTS), len(v.Value))
	}
	if info.Lock == nil && len(info.Writes) == 0 {
		b.WriteString("nothing\n")
	}
}

func kindName(kind ports.LockKind) string {
	switch kind {
	case ports.KindRollback:
		return "rollback"
	case ports.KindPessimisticLock:
		return "pessimistic"
	}
	for name, k := range kinds {
		if k == kind {
			return name
		}
	}
	return "?"
}
