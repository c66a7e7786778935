package sm

import "github.com/tikvx/tikvx/ports"

// The methods below write values of the vocabulary, field by field, so that
// machines that hold them have complete fingerprints.

// Version writes a region version.
func (h *Hash) Version(v ports.RegionVersion) {
	h.Uint(uint64(v.ID))
	h.Uint(v.Epoch.ConfVer)
	h.Uint(v.Epoch.Version)
}

// Range writes a range of keys.
func (h *Hash) Range(r ports.KeyRange) {
	h.Bytes(r.Start)
	h.Bytes(r.End)
}

// Peer writes a peer.
func (h *Hash) Peer(p ports.Peer) {
	h.Uint(uint64(p.ID))
	h.Uint(uint64(p.Store))
	h.Uint(uint64(p.Role))
	h.Bool(p.Witness)
}

// Cause writes a cause.
func (h *Hash) Cause(c ports.Cause) {
	h.Uint(uint64(c.Kind))
	h.Text(c.Text)
}

// Timestamps writes a list of timestamps.
func (h *Hash) Timestamps(list []ports.Timestamp) {
	h.Int(len(list))
	for _, ts := range list {
		h.TS(ts)
	}
}

// Header writes a request's header.
func (h *Hash) Header(hdr *ports.Header) {
	h.Version(hdr.Region)
	h.Peer(hdr.Peer)
	h.Uint(uint64(hdr.Priority))
	h.Uint(uint64(hdr.Isolation))
	h.Uint(uint64(hdr.MaxExecution))
	h.Bool(hdr.IsRetry)
	h.Bool(hdr.NotFillCache)
	h.Bool(hdr.ReplicaRead)
	h.Bool(hdr.StaleRead)
	h.Bool(hdr.AllowedOnAlmostFull)
	h.Timestamps(hdr.ResolvedLocks)
	h.Timestamps(hdr.CommittedLocks)
	h.Text(hdr.RequestSource)
}

// Lock writes a lock with the members of its set.
func (h *Hash) Lock(l *ports.Lock) {
	h.Bytes(l.Key)
	h.Bytes(l.Primary)
	h.TS(l.StartTS)
	h.Uint(l.TTL)
	h.Uint(l.TxnSize)
	h.Uint(uint64(l.Kind))
	h.TS(l.ForUpdateTS)
	h.Bool(l.UseAsyncCommit)
	h.TS(l.MinCommitTS)
	h.Keys(l.Secondaries)
	h.Uint(l.DurationToLastUpdate)
	h.Bool(l.IsTxnFile)
	h.Int(len(l.Shared))
	for i := range l.Shared {
		h.Lock(&l.Shared[i])
	}
}

// KeyError writes a key error; nil is one, too.
func (h *Hash) KeyError(e *ports.KeyError) {
	h.Bool(e != nil)
	if e == nil {
		return
	}
	h.Uint(uint64(e.Kind))
	h.Text(e.Text)
	h.Lock(&e.Lock)
	h.Bytes(e.Key)
	h.Bytes(e.Primary)
	h.TS(e.StartTS)
	h.TS(e.ConflictTS)
	h.TS(e.ConflictCommitTS)
	h.Uint(uint64(e.Reason))
	h.TS(e.AttemptedCommitTS)
	h.TS(e.MinCommitTS)
	h.TS(e.LockTS)
	h.Uint(e.DeadlockKeyHash)
	h.Uint(uint64(e.Assertion))
	h.Uint(uint64(len(e.WaitChain)))
	for i := range e.WaitChain {
		w := &e.WaitChain[i]
		h.TS(w.Txn)
		h.TS(w.WaitForTxn)
		h.Uint(w.KeyHash)
		h.Bytes(w.Key)
	}
}

// Waiter writes a waiter.
func (h *Hash) Waiter(w ports.Waiter) {
	h.Uint(w.Op)
	h.Uint(uint64(w.Tok.Addr))
	h.Gen(w.Tok.Gen)
}

// Ask writes a question.
func (h *Hash) Ask(a *ports.Ask) {
	h.Uint(uint64(a.Kind))
	h.Bytes(a.Key)
	h.Bytes(a.Until)
	h.Version(a.Newer)
	h.Uint(uint64(a.Store))
	h.Waiter(a.Waiter)
	h.Instant(a.Deadline)
}

// Fingerprint writes the entry; nil is one, too.
func (r *Region) Fingerprint(h *Hash) {
	h.Bool(r != nil)
	if r == nil {
		return
	}
	h.Version(r.RegionVersion)
	h.Range(r.Range)
	h.Int(len(r.Peers))
	for _, p := range r.Peers {
		h.Peer(p)
	}
	h.Uint(uint64(r.Leader))
	h.Int(len(r.Down))
	for _, id := range r.Down {
		h.Uint(uint64(id))
	}
	h.Int(r.Leading)
	h.Uint(uint64(r.FailEpoch))
	h.Instant(r.Expiry)
	h.Uint(uint64(r.Slot))
}

// Fingerprint writes the entry; nil is one, too.
func (s *Store) Fingerprint(h *Hash) {
	h.Bool(s != nil)
	if s == nil {
		return
	}
	h.Uint(uint64(s.ID))
	h.Text(s.Address)
	h.Uint(uint64(s.State))
	h.Int(len(s.Labels))
	for _, l := range s.Labels {
		h.Text(l.Key)
		h.Text(l.Value)
	}
	h.Uint(uint64(s.FailEpoch))
	h.Uint(uint64(s.Liveness))
	h.Instant(s.BusyUntil)
}
