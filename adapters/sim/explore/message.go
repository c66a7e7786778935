package explore

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tikvx/tikvx/ports"
)

// request is a request on its way: an immutable copy of what a machine has sent, kept once each.
type request struct {
	id          uint32
	fingerprint uint64
	to          ports.StoreID
	header      ports.Header
	body        ports.Request
	text        string
}

// reply is what a store has answered; immutable, kept once each. Machines are lent it.
type reply struct {
	id          uint32
	fingerprint uint64
	body        ports.Reply
	text        string
}

// request returns the one copy of a request.
func (x *Explorer) request(to ports.Endpoint, hdr *ports.Header, req ports.Request) *request {
	header := *hdr
	header.MaxExecution = 0 // there is no time
	fingerprint := fold(fold(digestText(identity(&header)), uint64(req.Verb())), digestText(identity(req)))
	fingerprint = fold(fingerprint, uint64(to.Store))
	if r := x.requests[fingerprint]; r != nil {
		return r
	}
	header.ResolvedLocks = append([]ports.Timestamp(nil), hdr.ResolvedLocks...)
	header.CommittedLocks = append([]ports.Timestamp(nil), hdr.CommittedLocks...)
	r := &request{
		id: uint32(len(x.requests)), fingerprint: fingerprint, to: to.Store, header: header, body: copyRequest(req),
	}
	r.text = describeRequest(r.body)
	x.requests[fingerprint] = r
	return r
}

// reply returns the one copy of a reply, which the engine has just made.
func (x *Explorer) reply(body ports.Reply) *reply {
	fingerprint := fold(digestText(identity(body)), uint64(body.Verb()))
	if r := x.replies[fingerprint]; r != nil {
		return r
	}
	r := &reply{id: uint32(len(x.replies)), fingerprint: fingerprint, body: body, text: describeReply(body)}
	x.replies[fingerprint] = r
	x.replyList = append(x.replyList, r)
	return r
}

// identity writes a value of the vocabulary in a form that is the same for equal values only. The structs of ports have
// no fields that JSON cannot write.
func identity(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("explore: %T: %v", v, err))
	}
	return text
}

// copyRequest copies what may change behind a request: the struct and its lists. Keys and values do not change.
func copyRequest(req ports.Request) ports.Request {
	switch q := req.(type) {
	case *ports.GetRequest:
		c := *q
		return &c
	case *ports.BatchGetRequest:
		c := *q
		c.Keys = cloneKeys(q.Keys)
		return &c
	case *ports.PrewriteRequest:
		c := *q
		c.Mutations = append([]ports.Mutation(nil), q.Mutations...)
		return &c
	case *ports.CommitRequest:
		c := *q
		c.Keys = cloneKeys(q.Keys)
		return &c
	case *ports.BatchRollbackRequest:
		c := *q
		c.Keys = cloneKeys(q.Keys)
		return &c
	case *ports.CheckTxnStatusRequest:
		c := *q
		return &c
	case *ports.ResolveLockRequest:
		c := *q
		c.Keys = cloneKeys(q.Keys)
		return &c
	case *ports.TxnHeartBeatRequest:
		c := *q
		return &c
	}
	panic(fmt.Sprintf("explore: no program sends %T", req))
}

func cloneKeys(keys [][]byte) [][]byte {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = append([]byte(nil), k...)
	}
	return list
}

func describeRequest(req ports.Request) string {
	switch q := req.(type) {
	case *ports.GetRequest:
		return fmt.Sprintf("get %s at %s", q.Key, when(q.TS))
	case *ports.BatchGetRequest:
		return fmt.Sprintf("batch get %s at %s", keyList(q.Keys), when(q.TS))
	case *ports.PrewriteRequest:
		var keys [][]byte
		for i := range q.Mutations {
			keys = append(keys, q.Mutations[i].Key)
		}
		return fmt.Sprintf("prewrite %s of %s", keyList(keys), when(q.StartTS))
	case *ports.CommitRequest:
		return fmt.Sprintf("commit %s of %s at %s", keyList(q.Keys), when(q.StartTS), when(q.CommitTS))
	case *ports.BatchRollbackRequest:
		return fmt.Sprintf("rollback %s of %s", keyList(q.Keys), when(q.StartTS))
	case *ports.CheckTxnStatusRequest:
		return fmt.Sprintf("status of %s on %s", when(q.LockTS), q.Primary)
	case *ports.ResolveLockRequest:
		if q.CommitTS == 0 {
			return fmt.Sprintf("resolve %s of %s as rolled back", keyList(q.Keys), when(q.StartTS))
		}
		return fmt.Sprintf("resolve %s of %s as committed at %s", keyList(q.Keys), when(q.StartTS), when(q.CommitTS))
	case *ports.TxnHeartBeatRequest:
		return fmt.Sprintf("heartbeat of %s on %s", when(q.StartTS), q.Primary)
	}
	return fmt.Sprintf("%T", req)
}

// describeReply says in a word or two what came of a request.
func describeReply(body ports.Reply) string {
	if f := body.Region(); f != nil {
		return faultText(f)
	}
	switch r := body.(type) {
	case *ports.GetReply:
		if r.Err == nil && !r.NotFound {
			return "found " + string(r.Value)
		}
		return errorText(r.Err)
	case *ports.BatchGetReply:
		var found []string
		for _, p := range r.Pairs {
			if p.Err != nil {
				found = append(found, string(p.Key)+" "+errorText(p.Err))
			} else {
				found = append(found, string(p.Key)+"="+string(p.Value))
			}
		}
		return "found [" + strings.Join(found, ", ") + "]"
	case *ports.PrewriteReply:
		if len(r.Errors) > 0 {
			return errorText(&r.Errors[0])
		}
	case *ports.CommitReply:
		return errorText(r.Err)
	case *ports.BatchRollbackReply:
		return errorText(r.Err)
	case *ports.ResolveLockReply:
		return errorText(r.Err)
	case *ports.TxnHeartBeatReply:
		return errorText(r.Err)
	case *ports.CheckTxnStatusReply:
		switch {
		case r.Err != nil:
			return errorText(r.Err)
		case r.CommitTS != 0:
			return "committed at " + when(r.CommitTS)
		case r.Lock != nil:
			return "alive"
		}
		return "rolled back"
	}
	return "ok"
}

func faultText(f *ports.RegionFault) string {
	switch f.Kind {
	case ports.FaultNotLeader:
		return "not leader"
	case ports.FaultEpochNotMatch:
		return "epoch not match"
	case ports.FaultKeyNotInRegion:
		return "key not in region"
	default:
		return "region not found"
	}
}

func errorText(e *ports.KeyError) string {
	if e == nil {
		return "ok"
	}
	switch e.Kind {
	case ports.KeyLocked:
		return "locked by " + when(e.Lock.StartTS)
	case ports.KeyWriteConflict:
		return "write conflict"
	case ports.KeyTxnNotFound:
		return "not found"
	case ports.KeyTxnLockNotFound:
		return "lock not found"
	case ports.KeyCommitTSExpired:
		return "commit timestamp expired"
	default:
		return "refused"
	}
}

// when names a timestamp by its place in the order of all.
func when(ts ports.Timestamp) string { return fmt.Sprintf("T%d", ts.Logical()) }

func keyList(keys [][]byte) string {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(k)
	}
	return b.String()
}
