package wire

import "github.com/tikvx/tikvx/ports"

// command says how a verb is called: the method of TiKV's service, and the field of its request and of its reply in the
// commands of a batch, 0 where BatchCommands has none.
type command struct {
	method string
	batch  uint32
}

// service is the name of TiKV's gRPC service.
const service = "/tikvpb.Tikv/"

// BatchCommands is the method of the stream on which most requests travel.
const BatchCommands = service + "BatchCommands"

// commandOf returns how a verb is called; the zero command for what is no verb.
func commandOf(v ports.Verb) command {
	switch v {
	case ports.VerbGet:
		return command{"KvGet", 1}
	case ports.VerbBatchGet:
		return command{"KvBatchGet", 7}
	case ports.VerbScan:
		return command{"KvScan", 2}
	case ports.VerbPrewrite:
		return command{"KvPrewrite", 3}
	case ports.VerbCommit:
		return command{"KvCommit", 4}
	case ports.VerbBatchRollback:
		return command{"KvBatchRollback", 8}
	case ports.VerbCheckTxnStatus:
		return command{"KvCheckTxnStatus", 25}
	case ports.VerbResolveLock:
		return command{"KvResolveLock", 10}
	case ports.VerbTxnHeartBeat:
		return command{"KvTxnHeartBeat", 26}
	case ports.VerbPessimisticRollback:
		return command{"KVPessimisticRollback", 24}
	case ports.VerbRawGet:
		return command{"RawGet", 13}
	case ports.VerbRawBatchGet:
		return command{"RawBatchGet", 14}
	case ports.VerbRawPut:
		return command{"RawPut", 15}
	case ports.VerbRawBatchPut:
		return command{"RawBatchPut", 16}
	case ports.VerbRawDelete:
		return command{"RawDelete", 17}
	case ports.VerbRawBatchDelete:
		return command{"RawBatchDelete", 18}
	case ports.VerbRawDeleteRange:
		return command{"RawDeleteRange", 20}
	case ports.VerbRawScan:
		return command{"RawScan", 19}
	case ports.VerbRawGetKeyTTL:
		return command{"RawGetKeyTTL", 0}
	case ports.VerbRawCompareAndSwap:
		return command{"RawCompareAndSwap", 0}
	case ports.VerbCheckSecondaryLocks:
		return command{"KvCheckSecondaryLocks", 33}
	case ports.VerbPessimisticLock:
		return command{"KvPessimisticLock", 23}
	case ports.VerbScanLock:
		return command{"KvScanLock", 9}
	case ports.VerbFlush:
		return command{"KvFlush", 37}
	case ports.VerbBufferBatchGet:
		return command{"KvBufferBatchGet", 38}
	case ports.VerbStoreSafeTS:
		return command{"GetStoreSafeTS", 0}
	case ports.VerbBroadcastTxnStatus:
		return command{"BroadcastTxnStatus", 40}
	case ports.VerbMvccGetByKey:
		return command{"MvccGetByKey", 0}
	case ports.VerbMvccGetByStartTS:
		return command{"MvccGetByStartTs", 0}
	default:
		return adminCommandOf(v)
	}
}

func adminCommandOf(v ports.Verb) command {
	switch v {
	case ports.VerbRawChecksum:
		return command{"RawChecksum", 0}
	case ports.VerbRawBatchScan:
		return command{"RawBatchScan", 21}
	case ports.VerbDeleteRange:
		return command{"KvDeleteRange", 12}
	case ports.VerbUnsafeDestroyRange:
		return command{"UnsafeDestroyRange", 0}
	case ports.VerbPrepareFlashbackToVersion:
		return command{"KvPrepareFlashbackToVersion", 36}
	case ports.VerbFlashbackToVersion:
		return command{"KvFlashbackToVersion", 35}
	case ports.VerbSplitRegion:
		return command{"SplitRegion", 0}
	case ports.VerbLockWaitInfo:
		return command{"GetLockWaitInfo", 0}
	default:
		return command{}
	}
}

// methods are the full names of the methods by verb, so that a call builds no string.
var methods = func() (names [ports.Verbs]string) {
	for v := range names {
		if c := commandOf(ports.Verb(v)); c.method != "" {
			names[v] = service + c.method
		}
	}
	return names
}()

// Method returns the full name of the method that serves a verb alone.
func Method(v ports.Verb) string { return methods[v] }

// VerbOf returns the verb that a method serves, false if it serves none of ours.
func VerbOf(method string) (ports.Verb, bool) {
	for v, name := range methods {
		if name == method && name != "" {
			return ports.Verb(v), true
		}
	}
	return ports.VerbNone, false
}

// Batchable reports whether BatchCommands has a command for the verb.
func Batchable(v ports.Verb) bool { return commandOf(v).batch != 0 }

// byField are the verbs by the field of their command.
var byField = func() (verbs [64]ports.Verb) {
	for v := range ports.Verb(ports.Verbs) {
		if c := commandOf(v); c.batch != 0 {
			verbs[c.batch] = v
		}
	}
	return verbs
}()

// verbOfField returns the verb of a field of a batched command.
func verbOfField(field uint32) (ports.Verb, bool) {
	if int(field) >= len(byField) || byField[field] == ports.VerbNone {
		return ports.VerbNone, false
	}
	return byField[field], true
}
