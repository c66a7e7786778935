package mvcc

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/ports"
)

// The scripts say what each command answers and what it leaves in the columns. The answers were derived by
// hand from the TiKV sources that the commands cite; rewriting them needs the same.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{t: t}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	t *testing.T
	d *datadriven.TestData
	e Engine
}

func (s *script) run(_ *testing.T, d *datadriven.TestData) string {
	s.d = d
	switch d.Cmd {
	case "prewrite":
		return s.prewrite()
	case "lock":
		return s.lock()
	case "new-leader":
		return fmt.Sprintf("%d locks lost", s.e.LoseLocks(s.extent()))
	case "propose-locks":
		s.e.ReplicateLocks(s.extent())
		return "ok"
	case "scan-lock":
		var reply ports.ScanLockReply
		s.e.ScanLock(&ports.ScanLockRequest{MaxTS: s.ts("max"), Limit: uint32(s.number("limit"))}, Extent{}, &reply)
		return describeLocks(reply.Locks)
	case "check-secondaries":
		var reply ports.CheckSecondaryLocksReply
		s.e.CheckSecondaryLocks(&ports.CheckSecondaryLocksRequest{Keys: s.keys("keys"), StartTS: s.ts("start")}, &reply)
		return fmt.Sprintf("%d locks, committed at %s", len(reply.Locks), number(reply.CommitTS))
	case "commit":
		var reply ports.CommitReply
		s.e.Commit(&ports.CommitRequest{Keys: s.keys("keys"), StartTS: s.ts("start"), CommitTS: s.ts("commit")}, &reply)
		return answer("committed at "+number(reply.CommitTS), reply.Err)
	case "rollback":
		var reply ports.BatchRollbackReply
		s.e.BatchRollback(&ports.BatchRollbackRequest{Keys: s.keys("keys"), StartTS: s.ts("start")}, &reply)
		return answer("ok", reply.Err)
	case "check":
		return s.check()
	case "resolve":
		var reply ports.ResolveLockReply
		req := &ports.ResolveLockRequest{StartTS: s.ts("start"), CommitTS: s.ts("commit"), Keys: s.keys("keys")}
		for i, start := range s.list("txns") {
			req.Txns = append(req.Txns, ports.TxnInfo{StartTS: start, CommitTS: s.list("commits")[i]})
		}
		s.e.ResolveLock(req, s.extent(), &reply)
		return answer("ok", reply.Err)
	case "heartbeat":
		var reply ports.TxnHeartBeatReply
		s.e.TxnHeartBeat(&ports.TxnHeartBeatRequest{
			Primary: s.key("primary"), StartTS: s.ts("start"), AdviseLockTTL: uint64(s.number("ttl")),
			MinCommitTS: s.ts("min"),
		}, &reply)
		return answer(fmt.Sprintf("ttl %d", reply.TTL), reply.Err)
	case "release":
		s.e.PessimisticRollback(&ports.PessimisticRollbackRequest{
			Keys: s.keys("keys"), StartTS: s.ts("start"), ForUpdateTS: s.ts("for-update"),
		}, s.extent(), &ports.PessimisticRollbackReply{})
		return "ok"
	case "plant":
		return s.plant()
	case "get", "batch-get", "scan":
		return s.read()
	case "show":
		return s.show()
	case "flush":
		return s.flush()
	case "flushed":
		return s.flushed()
	case "mvcc":
		return s.inspect()
	}
	d.Fatalf(s.t, "no command %q", d.Cmd)
	return ""
}

func (s *script) text(name string) string {
	if arg, ok := s.d.Arg(name); ok && len(arg.Vals) > 0 {
		return arg.Vals[0]
	}
	return ""
}

func (s *script) key(name string) []byte { return []byte(s.text(name)) }

func (s *script) keys(name string) [][]byte {
	arg, _ := s.d.Arg(name)
	var keys [][]byte
	for _, v := range arg.Vals {
		keys = append(keys, []byte(v))
	}
	return keys
}

func (s *script) number(name string) int64 {
	text := s.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.d.Fatalf(s.t, "%s: %v", name, err)
	}
	return n
}

// ts reads a timestamp in milliseconds, or max.
func (s *script) ts(name string) ports.Timestamp {
	if s.text(name) == "max" {
		return ports.MaxTimestamp
	}
	return ports.ComposeTimestamp(s.number(name), 0)
}

func (s *script) list(name string) []ports.Timestamp {
	var list []ports.Timestamp
	for _, k := range s.keys(name) {
		n, err := strconv.ParseInt(string(k), 10, 64)
		if err != nil {
			s.d.Fatalf(s.t, "%s: %v", name, err)
		}
		list = append(list, ports.ComposeTimestamp(n, 0))
	}
	return list
}

// extent is the region of a command, the whole key space unless region-from or region-to are given.
func (s *script) extent() Extent {
	var x Extent
	if from := s.text("region-from"); from != "" {
		x.Start = AppendEncoded(nil, []byte(from))
	}
	if to := s.text("region-to"); to != "" {
		x.End = AppendEncoded(nil, []byte(to))
	}
	return x
}

var kinds = map[string]ports.LockKind{
	"put": ports.KindPut, "delete": ports.KindDelete, "lock": ports.KindLock, "insert": ports.KindInsert,
	"check": ports.KindCheckNotExists, "rollback": ports.KindRollback, "pessimistic": ports.KindPessimisticLock,
	"shared": ports.KindSharedLock,
}

func (s *script) prewrite() string {
	req := &ports.PrewriteRequest{
		Primary: s.key("primary"), StartTS: s.ts("start"), TTL: uint64(s.number("ttl")), MinCommitTS: s.ts("min"),
		ForUpdateTS: s.ts("for-update"), UseAsyncCommit: s.d.HasArg("async"), TryOnePC: s.d.HasArg("one-pc"),
		MaxCommitTS: s.ts("max-commit"), Mutations: s.mutations(),
	}
	for range req.Mutations {
		switch {
		case req.ForUpdateTS != 0 && s.d.HasArg("unlocked"):
			req.Actions = append(req.Actions, ports.SkipPessimisticCheck)
		case req.ForUpdateTS != 0:
			req.Actions = append(req.Actions, ports.DoPessimisticCheck)
		}
	}
	req.TxnSize = uint64(len(req.Mutations))
	var reply ports.PrewriteReply
	s.e.Prewrite(req, &reply)
	return answers(reply.Errors)
}

// lock asks for pessimistic locks.
func (s *script) lock() string {
	req := &ports.PessimisticLockRequest{
		Primary: s.key("primary"), StartTS: s.ts("start"), TTL: uint64(s.number("ttl")), ForUpdateTS: s.ts("for-update"),
		ReturnValues: s.d.HasArg("values"), CheckExistence: s.d.HasArg("existence"),
		LockOnlyIfExists: s.d.HasArg("if-exists"), ForceLock: s.d.HasArg("force"), MinCommitTS: s.ts("min"),
	}
	kind := ports.KindPessimisticLock
	if s.d.HasArg("shared") {
		kind = ports.KindSharedPessimisticLock
	}
	for _, key := range s.keys("keys") {
		m := ports.Mutation{Kind: kind, Key: key}
		if s.d.HasArg("absent") {
			m.Assertion = ports.AssertNotExist
		}
		req.Mutations = append(req.Mutations, m)
	}
	var reply ports.PessimisticLockReply
	lock := s.e.PessimisticLockKept
	if s.d.HasArg("resumed") {
		lock = s.e.ResumePessimisticLock
	}
	keep := KeepReplicated
	switch {
	case s.d.HasArg("in-memory"):
		keep = KeepInMemory
	case s.d.HasArg("lost"):
		keep = KeepNothing
	}
	text := ""
	if lock(keep, req, &reply) {
		text = "waits, or"
	}
	for i, v := range reply.Values {
		text += fmt.Sprintf(" %q absent %t", v, reply.NotFounds[i])
	}
	for _, r := range reply.Results {
		kind := [...]string{"normal", "with conflict", "failed"}[r.Kind]
		text += fmt.Sprintf(" %s %q exists %t", kind, r.Value, r.Existence)
		if r.ConflictTS != 0 {
			text += " at " + number(r.ConflictTS)
		}
	}
	for i := range reply.Errors {
		text += " " + answer("", &reply.Errors[i])
	}
	return strings.TrimSpace(cmp.Or(text, "ok"))
}

// describeLocks prints locks, those of a set in brackets.
func describeLocks(locks []ports.Lock) string {
	var b strings.Builder
	for i := range locks {
		l := &locks[i]
		if l.Kind != ports.KindSharedLock {
			fmt.Fprintf(&b, "%s %s %s\n", l.Key, number(l.StartTS), kindName(l.Kind))
			continue
		}
		fmt.Fprintf(&b, "%s {", l.Key)
		for j := range l.Shared {
			fmt.Fprintf(&b, " %s %s", number(l.Shared[j].StartTS), kindName(l.Shared[j].Kind))
		}
		b.WriteString(" }\n")
	}
	if len(locks) == 0 {
		return "nothing"
	}
	return b.String()
}

func (s *script) check() string {
	req := &ports.CheckTxnStatusRequest{
		Primary: s.key("primary"), LockTS: s.ts("start"), CallerStartTS: s.ts("caller"), CurrentTS: s.ts("current"),
		RollbackIfNotExist: s.d.HasArg("rollback"), ForceSyncCommit: s.d.HasArg("force-sync"),
		ResolvingPessimisticLock: s.d.HasArg("pessimistic"), VerifyIsPrimary: s.d.HasArg("verify"),
	}
	var reply ports.CheckTxnStatusReply
	s.e.CheckTxnStatus(req, &reply)
	text := map[ports.TxnAction]string{
		ports.ActionNone: "", ports.ActionTTLExpireRollback: "expired, rolled back",
		ports.ActionLockNotExistRollback: "no lock, rolled back", ports.ActionMinCommitTSPushed: "pushed",
		ports.ActionTTLExpirePessimisticRollback: "expired, lock released",
		ports.ActionLockNotExistDoNothing:        "no lock, nothing done",
	}[reply.Action]
	switch {
	case reply.CommitTS != 0:
		text += " committed at " + number(reply.CommitTS)
	case reply.Lock != nil:
		text += fmt.Sprintf(" alive ttl %d min %s", reply.TTL, number(reply.Lock.MinCommitTS))
	case text == "":
		text = "rolled back"
	}
	return answer(strings.TrimSpace(text), reply.Err)
}

func (s *script) plant() string {
	l := Lock{
		Kind: kinds[s.text("kind")], Primary: s.key("primary"), StartTS: s.ts("start"), ForUpdateTS: s.ts("for-update"),
		MinCommitTS: s.ts("min"), TTL: uint64(s.number("ttl")), Value: s.key("value"), AsyncCommit: s.d.HasArg("async"),
		WithConflict: s.d.HasArg("conflict"), Secondaries: s.keys("secondaries"),
	}
	s.e.PutLock(s.key("key"), l)
	return "ok"
}

func (s *script) read() string {
	snapshot := &Snapshot{TS: s.ts("ts"), Resolved: s.list("resolved"), Committed: s.list("committed")}
	switch s.text("isolation") {
	case "rc":
		snapshot.Isolation = ports.IsolationRC
	case "check":
		snapshot.Isolation = ports.IsolationRCCheckTS
	}
	var pairs []ports.Pair
	switch s.d.Cmd {
	case "get":
		var reply ports.GetReply
		s.e.Get(s.key("key"), snapshot, &reply)
		if reply.NotFound {
			return "not found"
		}
		return answer(string(reply.Value), reply.Err)
	case "batch-get":
		var reply ports.BatchGetReply
		s.e.BatchGet(s.keys("keys"), snapshot, &reply)
		pairs = reply.Pairs
	case "scan":
		var reply ports.ScanReply
		limit := uint32(s.number("limit"))
		if !s.d.HasArg("limit") {
			limit = 100
		}
		s.e.Scan(&ports.ScanRequest{
			Range: ports.KeyRange{Start: s.key("from"), End: s.key("to")}, TS: snapshot.TS, Limit: limit,
			KeyOnly: s.d.HasArg("keys-only"), Reverse: s.d.HasArg("reverse"),
		}, s.extent(), snapshot, &reply)
		pairs = reply.Pairs
	}
	if len(pairs) == 0 {
		return "nothing"
	}
	var lines []string
	for _, p := range pairs {
		lines = append(lines, answer(fmt.Sprintf("%s=%s", p.Key, p.Value), p.Err))
	}
	return strings.Join(lines, "\n")
}

// show prints the columns of every key: its lock, then its records, the newest first.
func (s *script) show() string {
	var b strings.Builder
	s.e.Walk(func(key []byte, l *Lock, writes []Write) bool {
		fmt.Fprintf(&b, "%s:", key)
		for i := range l.Shared() {
			showLock(&b, &l.Shared()[i])
			fmt.Fprintf(&b, " for update %s,", number(l.Shared()[i].ForUpdateTS))
		}
		if l.ShrinkOnly() {
			b.WriteString(" closed;")
		}
		if l != nil && l.Shared() == nil {
			showLock(&b, l)
		}
		for i := len(writes) - 1; i >= 0; i-- {
			w := &writes[i]
			fmt.Fprintf(&b, " %s", number(w.CommitTS))
			if w.StartTS != w.CommitTS {
				fmt.Fprintf(&b, "←%s", number(w.StartTS))
			}
			fmt.Fprintf(&b, " %s", kindName(w.Kind))
			if w.Kind == ports.KindPut {
				fmt.Fprintf(&b, " %s", w.Value)
			}
			if w.Protected {
				b.WriteString(" protected")
			}
			if w.OverlappedRollback {
				b.WriteString(" +rollback")
			}
			if i > 0 {
				b.WriteString(",")
			}
		}
		b.WriteString("\n")
		return true
	})
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

func showLock(b *strings.Builder, l *Lock) {
	fmt.Fprintf(b, " lock %s %s primary %s", number(l.StartTS), kindName(l.Kind), l.Primary)
	if l.memory {
		b.WriteString(" in memory")
	}
	if l.MinCommitTS != 0 {
		fmt.Fprintf(b, " min %s", number(l.MinCommitTS))
	}
	b.WriteString(";")
}

func kindName(k ports.LockKind) string {
	for name, kind := range kinds {
		if kind == k {
			return name
		}
	}
	return fmt.Sprint(k)
}

func number(ts ports.Timestamp) string {
	if ts == ports.MaxTimestamp {
		return "max"
	}
	if ts.Logical() != 0 {
		return fmt.Sprintf("%d+%d", ts.Physical(), ts.Logical())
	}
	return strconv.FormatInt(ts.Physical(), 10)
}

var reasons = map[ports.ConflictReason]string{
	ports.ConflictOptimistic: "newer version", ports.ConflictSelfRolledBack: "rolled back itself",
	ports.ConflictPessimisticRetry: "again", ports.ConflictRCCheckTS: "anything newer",
}

// printable prints a key, quoted if it needs to be.
func printable(key []byte) string {
	if text := strconv.Quote(string(key)); text != `"`+string(key)+`"` {
		return text
	}
	return string(key)
}

// answer prints what a command said.
func answer(text string, e *ports.KeyError) string {
	if e == nil {
		return text
	}
	switch {
	case e.Lock.Kind == ports.KindSharedLock && e.Kind == ports.KeyPrimaryMismatch:
		return fmt.Sprintf("%s is shared, and no primary", e.Lock.Key)
	case e.Lock.Kind == ports.KindSharedLock:
		return strings.TrimSpace("locked " + describeLocks([]ports.Lock{e.Lock}))
	}
	switch e.Kind {
	case ports.KeyLocked:
		return fmt.Sprintf("locked %s by %s primary %s ttl %d",
			e.Lock.Key, number(e.Lock.StartTS), e.Lock.Primary, e.Lock.TTL)
	case ports.KeyWriteConflict:
		return fmt.Sprintf("conflict %s with %s←%s: %s", printable(e.Key), number(e.ConflictCommitTS), number(e.ConflictTS),
			reasons[e.Reason])
	case ports.KeyAlreadyExists:
		return fmt.Sprintf("%s exists", e.Key)
	case ports.KeyTxnLockNotFound:
		return fmt.Sprintf("lock not found on %s", e.Key)
	case ports.KeyTxnNotFound:
		return fmt.Sprintf("transaction %s not found on %s", number(e.StartTS), e.Primary)
	case ports.KeyCommitTSExpired:
		return fmt.Sprintf("commit %s of %s on %s is below min %s", number(e.AttemptedCommitTS), number(e.StartTS), e.Key,
			number(e.MinCommitTS))
	case ports.KeyPrimaryMismatch:
		return fmt.Sprintf("%s is not the primary, %s is", e.Lock.Key, e.Lock.Primary)
	case ports.KeyAbort:
		return "abort: " + e.Text
	default:
		return fmt.Sprintf("error %d", e.Kind)
	}
}
