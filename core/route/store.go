package route

import (
	"slices"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// probesPerResolve is the number of failed probes after which PD is asked once
// more where the store is: it may have been restarted on another address.
const probesPerResolve = 5

// store is what the table keeps of one store.
type store struct {
	// entry is what views show while resolved. Entries are replaced, not changed.
	entry *sm.Store `fp:"shared"`
	// resolved: PD has said where the store is, and nothing has disproved it since.
	resolved bool
	// query is the generation of the question to PD or, when pausing, of the pause
	// before it. asked: PD has been asked before.
	query          uint32
	pausing, asked bool
	retries        backoff.Backoff
	// probe is the generation of a probe, rest that of the pause before the next.
	probe, rest uint32
	// failures counts the probes that failed in a row.
	failures uint32
}

// usable reports whether PD's answer says where a store is, or that it is gone.
func usable(meta *ports.Store) bool { return meta.Address != "" || meta.State == ports.StoreTombstone }

func (s *store) endpoint() ports.Endpoint {
	return ports.Endpoint{Store: s.entry.ID, Address: s.entry.Address}
}

// resolve asks PD where the store is. What failed once is asked of PD's leader.
func (s *store) resolve(env *sm.Env, now ports.Instant, out *sm.Effects) {
	tok := env.Token()
	q := &ports.Query{Kind: ports.QueryStore, Store: s.entry.ID, Fresh: s.asked || s.resolved}
	s.query, s.pausing, s.asked = tok.Gen, false, true
	out.Query(tok, q, now.Add(env.Knobs.PDTimeout))
}

// pause waits before PD is asked again.
func (s *store) pause(env *sm.Env, now ports.Instant, out *sm.Effects) {
	tok := env.Token()
	s.query, s.pausing = tok.Gen, true
	out.Arm(tok, now.Add(s.retries.Next(backoff.PDRPC, &env.Rand, 0)), backoff.PDRPC.String())
}

// onMeta takes over what PD says. An address that has changed is probed before it
// is trusted if the old one was not.
func (s *store) onMeta(env *sm.Env, now ports.Instant, meta *ports.Store, out *sm.Effects) {
	s.query = 0
	s.retries.Reset(backoff.PDRPC)
	old, first := s.entry, !s.resolved
	moved := old.Address != "" && old.Address != meta.Address
	s.resolved = true
	if !first && !moved && old.State == meta.State && slices.Equal(old.Labels, meta.Labels) {
		return
	}
	e := *old
	e.Store = *meta
	if moved || old.Address != "" && meta.State == ports.StoreTombstone {
		out.Forget(s.endpoint())
	}
	if meta.State == ports.StoreTombstone {
		e.FailEpoch++
		s.entry = &e
		s.calm()
		return
	}
	s.entry = &e
	if moved && e.Liveness != sm.Reachable {
		s.setLiveness(sm.Suspect)
		s.ask(env, now, out)
	}
}

// onUnknown forgets a store that PD does not know: it is asked for again when
// somebody needs it. It reports whether views change.
func (s *store) onUnknown(out *sm.Effects) bool {
	shown := s.resolved
	s.query, s.resolved = 0, false
	if shown {
		out.Forget(s.endpoint())
		s.calm()
	}
	return shown
}

// onFailed asks a probe whether the store still serves, and PD where it is. epoch is
// the one under which the request was sent that failed: what was sent before the
// store was last found dead says nothing new.
func (s *store) onFailed(env *sm.Env, now ports.Instant, epoch uint32, out *sm.Effects) {
	if epoch != s.entry.FailEpoch || s.entry.Liveness != sm.Reachable {
		return
	}
	s.setLiveness(sm.Suspect)
	s.failures = 0
	s.ask(env, now, out)
	if s.query == 0 {
		s.resolve(env, now, out)
	}
}

// onAlive believes in the store again: it has answered.
func (s *store) onAlive() {
	if s.entry.Liveness != sm.Reachable {
		s.setLiveness(sm.Reachable)
	}
	s.calm()
}

// onMismatch drops an address at which another store answers. It reports whether
// views change.
func (s *store) onMismatch(env *sm.Env, now ports.Instant, epoch uint32, out *sm.Effects) bool {
	if epoch != s.entry.FailEpoch {
		return false
	}
	out.Forget(s.endpoint())
	e := *s.entry
	e.FailEpoch++
	e.Liveness = sm.Reachable
	s.entry = &e
	s.calm()
	s.resolved, s.asked = false, true
	if s.query == 0 {
		s.resolve(env, now, out)
	}
	return true
}

// onBusy notes until when the store expects to be busy.
func (s *store) onBusy(until ports.Instant) {
	e := *s.entry
	e.BusyUntil = until
	s.entry = &e
}

// onUnreachable counts the store's failure, once until it answers, and waits for the
// next probe.
func (s *store) onUnreachable(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if s.entry.Liveness != sm.Unreachable {
		e := *s.entry
		e.FailEpoch++
		e.Liveness = sm.Unreachable
		s.entry = &e
	}
	s.probe = 0
	s.failures++
	tok := env.Token()
	s.rest = tok.Gen
	out.Arm(tok, now.Add(env.Knobs.ProbeInterval), "")
}

// again probes once more, and now and then asks PD whether the store has moved.
func (s *store) again(env *sm.Env, now ports.Instant, out *sm.Effects) {
	s.rest = 0
	s.ask(env, now, out)
	if s.failures%probesPerResolve == 0 && s.query == 0 {
		s.resolve(env, now, out)
	}
}

// ask sends a probe; one that is under way is forgotten.
func (s *store) ask(env *sm.Env, now ports.Instant, out *sm.Effects) {
	tok := env.Token()
	s.probe, s.rest = tok.Gen, 0
	out.Probe(tok, s.endpoint(), now.Add(env.Knobs.ProbeTimeout))
}

// calm ends the probing.
func (s *store) calm() { s.probe, s.rest, s.failures = 0, 0, 0 }

func (s *store) setLiveness(l sm.Liveness) {
	e := *s.entry
	e.Liveness = l
	s.entry = &e
}

func (s *store) fingerprint(h *sm.Hash) {
	s.entry.Fingerprint(h)
	h.Bool(s.resolved)
	h.Gen(s.query)
	h.Bool(s.pausing)
	h.Bool(s.asked)
	s.retries.Fingerprint(h)
	h.Gen(s.probe)
	h.Gen(s.rest)
	h.Uint(uint64(s.failures))
}
