package wire

import (
	"github.com/pingcap/kvproto/pkg/deadlock"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"github.com/tikvx/tikvx/ports"
)

// Replies and parts of them that travel seldom: they are decoded by the generated code.

func (d *Decoder) decodeSecondaries(body []byte) error {
	var m kvrpcpb.CheckSecondaryLocksResponse
	d.secondaries = ports.CheckSecondaryLocksReply{}
	if m.Unmarshal(body) != nil {
		return malformed("secondary locks")
	}
	r := &d.secondaries
	r.CommitTS = ports.Timestamp(m.CommitTs)
	if m.RegionError != nil {
		r.Fault = faultFromProto(m.RegionError)
	}
	if m.Error != nil {
		k := keyErrorFromProto(m.Error)
		r.Err = &k
	}
	for _, l := range m.Locks {
		r.Locks = append(r.Locks, lockFromProto(l, 0))
	}
	return nil
}

func (d *Decoder) decodeScanLock(body []byte) error {
	var m kvrpcpb.ScanLockResponse
	d.scanLock = ports.ScanLockReply{}
	if m.Unmarshal(body) != nil {
		return malformed("locks")
	}
	r := &d.scanLock
	if m.RegionError != nil {
		r.Fault = faultFromProto(m.RegionError)
	}
	if m.Error != nil {
		k := keyErrorFromProto(m.Error)
		r.Err = &k
	}
	for _, l := range m.Locks {
		r.Locks = append(r.Locks, lockFromProto(l, 0))
	}
	return nil
}

func (d *Decoder) decodePessimisticLock(body []byte) error {
	var m kvrpcpb.PessimisticLockResponse
	d.lock = ports.PessimisticLockReply{}
	if m.Unmarshal(body) != nil {
		return malformed("pessimistic lock")
	}
	r := &d.lock
	if m.RegionError != nil {
		r.Fault = faultFromProto(m.RegionError)
	}
	for _, e := range m.Errors {
		r.Errors = append(r.Errors, keyErrorFromProto(e))
	}
	r.Values, r.NotFounds = m.Values, m.NotFounds
	for _, x := range m.Results {
		r.Results = append(r.Results, ports.LockResult{
			Kind: ports.LockResultKind(x.GetType()), Value: x.GetValue(), Existence: x.GetExistence(),
			ConflictTS: ports.Timestamp(x.GetLockedWithConflictTs()), SkipResolvingLock: x.GetSkipResolvingLock(),
		})
	}
	return nil
}

func locksToProto(list []ports.Lock) []*kvrpcpb.LockInfo {
	var locks []*kvrpcpb.LockInfo
	for i := range list {
		locks = append(locks, lockToProto(&list[i]))
	}
	return locks
}

func lockResultsToProto(list []ports.LockResult) []*kvrpcpb.PessimisticLockKeyResult {
	var results []*kvrpcpb.PessimisticLockKeyResult
	for i := range list {
		x := &list[i]
		results = append(results, &kvrpcpb.PessimisticLockKeyResult{
			Type: kvrpcpb.PessimisticLockKeyResultType(x.Kind), Value: x.Value, Existence: x.Existence,
			LockedWithConflictTs: uint64(x.ConflictTS), SkipResolvingLock: x.SkipResolvingLock,
		})
	}
	return results
}

func deadlockFromProto(d *kvrpcpb.Deadlock) ports.KeyError {
	k := ports.KeyError{
		Kind: ports.KeyDeadlock, LockTS: ports.Timestamp(d.GetLockTs()), Key: d.GetLockKey(),
		DeadlockKeyHash: d.GetDeadlockKeyHash(),
	}
	k.WaitChain = waitsFromProto(d.GetWaitChain())
	return k
}

func waitsFromProto(list []*deadlock.WaitForEntry) []ports.WaitFor {
	var waits []ports.WaitFor
	for _, w := range list {
		waits = append(waits, ports.WaitFor{
			Txn: ports.Timestamp(w.GetTxn()), WaitForTxn: ports.Timestamp(w.GetWaitForTxn()), KeyHash: w.GetKeyHash(),
			Key: w.GetKey(),
		})
	}
	return waits
}

func deadlockToProto(k *ports.KeyError) *kvrpcpb.Deadlock {
	return &kvrpcpb.Deadlock{
		LockTs: uint64(k.LockTS), LockKey: k.Key, DeadlockKeyHash: k.DeadlockKeyHash, WaitChain: waitsToProto(k.WaitChain),
	}
}

func waitsToProto(waits []ports.WaitFor) []*deadlock.WaitForEntry {
	var list []*deadlock.WaitForEntry
	for i := range waits {
		w := &waits[i]
		list = append(list, &deadlock.WaitForEntry{
			Txn: uint64(w.Txn), WaitForTxn: uint64(w.WaitForTxn), KeyHash: w.KeyHash, Key: w.Key,
		})
	}
	return list
}

func mutationsFromProto(list []*kvrpcpb.Mutation) []ports.Mutation {
	mutations := make([]ports.Mutation, 0, len(list))
	for _, m := range list {
		mutations = append(mutations, ports.Mutation{
			Kind: kindFromProto(m.GetOp()), Key: m.GetKey(), Value: m.GetValue(),
			Assertion: ports.Assertion(m.GetAssertion()),
		})
	}
	return mutations
}

func decodePessimisticLockRequest(body []byte) (*kvrpcpb.Context, ports.Request, error) {
	m, err := parse(new(kvrpcpb.PessimisticLockRequest), body)
	return m.Context, &ports.PessimisticLockRequest{
		Mutations: mutationsFromProto(m.Mutations), Primary: m.PrimaryLock, StartTS: ports.Timestamp(m.StartVersion),
		TTL: m.LockTtl, ForUpdateTS: ports.Timestamp(m.ForUpdateTs), IsFirstLock: m.IsFirstLock,
		WaitTimeout: m.WaitTimeout, ReturnValues: m.ReturnValues, MinCommitTS: ports.Timestamp(m.MinCommitTs),
		CheckExistence: m.CheckExistence, LockOnlyIfExists: m.LockOnlyIfExists,
		ForceLock: m.WakeUpMode == kvrpcpb.PessimisticLockWakeUpMode_WakeUpModeForceLock,
	}, err
}

func txnInfos(list []*kvrpcpb.TxnInfo) []ports.TxnInfo {
	var txns []ports.TxnInfo
	for _, t := range list {
		txns = append(txns, ports.TxnInfo{
			StartTS: ports.Timestamp(t.GetTxn()), CommitTS: ports.Timestamp(t.GetStatus()), IsTxnFile: t.GetIsTxnFile(),
		})
	}
	return txns
}
