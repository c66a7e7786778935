package conform

import (
	"math"
	"strings"

	"github.com/tikvx/tikvx/ports"
)

// build makes the request of a command, with a key by which its region is found.
type build func(a *args) ([]byte, ports.Request)

// command finds out how a command is built.
func command(name string) (build, bool) {
	for _, family := range []map[string]build{commands, rangeCommands, pipelinedCommands} {
		if b, ok := family[name]; ok {
			return b, true
		}
	}
	return nil, false
}

// commands are those of transactions and raw keys.
var commands = map[string]build{
	"get": func(a *args) ([]byte, ports.Request) {
		return a.key("k"), &ports.GetRequest{Key: a.key("k"), TS: a.ts("ts")}
	},
	"batch-get": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.BatchGetRequest{Keys: a.keys("keys"), TS: a.ts("ts")}
	},
	"scan": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.ScanRequest{
			Range: a.rng(), TS: a.ts("ts"), Limit: a.limit(), KeyOnly: a.has("keys-only"), Reverse: a.has("reverse"),
		}
	},
	"prewrite": prewrite,
	"check-secondaries": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.CheckSecondaryLocksRequest{Keys: a.keys("keys"), StartTS: a.ts("start")}
	},
	"lock": func(a *args) ([]byte, ports.Request) { return lock(a, ports.KindPessimisticLock) },
	"share-lock": func(a *args) ([]byte, ports.Request) {
		return lock(a, ports.KindSharedPessimisticLock)
	},
	"scan-lock": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.ScanLockRequest{Range: a.rng(), MaxTS: a.ts("max"), Limit: a.limit()}
	},
	"commit": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.CommitRequest{
			Keys: a.keys("keys"), StartTS: a.ts("start"), CommitTS: a.ts("commit"), Primary: a.primary(),
			IsPrimary: string(a.primary()) == string(a.keys("keys")[0]),
		}
	},
	"rollback": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.BatchRollbackRequest{Keys: a.keys("keys"), StartTS: a.ts("start")}
	},
	"check-txn": func(a *args) ([]byte, ports.Request) {
		return a.key("primary"), &ports.CheckTxnStatusRequest{
			Primary: a.key("primary"), LockTS: a.ts("lock"), CallerStartTS: a.ts("caller"), CurrentTS: a.ts("current"),
			RollbackIfNotExist: a.has("rollback"), ResolvingPessimisticLock: a.has("pessimistic"),
			VerifyIsPrimary: a.has("verify"), ForceSyncCommit: a.has("force-sync"),
		}
	},
	"resolve": func(a *args) ([]byte, ports.Request) {
		return a.key(""), &ports.ResolveLockRequest{
			StartTS: a.ts("start"), CommitTS: a.ts("commit"), Keys: a.keys("keys"), Txns: a.transactions(),
		}
	},
	"heartbeat": func(a *args) ([]byte, ports.Request) {
		return a.key("primary"), &ports.TxnHeartBeatRequest{
			Primary: a.key("primary"), StartTS: a.ts("start"), AdviseLockTTL: a.number("ttl", 0),
			MinCommitTS: a.ts("min-commit"),
		}
	},
	"pessimistic-rollback": func(a *args) ([]byte, ports.Request) {
		return a.key(""), &ports.PessimisticRollbackRequest{
			Keys: a.keys("keys"), StartTS: a.ts("start"), ForUpdateTS: a.ts("for-update"),
		}
	},
	"raw-get": func(a *args) ([]byte, ports.Request) {
		return a.key("k"), &ports.RawGetRequest{Key: a.key("k"), CF: a.text("cf")}
	},
	"raw-batch-get": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.RawBatchGetRequest{Keys: a.keys("keys"), CF: a.text("cf")}
	},
	"raw-put": func(a *args) ([]byte, ports.Request) {
		return a.key("k"), &ports.RawPutRequest{
			Key: a.key("k"), Value: []byte(a.text("v")), TTL: a.number("ttl", 0), CF: a.text("cf"), ForCAS: a.has("for-cas"),
		}
	},
	"raw-batch-put": func(a *args) ([]byte, ports.Request) {
		return a.pairs()[0].Key, &ports.RawBatchPutRequest{Pairs: a.pairs(), CF: a.text("cf")}
	},
	"raw-delete": func(a *args) ([]byte, ports.Request) {
		return a.key("k"), &ports.RawDeleteRequest{Key: a.key("k"), CF: a.text("cf"), ForCAS: a.has("for-cas")}
	},
	"raw-batch-delete": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.RawBatchDeleteRequest{Keys: a.keys("keys"), CF: a.text("cf")}
	},
	"raw-delete-range": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.RawDeleteRangeRequest{Range: a.rng(), CF: a.text("cf")}
	},
	"raw-scan": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.RawScanRequest{
			Range: a.rng(), Limit: a.limit(), KeyOnly: a.has("keys-only"), Reverse: a.has("reverse"), CF: a.text("cf"),
		}
	},
	"raw-ttl": func(a *args) ([]byte, ports.Request) {
		return a.key("k"), &ports.RawGetKeyTTLRequest{Key: a.key("k"), CF: a.text("cf")}
	},
	"raw-cas": func(a *args) ([]byte, ports.Request) {
		return a.key("k"), &ports.RawCompareAndSwapRequest{
			Key: a.key("k"), Value: []byte(a.text("v")), Previous: []byte(a.text("was")), PreviousAbsent: a.has("absent"),
			TTL: a.number("ttl", 0), CF: a.text("cf"), Delete: a.has("delete"),
		}
	},
}

func prewrite(a *args) ([]byte, ports.Request) {
	req := &ports.PrewriteRequest{
		Primary: a.key("primary"), StartTS: a.ts("start"), TTL: a.number("ttl", 100), MinCommitTS: a.ts("min-commit"),
		UseAsyncCommit: a.has("async"), Secondaries: a.keys("secondaries"), TryOnePC: a.has("one-pc"),
		MaxCommitTS: a.ts("max-commit"), ForUpdateTS: a.ts("for-update"),
	}
	switch {
	case a.has("strict"):
		req.AssertionLevel = ports.AssertionsStrict
	case a.has("fast"):
		req.AssertionLevel = ports.AssertionsFast
	}
	for i, f := range a.lines() {
		m, options := a.mutation(f)
		if req.ForUpdateTS != 0 && uint64(i) < a.number("actions", math.MaxUint64) {
			req.Actions = append(req.Actions, actions[options["action"]])
		}
		if expected := options["expect"]; expected != "" {
			req.Constraints = append(req.Constraints, ports.ForUpdateTSConstraint{
				Index: uint32(i), ForUpdateTS: a.parseTS(expected),
			})
		}
		req.Mutations = append(req.Mutations, m)
	}
	req.TxnSize = uint64(len(req.Mutations))
	return req.Primary, req
}

// transactions returns the lines of the input, "10 committed 15" or "10 rolled back".
func (a *args) transactions() []ports.TxnInfo {
	var list []ports.TxnInfo
	for _, f := range a.lines() {
		if len(f) != 3 {
			a.fail("transaction %q", f)
			break
		}
		t := ports.TxnInfo{StartTS: a.parseTS(f[0])}
		if f[1] == "committed" {
			t.CommitTS = a.parseTS(f[2])
		}
		list = append(list, t)
	}
	return list
}

// mutation reads a line of a prewrite, "put a one assert=exist", and its options.
func (a *args) mutation(line []string) (ports.Mutation, map[string]string) {
	f, options := cutOptions(line)
	m := ports.Mutation{Assertion: assertions[options["assert"]]}
	kind, ok := kinds[f[0]]
	if !ok || len(f) < 2 {
		a.fail("mutation %q", f)
		return m, options
	}
	m.Kind, m.Key = kind, []byte(a.prefix+f[1])
	if len(f) > 2 {
		m.Value = []byte(f[2])
	}
	return m, options
}

var (
	kinds = map[string]ports.LockKind{
		"put": ports.KindPut, "delete": ports.KindDelete, "lock": ports.KindLock, "insert": ports.KindInsert,
		"check": ports.KindCheckNotExists, "shared": ports.KindSharedLock,
	}
	assertions = map[string]ports.Assertion{"exist": ports.AssertExist, "absent": ports.AssertNotExist}
	actions    = map[string]ports.PessimisticAction{
		"locked": ports.DoPessimisticCheck, "checked": ports.DoConstraintCheck,
	}
)

// cutOptions takes the words of the form name=value off a line.
func cutOptions(words []string) (rest []string, options map[string]string) {
	options = map[string]string{}
	for _, word := range words {
		if name, value, ok := strings.Cut(word, "="); ok {
			options[name] = value
		} else {
			rest = append(rest, word)
		}
	}
	return rest, options
}

func lock(a *args, kind ports.LockKind) ([]byte, ports.Request) {
	req := &ports.PessimisticLockRequest{
		Primary: a.primary(), StartTS: a.ts("start"), TTL: a.number("ttl", 100), ForUpdateTS: a.ts("for-update"),
		WaitTimeout: -1, MinCommitTS: a.ts("min-commit"), ReturnValues: a.has("values"), CheckExistence: a.has("exists"),
		LockOnlyIfExists: a.has("if-exists"), ForceLock: a.has("force"),
	}
	if a.has("wait") {
		req.WaitTimeout = int64(min(a.number("wait", 0), math.MaxInt64))
	}
	for _, k := range a.keys("keys") {
		m := ports.Mutation{Kind: kind, Key: k}
		if a.has("absent") {
			m.Assertion = ports.AssertNotExist
		}
		req.Mutations = append(req.Mutations, m)
	}
	return req.Mutations[0].Key, req
}

// primary is primary=…, or the first of the keys.
func (a *args) primary() []byte {
	if a.has("primary") {
		return a.key("primary")
	}
	return a.keys("keys")[0]
}

func (a *args) limit() uint32 {
	return uint32(min(a.number("limit", 100), math.MaxUint32))
}
