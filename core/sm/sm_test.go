package sm_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// vocabulary holds a value of every type that hashes can write.
type vocabulary struct {
	version ports.RegionVersion
	header  ports.Header
	lock    ports.Lock
	err     *ports.KeyError
	noErr   *ports.KeyError
	ask     ports.Ask
	failure sm.Failure
	region  *sm.Region
	store   *sm.Store
	times   []ports.Timestamp
	key     []byte
	at      ports.Instant
}

func (v *vocabulary) Step(*sm.Env, *ports.Event, *sm.Effects) {}
func (v *vocabulary) Done() bool                              { return false }
func (v *vocabulary) String() string                          { return "vocabulary" }

func (v *vocabulary) Fingerprint(h *sm.Hash) {
	h.Version(v.version)
	h.Header(&v.header)
	h.Lock(&v.lock)
	h.KeyError(v.err)
	h.KeyError(v.noErr)
	h.Ask(&v.ask)
	v.failure.Fingerprint(h)
	v.region.Fingerprint(h)
	v.store.Fingerprint(h)
	h.Timestamps(v.times)
	h.Bytes(v.key)
	h.Instant(v.at)
}

// CloneInto makes another one like the only one that there is.
func (v *vocabulary) CloneInto(dst *vocabulary) { *dst = *newVocabulary() }

func newVocabulary() *vocabulary {
	lock := ports.Lock{
		Key: []byte("k"), Primary: []byte("p"), Secondaries: [][]byte{[]byte("s")}, Shared: []ports.Lock{{TTL: 3}},
	}
	v := &vocabulary{
		header:  ports.Header{ResolvedLocks: []ports.Timestamp{1}, CommittedLocks: []ports.Timestamp{2}, RequestSource: "x"},
		lock:    lock,
		err:     &ports.KeyError{Kind: ports.KeyLocked, Lock: lock, Key: []byte("k"), Primary: []byte("p")},
		ask:     ports.Ask{Key: []byte("a"), Until: []byte("b")},
		failure: sm.Failure{Code: sm.FailConflict, KeyError: &ports.KeyError{Key: []byte("k")}, Text: "t"},
		region: &sm.Region{Region: ports.Region{
			Range: ports.KeyRange{Start: []byte("a"), End: []byte("b")}, Peers: []ports.Peer{{ID: 1}}, Down: []ports.PeerID{1}}},
		store: &sm.Store{Store: ports.Store{Address: "s", Labels: []ports.Label{{Key: "zone", Value: "z"}}}},
		times: []ports.Timestamp{7}, key: []byte("k"),
	}
	v.failure.History.Add(sm.Attempt{Store: 1, Fault: ports.FaultNotLeader, Cause: ports.CauseHung})
	return v
}

// Every field of the vocabulary is in a fingerprint that contains the value.
func TestHashCoversVocabulary(t *testing.T) {
	smtest.Contract(t, newVocabulary())
}

func sum(write func(h *sm.Hash)) uint64 {
	h := sm.NewHash()
	write(h)
	return h.Sum()
}

// States that differ in nothing but the numbers of their waits are one state.
func TestHashRenamesGenerations(t *testing.T) {
	waits := func(raw bool, gens ...uint32) uint64 {
		return sum(func(h *sm.Hash) {
			h.Raw = raw
			for _, g := range gens {
				h.Gen(g)
			}
		})
	}
	require.Equal(t, waits(false, 1, 2, 1, 0), waits(false, 8, 5, 8, 0))
	require.NotEqual(t, waits(false, 1, 2, 1), waits(false, 8, 5, 5), "who waits for the same is part of the state")
	require.NotEqual(t, waits(false, 1, 0), waits(false, 1, 2), "so is whether anything is awaited")
	require.NotEqual(t, waits(true, 1, 2), waits(true, 8, 5))
}

// Neighbours cannot swap bytes without being noticed, and nothing is not empty.
func TestHashKeepsValuesApart(t *testing.T) {
	type write = func(h *sm.Hash)
	for name, pair := range map[string][2]write{
		"bytes": {func(h *sm.Hash) { h.Bytes([]byte("ab")); h.Bytes([]byte("c")) },
			func(h *sm.Hash) { h.Bytes([]byte("a")); h.Bytes([]byte("bc")) }},
		"no bytes": {func(h *sm.Hash) { h.Bytes(nil) }, func(h *sm.Hash) { h.Bytes([]byte{}) }},
		"texts":    {func(h *sm.Hash) { h.Text("ab"); h.Text("c") }, func(h *sm.Hash) { h.Text("a"); h.Text("bc") }},
		"lists": {func(h *sm.Hash) { h.Keys([][]byte{[]byte("a")}); h.Keys(nil) },
			func(h *sm.Hash) { h.Keys(nil); h.Keys([][]byte{[]byte("a")}) }},
		"truths":  {func(h *sm.Hash) { h.Bool(true) }, func(h *sm.Hash) { h.Bool(false) }},
		"numbers": {func(h *sm.Hash) { h.Int(1); h.Int(2) }, func(h *sm.Hash) { h.Int(2); h.Int(1) }},
		"regions": {(*sm.Region)(nil).Fingerprint, (&sm.Region{}).Fingerprint},
		"stores":  {(*sm.Store)(nil).Fingerprint, (&sm.Store{}).Fingerprint},
		"errors":  {func(h *sm.Hash) { h.KeyError(nil) }, func(h *sm.Hash) { h.KeyError(&ports.KeyError{}) }},
	} {
		require.NotEqual(t, sum(pair[0]), sum(pair[1]), name)
	}
}

// The path of the machine that is stepped is in its tokens; no two are equal.
func TestEnvPaths(t *testing.T) {
	var env sm.Env
	root := env.Token()
	env.Enter(3)
	child := env.Token()
	env.Enter(255)
	grandchild := env.Token()
	env.Leave()
	env.Enter(1)
	other := env.Token()
	env.Leave()
	again := env.Token()
	env.Leave()

	require.Zero(t, root.Addr)
	require.Equal(t, child.Addr, again.Addr)
	gens := map[uint32]bool{root.Gen: true, child.Gen: true, grandchild.Gen: true, other.Gen: true, again.Gen: true}
	require.Len(t, gens, 5)
	require.False(t, gens[0], "0 means that nothing is awaited")

	ev := &ports.Event{Tok: grandchild}
	require.EqualValues(t, 3, env.Hop(ev))
	env.Enter(3)
	require.EqualValues(t, 255, env.Hop(ev))
	require.Zero(t, env.Hop(&ports.Event{Tok: child}), "meant for the machine itself")
	env.Enter(255)
	require.Zero(t, env.Hop(ev))
}

func TestEnvDeepest(t *testing.T) {
	var env sm.Env
	for range ports.MaxHops {
		env.Enter(7)
	}
	require.EqualValues(t, 0x0707070707070707, env.Token().Addr)
	for range ports.MaxHops {
		env.Leave()
	}
	require.Zero(t, env.Token().Addr)
}

func TestEnvLocate(t *testing.T) {
	env := sm.Env{Codec: key.Codec{Mode: key.Raw}, Regions: smtest.Regions{smtest.Entry("2:1.1 [a,m) 21@1*")}}
	require.EqualValues(t, 2, env.Locate([]byte("b"), 0).ID)
	require.Nil(t, env.Locate([]byte("m"), 0))
	env.Codec = key.Codec{}
	require.Equal(t, key.AppendMemcomparable(nil, []byte("b")), env.RegionKey([]byte("b")))
	require.EqualValues(t, 2, env.Locate([]byte("b"), 0).ID)
}

type visits []string

func (v *visits) Visit(machine, state string, kind ports.EventKind) {
	*v = append(*v, machine+" "+state)
}

func TestEnvVisit(t *testing.T) {
	var env sm.Env
	env.Visit("m", "s", ports.EventStart) // nobody counts in production
	var v visits
	env.Visitor = &v
	env.Visit("m", "s", ports.EventStart)
	require.Equal(t, visits{"m s"}, v)
}

// Each effect holds what it was made of, and nothing of the one that had its place
// before.
func TestEffects(t *testing.T) {
	var out sm.Effects
	tok, to := ports.Tok{Gen: 1}, ports.Endpoint{Store: 1}
	hdr, req, query := &ports.Header{}, &ports.GetRequest{}, &ports.Query{}
	ask, fact, waiter := &ports.Ask{Deadline: 9}, &ports.Fact{}, ports.Waiter{Op: 4}
	cause := ports.Cause{Kind: ports.CauseHung}
	for range 3 {
		out.Reset()
		require.Empty(t, out.List)
		out.Send(tok, to, hdr, req, 9)
		out.Timestamp(tok, 9)
		out.Arm(tok, 9, "txnLock")
		out.Query(tok, query, 9)
		out.Probe(tok, to, 9)
		out.Ask(tok, ask)
		out.Learn(fact)
		out.Tell(waiter, cause)
		out.Forget(to)
		out.Answer()
		require.Equal(t, []sm.Effect{
			{Kind: sm.EffectSend, Tok: tok, To: to, Header: hdr, Request: req, At: 9},
			{Kind: sm.EffectTimestamp, Tok: tok, At: 9},
			{Kind: sm.EffectArm, Tok: tok, At: 9, Pause: "txnLock"},
			{Kind: sm.EffectQuery, Tok: tok, Query: query, At: 9},
			{Kind: sm.EffectProbe, Tok: tok, To: to, At: 9},
			{Kind: sm.EffectAsk, Tok: tok, Ask: ask, At: 9},
			{Kind: sm.EffectLearn, Fact: fact},
			{Kind: sm.EffectTell, Waiter: waiter, Cause: cause},
			{Kind: sm.EffectForget, To: to},
			{Kind: sm.EffectAnswer},
		}, out.List)
		// The next user of the memory meets other kinds in other places.
		out.Reset()
		out.Answer()
		require.Equal(t, []sm.Effect{{Kind: sm.EffectAnswer}}, out.List)
	}
}

func TestEffectsAllocateNothing(t *testing.T) {
	var out sm.Effects
	out.Arm(ports.Tok{}, 0, "")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		out.Reset()
		out.Arm(ports.Tok{}, 0, "")
	}))
}

// SplitMix64's published sequence for the seed 1234567 (prng.di.unimi.it/splitmix64.c).
func TestRandKnown(t *testing.T) {
	r := sm.NewRand(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431} {
		require.Equal(t, want, r.Uint64())
	}
}

func TestRandBelow(t *testing.T) {
	r := sm.NewRand(1)
	counts := [10]int{}
	for range 10_000 {
		counts[r.Below(10)]++
	}
	for i, n := range counts {
		require.InDelta(t, 1000, n, 150, "%d", i)
	}
	require.Zero(t, r.Below(0))
	require.Zero(t, r.Below(1))
	fork := r
	require.Equal(t, r.Uint64(), fork.Uint64(), "a copy has the same future")
}

// A history keeps the newest attempts and counts all of them.
func TestHistory(t *testing.T) {
	var h sm.History
	for i := range ports.StoreID(6) {
		h.Add(sm.Attempt{Store: i})
	}
	require.Equal(t, 6, h.Count)
	require.Equal(t, [sm.HistorySize]sm.Attempt{{Store: 4}, {Store: 5}, {Store: 2}, {Store: 3}}, h.Last)
	require.EqualValues(t, 5, h.Last[(h.Count-1)%sm.HistorySize].Store, "the newest")
}

func TestFailure(t *testing.T) {
	require.False(t, (&sm.Failure{}).Failed())
	require.True(t, (&sm.Failure{Code: sm.FailCancelled}).Failed())
}

// The limits of a production client are those of client-go where it has them.
func TestDefaultKnobs(t *testing.T) {
	k := sm.DefaultKnobs()
	require.Equal(t, 30*time.Second, k.RequestTimeout)
	require.Equal(t, 60*time.Second, k.ScanTimeout)
	require.Equal(t, 600*time.Second, k.RegionTTL)
	require.Equal(t, 60*time.Second, k.RegionTTLJitter)
	require.Equal(t, time.Second, k.ProbeTimeout)
	require.Equal(t, 16<<10, k.CommitBatchBytes)
	require.LessOrEqual(t, k.Workers, 128)
}
