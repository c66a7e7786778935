package conform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
)

// format writes a reply as scripts expect it.
func format(reply ports.Reply) string {
	var b strings.Builder
	switch r := reply.(type) {
	case *ports.GetReply:
		// Transactions keep no empty values; unistore says so without not_found.
		point(&b, r.Err, r.NotFound || len(r.Value) == 0, r.Value)
	case *ports.BatchGetReply:
		slices.SortFunc(r.Pairs, func(a, b ports.Pair) int { return bytes.Compare(keyOf(a), keyOf(b)) })
		many(&b, r.Err, r.Pairs)
	case *ports.ScanReply:
		many(&b, r.Err, r.Pairs)
	case *ports.PrewriteReply:
		prewritten(&b, r)
	case *ports.PessimisticLockReply:
		locked(&b, r)
	case *ports.CheckSecondaryLocksReply:
		secondaries(&b, r)
	case *ports.ScanLockReply:
		scanned(&b, r)
	case *ports.CommitReply:
		verdict(&b, r.Err)
	case *ports.BatchRollbackReply:
		verdict(&b, r.Err)
	case *ports.ResolveLockReply:
		verdict(&b, r.Err)
	case *ports.PessimisticRollbackReply:
		failures(&b, r.Errors)
	case *ports.TxnHeartBeatReply:
		if r.Err == nil {
			fmt.Fprintf(&b, "ttl=%d\n", r.TTL)
			break
		}
		verdict(&b, r.Err)
	case *ports.CheckTxnStatusReply:
		status(&b, r)
	default:
		raw(&b, reply)
	}
	return b.String()
}

func raw(b *strings.Builder, reply ports.Reply) {
	switch r := reply.(type) {
	case *ports.RawGetReply:
		unless(b, r.Text, func() { point(b, nil, r.NotFound, r.Value) })
	case *ports.RawBatchGetReply:
		many(b, nil, r.Pairs)
	case *ports.RawScanReply:
		many(b, nil, r.Pairs)
	case *ports.RawBatchScanReply:
		many(b, nil, r.Pairs)
	case *ports.RawWriteReply:
		unless(b, r.Text, func() { b.WriteString("ok\n") })
	case *ports.RawGetKeyTTLReply:
		unless(b, r.Text, func() {
			if r.NotFound {
				b.WriteString("not found\n")
				return
			}
			fmt.Fprintf(b, "ttl=%d\n", r.TTL)
		})
	case *ports.RawCompareAndSwapReply:
		unless(b, r.Text, func() { swap(b, r) })
	case *ports.RawChecksumReply:
		unless(b, r.Text, func() { fmt.Fprintf(b, "crc64=%016x pairs=%d bytes=%d\n", r.Checksum, r.Pairs, r.Bytes) })
	case *ports.RangeReply:
		unless(b, r.Text, func() { b.WriteString("ok\n") })
	case *ports.SplitRegionReply:
		fmt.Fprintf(b, "regions=%d\n", len(r.Regions))
	default:
		pipelined(b, reply)
	}
}

func swap(b *strings.Builder, r *ports.RawCompareAndSwapReply) {
	fmt.Fprintf(b, "swapped=%v ", r.Succeeded)
	switch {
	case r.PreviousAbsent:
		b.WriteString("was absent\n")
	case len(r.Previous) == 0:
		b.WriteString("was (empty)\n")
	default:
		fmt.Fprintf(b, "was %s\n", r.Previous)
	}
}

func unless(b *strings.Builder, failure string, ok func()) {
	if failure != "" {
		b.WriteString("refused\n")
		return
	}
	ok()
}

func point(b *strings.Builder, err *ports.KeyError, absent bool, value []byte) {
	switch {
	case err != nil:
		verdict(b, err)
	case absent:
		b.WriteString("not found\n")
	case len(value) == 0:
		b.WriteString("(empty)\n")
	default:
		fmt.Fprintf(b, "%s\n", value)
	}
}

func many(b *strings.Builder, err *ports.KeyError, pairs []ports.Pair) {
	if err != nil {
		verdict(b, err)
		return
	}
	if len(pairs) == 0 {
		b.WriteString("nothing\n")
	}
	for _, p := range pairs {
		if p.Err != nil {
			verdict(b, p.Err)
			continue
		}
		fmt.Fprintf(b, "%s=%s\n", p.Key, p.Value)
	}
}

// keyOf is the key that a pair is about; the order of a batch get means nothing.
func keyOf(p ports.Pair) []byte {
	if p.Err != nil && p.Err.Kind == ports.KeyLocked {
		return p.Err.Lock.Key
	}
	return p.Key
}

func failures(b *strings.Builder, errs []ports.KeyError) {
	if len(errs) == 0 {
		b.WriteString("ok\n")
	}
	for i := range errs {
		verdict(b, &errs[i])
	}
}

func prewritten(b *strings.Builder, r *ports.PrewriteReply) {
	switch {
	case len(r.Errors) > 0:
		failures(b, r.Errors)
	case r.OnePCCommitTS != 0:
		fmt.Fprintf(b, "committed at %s\n", formatTS(r.OnePCCommitTS))
	case r.MinCommitTS != 0:
		fmt.Fprintf(b, "ok min-commit=%s\n", formatTS(r.MinCommitTS))
	default:
		b.WriteString("ok\n")
	}
}

func locked(b *strings.Builder, r *ports.PessimisticLockReply) {
	for i, absent := range r.NotFounds {
		switch {
		case absent:
			b.WriteString("not found\n")
		case i < len(r.Values):
			fmt.Fprintf(b, "value=%s\n", r.Values[i])
		default:
			b.WriteString("exists\n")
		}
	}
	for i := range r.Results {
		switch x := &r.Results[i]; x.Kind {
		case ports.LockResultNormal:
			fmt.Fprintf(b, "normal exists=%t value=%s\n", x.Existence, x.Value)
		case ports.LockResultWithConflict:
			fmt.Fprintf(b, "with conflict commit=%s exists=%t value=%s\n", formatTS(x.ConflictTS), x.Existence, x.Value)
		case ports.LockResultFailed:
			b.WriteString("failed\n")
		}
	}
	if len(r.Errors) > 0 || b.Len() == 0 {
		failures(b, r.Errors)
	}
}

func scanned(b *strings.Builder, r *ports.ScanLockReply) {
	for i := range r.Locks {
		verdict(b, &ports.KeyError{Kind: ports.KeyLocked, Lock: r.Locks[i]})
	}
	switch {
	case r.Err != nil:
		verdict(b, r.Err)
	case len(r.Locks) == 0:
		b.WriteString("nothing\n")
	}
}

func secondaries(b *strings.Builder, r *ports.CheckSecondaryLocksReply) {
	for i := range r.Locks {
		verdict(b, &ports.KeyError{Kind: ports.KeyLocked, Lock: r.Locks[i]})
	}
	switch {
	case r.Err != nil:
		verdict(b, r.Err)
	case r.CommitTS != 0:
		fmt.Fprintf(b, "committed at %s\n", formatTS(r.CommitTS))
	case len(r.Locks) == 0:
		b.WriteString("rolled back\n")
	}
}

func status(b *strings.Builder, r *ports.CheckTxnStatusReply) {
	if r.Err != nil {
		verdict(b, r.Err)
		return
	}
	actions := map[ports.TxnAction]string{
		ports.ActionNone: "none", ports.ActionTTLExpireRollback: "ttl-expire-rollback",
		ports.ActionLockNotExistRollback: "lock-not-exist-rollback", ports.ActionMinCommitTSPushed: "min-commit-ts-pushed",
		ports.ActionTTLExpirePessimisticRollback: "ttl-expire-pessimistic-rollback",
		ports.ActionLockNotExistDoNothing:        "lock-not-exist-do-nothing",
	}
	fmt.Fprintf(b, "ttl=%d commit=%s action=%s\n", r.TTL, formatTS(r.CommitTS), actions[r.Action])
}

// verdict writes a key error with what clients depend on.
func verdict(b *strings.Builder, err *ports.KeyError) {
	if err == nil {
		b.WriteString("ok\n")
		return
	}
	switch err.Kind {
	case ports.KeyLocked:
		held(b, &err.Lock)
	case ports.KeyWriteConflict:
		fmt.Fprintf(b, "write conflict key=%s start=%s conflict=%s commit=%s\n", plain(err.Key), formatTS(err.StartTS),
			formatTS(err.ConflictTS), formatTS(err.ConflictCommitTS))
	case ports.KeyAlreadyExists:
		fmt.Fprintf(b, "already exists key=%s\n", err.Key)
	case ports.KeyCommitTSExpired:
		fmt.Fprintf(b, "commit ts expired start=%s attempted=%s min=%s\n", formatTS(err.StartTS),
			formatTS(err.AttemptedCommitTS), formatTS(err.MinCommitTS))
	case ports.KeyTxnNotFound:
		fmt.Fprintf(b, "txn not found start=%s\n", formatTS(err.StartTS))
	case ports.KeyTxnLockNotFound:
		b.WriteString("txn lock not found\n")
	case ports.KeyAssertionFailed:
		fmt.Fprintf(b, "assertion failed key=%s start=%s commit=%s\n", err.Key, formatTS(err.ConflictTS),
			formatTS(err.ConflictCommitTS))
	case ports.KeyRetryable:
		b.WriteString("retryable\n")
	case ports.KeyAbort:
		b.WriteString("abort\n")
	case ports.KeyPrimaryMismatch:
		fmt.Fprintf(b, "primary mismatch primary=%s\n", err.Lock.Primary)
	case ports.KeyDeadlock:
		dead(b, err)
	default:
		fmt.Fprintf(b, "key error %d\n", err.Kind)
	}
}

// plain is a key as the script writes it. A conflict with a version names the key as it
// is stored, with the version's timestamp.
func plain(k []byte) string {
	const timestamp = 8
	if n := len(k) - timestamp; n > 0 {
		if user, err := key.AppendDecoded(nil, k[:n]); err == nil {
			return string(user) + " as stored"
		}
	}
	return string(k)
}

func held(b *strings.Builder, l *ports.Lock) {
	if l.Kind == ports.KindSharedLock {
		fmt.Fprintf(b, "locked key=%s shared\n", l.Key)
		for i := range l.Shared {
			m := &l.Shared[i]
			fmt.Fprintf(b, "  primary=%s start=%s ttl=%d\n", m.Primary, formatTS(m.StartTS), m.TTL)
		}
		return
	}
	fmt.Fprintf(b, "locked key=%s primary=%s start=%s ttl=%d\n", l.Key, l.Primary, formatTS(l.StartTS), l.TTL)
}

// dead writes who waits for whom, in a circle.
func dead(b *strings.Builder, err *ports.KeyError) {
	fmt.Fprintf(b, "deadlock key=%s holder=%s\n", err.Key, formatTS(err.LockTS))
	waits(b, "  ", err.WaitChain)
}

func waits(b *strings.Builder, indent string, list []ports.WaitFor) {
	for _, w := range list {
		fmt.Fprintf(b, "%s%s waits for %s on %s\n", indent, formatTS(w.Txn), formatTS(w.WaitForTxn), w.Key)
	}
	if len(list) == 0 {
		b.WriteString("nothing\n")
	}
}
