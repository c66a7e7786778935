package wire

import (
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"github.com/tikvx/tikvx/ports"
)

// Decoder decodes one reply at a time into memory of its own. A decoded reply stands until the next one is decoded; its
// values are parts of the bytes that it was decoded from. Not safe for concurrent use.
type Decoder struct {
	get            ports.GetReply
	batchGet       ports.BatchGetReply
	scan           ports.ScanReply
	prewrite       ports.PrewriteReply
	commit         ports.CommitReply
	batchRollback  ports.BatchRollbackReply
	checkTxnStatus ports.CheckTxnStatusReply
	resolveLock    ports.ResolveLockReply
	heartBeat      ports.TxnHeartBeatReply
	pessimistic    ports.PessimisticRollbackReply
	secondaries    ports.CheckSecondaryLocksReply
	lock           ports.PessimisticLockReply
	scanLock       ports.ScanLockReply
	rawGet         ports.RawGetReply
	rawBatchGet    ports.RawBatchGetReply
	rawWrite       ports.RawWriteReply
	rawScan        ports.RawScanReply
	rawTTL         ports.RawGetKeyTTLReply
	rawCAS         ports.RawCompareAndSwapReply

	pairs []ports.Pair
}

// maxKeptPairs is the longest list of pairs whose memory is kept for the next reply.
const maxKeptPairs = 1024

// Forget drops what the last reply refers to.
func (d *Decoder) Forget() {
	pairs := d.pairs
	if cap(pairs) > maxKeptPairs {
		pairs = nil
	}
	clear(pairs)
	*d = Decoder{pairs: pairs[:0]}
}

// Decode decodes the reply to a request of the given verb. The error is [ErrMalformed].
func (d *Decoder) Decode(verb ports.Verb, body []byte) (ports.Reply, error) {
	switch verb {
	case ports.VerbGet:
		return &d.get, d.decodeGet(body)
	case ports.VerbBatchGet:
		d.batchGet = ports.BatchGetReply{}
		err := d.decodePairs(body, &d.batchGet.ReplyHeader, &d.batchGet.Err, batchGetError)
		d.batchGet.Pairs = d.pairs
		return &d.batchGet, err
	case ports.VerbScan:
		d.scan = ports.ScanReply{}
		err := d.decodePairs(body, &d.scan.ReplyHeader, &d.scan.Err, scanError)
		d.scan.Pairs = d.pairs
		return &d.scan, err
	case ports.VerbPrewrite:
		r := &d.prewrite
		*r = ports.PrewriteReply{}
		n := numbers{{3, (*uint64)(&r.MinCommitTS)}, {4, (*uint64)(&r.OnePCCommitTS)}}
		return r, decodeTxn(body, &r.ReplyHeader, nil, &r.Errors, n)
	case ports.VerbCommit:
		r := &d.commit
		*r = ports.CommitReply{}
		n := numbers{{3, (*uint64)(&r.CommitTS)}}
		return r, decodeTxn(body, &r.ReplyHeader, &r.Err, nil, n)
	case ports.VerbBatchRollback:
		r := &d.batchRollback
		*r = ports.BatchRollbackReply{}
		return r, decodeTxn(body, &r.ReplyHeader, &r.Err, nil, numbers{})
	case ports.VerbResolveLock:
		r := &d.resolveLock
		*r = ports.ResolveLockReply{}
		return r, decodeTxn(body, &r.ReplyHeader, &r.Err, nil, numbers{})
	case ports.VerbTxnHeartBeat:
		r := &d.heartBeat
		*r = ports.TxnHeartBeatReply{}
		return r, decodeTxn(body, &r.ReplyHeader, &r.Err, nil, numbers{{3, &r.TTL}})
	case ports.VerbPessimisticRollback:
		r := &d.pessimistic
		*r = ports.PessimisticRollbackReply{}
		return r, decodeTxn(body, &r.ReplyHeader, nil, &r.Errors, numbers{})
	case ports.VerbCheckTxnStatus:
		return &d.checkTxnStatus, d.decodeCheckTxnStatus(body)
	case ports.VerbCheckSecondaryLocks:
		return &d.secondaries, d.decodeSecondaries(body)
	case ports.VerbPessimisticLock:
		return &d.lock, d.decodePessimisticLock(body)
	case ports.VerbScanLock:
		return &d.scanLock, d.decodeScanLock(body)
	default:
		return d.decodeRaw(verb, body)
	}
}

func (d *Decoder) decodeRaw(verb ports.Verb, body []byte) (ports.Reply, error) {
	switch verb {
	case ports.VerbRawGet:
		return &d.rawGet, d.decodeRawGet(body)
	case ports.VerbRawBatchGet:
		d.rawBatchGet = ports.RawBatchGetReply{}
		err := d.decodePairs(body, &d.rawBatchGet.ReplyHeader, nil, 0)
		d.rawBatchGet.Pairs = d.pairs
		return &d.rawBatchGet, err
	case ports.VerbRawScan:
		d.rawScan = ports.RawScanReply{}
		err := d.decodePairs(body, &d.rawScan.ReplyHeader, nil, 0)
		d.rawScan.Pairs = d.pairs
		return &d.rawScan, err
	case ports.VerbRawPut, ports.VerbRawBatchPut, ports.VerbRawDelete, ports.VerbRawBatchDelete, ports.VerbRawDeleteRange:
		r := &d.rawWrite
		*r = ports.RawWriteReply{Of: verb}
		return r, decodeRawFields(body, &r.ReplyHeader, &r.Text, numbers{}, nil)
	case ports.VerbRawGetKeyTTL:
		r := &d.rawTTL
		*r = ports.RawGetKeyTTLReply{}
		var absent uint64
		err := decodeRawFields(body, &r.ReplyHeader, &r.Text, numbers{{3, &r.TTL}, {4, &absent}}, nil)
		r.NotFound = absent != 0
		return r, err
	case ports.VerbRawCompareAndSwap:
		r := &d.rawCAS
		*r = ports.RawCompareAndSwapReply{}
		var succeeded, absent uint64
		err := decodeRawFields(body, &r.ReplyHeader, &r.Text, numbers{{3, &succeeded}, {4, &absent}}, &r.Previous)
		r.Succeeded, r.PreviousAbsent = succeeded != 0, absent != 0
		return r, err
	default:
		return decodeRare(verb, body)
	}
}

// Fields that the replies share, and where those that carry pairs have their error.
const (
	fieldRegionError = 1
	fieldError       = 2
	fieldValue       = 3
	fieldNotFound    = 4
	fieldPairs       = 2
	batchGetError    = 5
	scanError        = 3
)

func (d *Decoder) decodeGet(body []byte) error {
	r := &d.get
	*r = ports.GetReply{}
	var f field
	var ok bool
	for len(body) > 0 {
		if body, ok = f.next(body); !ok {
			return malformed("get reply")
		}
		switch {
		case f.is(fieldRegionError):
			if err := setFault(&r.ReplyHeader, f.bytes); err != nil {
				return err
			}
		case f.is(fieldError):
			if err := setKeyError(&r.Err, f.bytes); err != nil {
				return err
			}
		case f.is(fieldValue):
			r.Value = f.bytes
		case f.number == fieldNotFound && f.kind == typeVarint:
			r.NotFound = f.value != 0
		case f.number <= fieldNotFound:
			return malformed("get reply")
		}
	}
	if r.Value == nil && !r.NotFound && r.Err == nil && r.Fault == nil {
		r.Value = []byte{}
	}
	return nil
}

func (d *Decoder) decodeRawGet(body []byte) error {
	r := &d.rawGet
	*r = ports.RawGetReply{}
	var f field
	var ok bool
	for len(body) > 0 {
		if body, ok = f.next(body); !ok {
			return malformed("raw get reply")
		}
		switch {
		case f.is(fieldRegionError):
			if err := setFault(&r.ReplyHeader, f.bytes); err != nil {
				return err
			}
		case f.is(fieldError):
			r.Text = string(f.bytes)
		case f.is(fieldValue):
			r.Value = f.bytes
		case f.number == fieldNotFound && f.kind == typeVarint:
			r.NotFound = f.value != 0
		case f.number <= fieldNotFound:
			return malformed("raw get reply")
		}
	}
	if r.Value == nil && !r.NotFound && r.Text == "" && r.Fault == nil {
		r.Value = []byte{}
	}
	return nil
}

// decodePairs decodes a reply of pairs. Where it has an error of its own, errField is its number.
func (d *Decoder) decodePairs(body []byte, hdr *ports.ReplyHeader, keyErr **ports.KeyError, errField uint32) error {
	d.pairs = d.pairs[:0]
	var f field
	var ok bool
	for len(body) > 0 {
		if body, ok = f.next(body); !ok {
			return malformed("reply of pairs")
		}
		switch {
		case f.is(fieldRegionError):
			if err := setFault(hdr, f.bytes); err != nil {
				return err
			}
		case f.is(fieldPairs):
			d.pairs = append(d.pairs, ports.Pair{})
			if err := decodePair(&d.pairs[len(d.pairs)-1], f.bytes); err != nil {
				return err
			}
		case keyErr != nil && f.is(errField):
			if err := setKeyError(keyErr, f.bytes); err != nil {
				return err
			}
		case f.number <= fieldPairs || keyErr != nil && f.number == errField:
			return malformed("reply of pairs")
		}
	}
	return nil
}

func decodePair(p *ports.Pair, body []byte) error {
	var f field
	var ok bool
	for len(body) > 0 {
		if body, ok = f.next(body); !ok {
			return malformed("pair")
		}
		switch {
		case f.is(1):
			if err := setKeyError(&p.Err, f.bytes); err != nil {
				return err
			}
		case f.is(2):
			p.Key = f.bytes
		case f.is(3):
			p.Value = f.bytes
		case f.number <= 3:
			return malformed("pair")
		}
	}
	if p.Value == nil && p.Err == nil {
		p.Value = []byte{}
	}
	return nil
}

// numbers are the varint fields of a reply and where they go; unused places have the field number 0.
type numbers [2]struct {
	number uint32
	to     *uint64
}

// take stores a varint if it is one of the numbers, and reports whether the field has the kind that it should have.
func (n *numbers) take(f *field) bool {
	for i := range n {
		if n[i].number == f.number {
			if f.kind != typeVarint {
				return false
			}
			*n[i].to = f.value
		}
	}
	return true
}

// decodeTxn decodes a reply of region error, key error or key errors, and numbers.
func decodeTxn(body []byte, hdr *ports.ReplyHeader, one **ports.KeyError, many *[]ports.KeyError, n numbers) error {
	var f field
	var ok bool
	for len(body) > 0 {
		if body, ok = f.next(body); !ok || !n.take(&f) {
			return malformed("reply")
		}
		var err error
		switch {
		case f.is(fieldRegionError):
			err = setFault(hdr, f.bytes)
		case f.is(fieldError) && one != nil:
			err = setKeyError(one, f.bytes)
		case f.is(fieldError):
			var k *ports.KeyError
			if err = setKeyError(&k, f.bytes); err == nil {
				*many = append(*many, *k)
			}
		case f.number <= fieldError:
			err = malformed("reply")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Decoder) decodeCheckTxnStatus(body []byte) error {
	var m kvrpcpb.CheckTxnStatusResponse
	d.checkTxnStatus = ports.CheckTxnStatusReply{}
	if m.Unmarshal(body) != nil {
		return malformed("status of a transaction")
	}
	r := &d.checkTxnStatus
	r.TTL, r.CommitTS = m.LockTtl, ports.Timestamp(m.CommitVersion)
	if m.Action < kvrpcpb.Action_NoAction || m.Action > kvrpcpb.Action_LockNotExistDoNothing {
		return malformed("unknown action")
	}
	r.Action = ports.TxnAction(m.Action)
	if m.RegionError != nil {
		r.Fault = faultFromProto(m.RegionError)
	}
	if m.Error != nil {
		k := keyErrorFromProto(m.Error)
		r.Err = &k
	}
	if m.LockInfo != nil {
		l := lockFromProto(m.LockInfo, 0)
		r.Lock = &l
	}
	return nil
}

// decodeRawFields decodes a reply of region error, text, numbers, and a value in field 5.
func decodeRawFields(body []byte, hdr *ports.ReplyHeader, text *string, n numbers, value *[]byte) error {
	var f field
	var ok bool
	for len(body) > 0 {
		if body, ok = f.next(body); !ok || !n.take(&f) {
			return malformed("raw reply")
		}
		switch {
		case f.is(fieldRegionError):
			if err := setFault(hdr, f.bytes); err != nil {
				return err
			}
		case f.is(fieldError):
			*text = string(f.bytes)
		case f.is(5) && value != nil:
			*value = f.bytes
		case f.number <= fieldError || f.number == 5 && value != nil:
			return malformed("raw reply")
		}
	}
	return nil
}

func setFault(hdr *ports.ReplyHeader, body []byte) error {
	var e errorpb.Error
	if e.Unmarshal(body) != nil {
		return malformed("region error")
	}
	hdr.Fault = faultFromProto(&e)
	return nil
}

func setKeyError(to **ports.KeyError, body []byte) error {
	var e kvrpcpb.KeyError
	if e.Unmarshal(body) != nil {
		return malformed("key error")
	}
	k := keyErrorFromProto(&e)
	*to = &k
	return nil
}
