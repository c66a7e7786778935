package sim

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// Verbs are hot or rare. Hot ones, which a client sends again and again, have a place of their own in [requestCopy] and
// in [replyBuffer], whose memory is used again. Rare ones are copied, printed and hashed by reflection, so that three
// lines here make one more: what it answers with, where its keys have to lie, and what the store does.

// rareReply returns an empty reply to a rare verb.
func rareReply(verb ports.Verb) ports.Reply {
	switch verb {
	case ports.VerbTxnHeartBeat:
		return &ports.TxnHeartBeatReply{}
	case ports.VerbPessimisticRollback:
		return &ports.PessimisticRollbackReply{}
	case ports.VerbCheckSecondaryLocks:
		return &ports.CheckSecondaryLocksReply{}
	case ports.VerbPessimisticLock:
		return &ports.PessimisticLockReply{}
	case ports.VerbScanLock:
		return &ports.ScanLockReply{}
	case ports.VerbRawGetKeyTTL:
		return &ports.RawGetKeyTTLReply{}
	case ports.VerbFlush:
		return &ports.FlushReply{}
	case ports.VerbBufferBatchGet:
		return &ports.BufferBatchGetReply{}
	case ports.VerbStoreSafeTS:
		return &ports.StoreSafeTSReply{}
	case ports.VerbBroadcastTxnStatus:
		return &ports.BroadcastTxnStatusReply{}
	case ports.VerbMvccGetByKey:
		return &ports.MvccGetByKeyReply{}
	case ports.VerbMvccGetByStartTS:
		return &ports.MvccGetByStartTSReply{}
	default:
		return adminReply(verb)
	}
}

// rareInRegion is inRegion for rare verbs.
func rareInRegion(x mvcc.Extent, req ports.Request) bool {
	switch q := req.(type) {
	case *ports.TxnHeartBeatRequest:
		return x.Contains(q.Primary)
	case *ports.PessimisticRollbackRequest:
		return all(q.Keys, x.Contains)
	case *ports.CheckSecondaryLocksRequest:
		return all(q.Keys, x.Contains)
	case *ports.PessimisticLockRequest:
		return allMutations(q.Mutations, x)
	case *ports.ScanLockRequest:
		return x.Touches(q.Range.Start, false)
	case *ports.RawGetKeyTTLRequest:
		return x.ContainsRaw(q.Key)
	case *ports.FlushRequest:
		return allMutations(q.Mutations, x)
	case *ports.BufferBatchGetRequest:
		return all(q.Keys, x.Contains)
	case *ports.MvccGetByKeyRequest:
		return x.Contains(q.Key)
	}
	return adminInRegion(x, req)
}

// performRare is perform for rare verbs.
func (w *World) performRare(
	s *store, hdr *ports.Header, x mvcc.Extent, e *mvcc.Engine, req ports.Request, reply ports.Reply,
) {
	switch q := req.(type) {
	case *ports.TxnHeartBeatRequest:
		e.TxnHeartBeat(q, reply.(*ports.TxnHeartBeatReply))
	case *ports.PessimisticRollbackRequest:
		e.PessimisticRollback(q, x, reply.(*ports.PessimisticRollbackReply))
	case *ports.CheckSecondaryLocksRequest:
		r := reply.(*ports.CheckSecondaryLocksReply)
		e.CheckSecondaryLocks(q, r)
		w.knows(s, q.StartTS, r.CommitTS)
	case *ports.PessimisticLockRequest:
		s.waits.met = e.PessimisticLockKept(w.keeps(), q, reply.(*ports.PessimisticLockReply)) && q.WaitTimeout >= 0
	case *ports.ScanLockRequest:
		e.ScanLock(q, x, reply.(*ports.ScanLockReply))
	case *ports.RawGetKeyTTLRequest:
		w.raw(e).GetKeyTTL(q, reply.(*ports.RawGetKeyTTLReply))
	case *ports.FlushRequest:
		e.Flush(q, reply.(*ports.FlushReply))
	case *ports.BufferBatchGetRequest:
		e.BufferBatchGet(q, reply.(*ports.BufferBatchGetReply))
	case *ports.StoreSafeTSRequest:
		reply.(*ports.StoreSafeTSReply).SafeTS = w.safeTSOn(s, q.Range)
	case *ports.BroadcastTxnStatusRequest:
		w.onBroadcast(s, q)
	case *ports.LockWaitInfoRequest:
		reply.(*ports.LockWaitInfoReply).Waits = s.waits.info()
	case *ports.MvccGetByKeyRequest:
		e.MvccGetByKey(q, reply.(*ports.MvccGetByKeyReply))
	case *ports.MvccGetByStartTSRequest:
		e.MvccGetByStartTS(q, x, reply.(*ports.MvccGetByStartTSReply))
	default:
		w.performAdmin(e, hdr, x, req, reply)
	}
}

// copyRare copies a request of a rare verb.
func copyRare(req ports.Request) ports.Request {
	if req == nil {
		return nil
	}
	c := reflect.New(reflect.TypeOf(req).Elem())
	c.Elem().Set(reflect.ValueOf(req).Elem())
	own(c.Elem(), slices.Clone[[]byte])
	return c.Interface().(ports.Request)
}

// headerOf returns the header of a reply.
func headerOf(reply ports.Reply) *ports.ReplyHeader {
	return reflect.ValueOf(reply).Elem().FieldByName("ReplyHeader").Addr().Interface().(*ports.ReplyHeader)
}

// own replaces whatever can be reached from a value by copies: lists and structs by new ones, byte strings by what
// clone makes of them. nil stays nil.
func own(v reflect.Value, clone func([]byte) []byte) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			own(v.Field(i), clone)
		}
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(v.Elem())
		own(c.Elem(), clone)
		v.Set(c)
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(clone(v.Bytes()))
			return
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			own(c.Index(i), clone)
		}
		v.Set(c)
	default: // numbers, and strings, which nobody can change
	}
}

// wipe sets to zero whatever can be reached from a value that was owned, byte strings aside: they lie in memory that is
// spoilt as one.
func wipe(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			wipe(v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			wipe(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			break
		}
		for i := range v.Len() {
			wipe(v.Index(i))
		}
	default:
	}
	v.SetZero()
}

// describeRare prints the fields of a struct that say something.
func describeRare(v reflect.Value) string {
	text := ""
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			text += " " + v.Type().Field(i).Name + describeValue(f)
		}
	}
	return text
}

func describeValue(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case *ports.KeyError:
		return describeError(x)
	case []ports.KeyError:
		return describeErrors(x)
	case ports.Timestamp:
		return " " + formatTS(x)
	case []byte, [][]byte, string:
		return fmt.Sprintf(" %q", x)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return describeValue(v.Elem())
	case reflect.Struct:
		return " (" + strings.TrimPrefix(describeRare(v), " ") + ")"
	case reflect.Slice:
		text := ""
		for i := range v.Len() {
			text += describeValue(v.Index(i))
		}
		return text
	}
	return fmt.Sprintf(" %v", v.Interface())
}

// hashRare adds what a reply to a rare verb says, its error last, as hot ones do.
func hashRare(d *digest, v reflect.Value) {
	switch x := v.Interface().(type) {
	case *ports.KeyError:
		hashError(d, x)
		return
	case []byte:
		d.bytes(x)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := v.NumField() - 1; i >= 0; i-- {
			hashRare(d, v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			hashRare(d, v.Elem())
		}
	case reflect.Slice:
		d.add(uint64(v.Len()))
		for i := range v.Len() {
			hashRare(d, v.Index(i))
		}
	case reflect.String:
		d.bytes([]byte(v.String()))
	case reflect.Bool:
		if v.Bool() {
			d.add(1)
		}
	default:
		if v.CanUint() {
			d.add(v.Uint())
		} else {
			d.add(uint64(v.Int()))
		}
	}
}
