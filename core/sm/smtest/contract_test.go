package smtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// complaints collects what Contract finds.
type complaints struct{ list []string }

func (c *complaints) Helper() {}
func (c *complaints) Errorf(format string, args ...any) {
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

type inner struct {
	flag bool
	gen  uint32
}

// toy has one field of every sort that a machine may have.
type toy struct {
	state  uint8
	name   string
	ratio  float64
	at     ports.Instant
	kids   [2]inner
	list   []inner
	keys   [][]byte
	own    *inner
	none   *inner
	index  map[uint64]int
	labels map[string]bool
	entry  *sm.Region  `fp:"shared"`
	lent   ports.Reply `fp:"-"`

	skipName, shareList bool `fp:"-"`
}

func (m *toy) Step(*sm.Env, *ports.Event, *sm.Effects) {}
func (m *toy) Done() bool                              { return false }
func (m *toy) String() string                          { return "toy" }

func (m *toy) CloneInto(dst *toy) {
	*dst = *m
	if !m.shareList {
		dst.list = append([]inner(nil), m.list...)
	}
	dst.keys = nil
	for _, k := range m.keys {
		dst.keys = append(dst.keys, append([]byte(nil), k...))
	}
	if m.own != nil {
		dst.own = &inner{m.own.flag, m.own.gen}
	}
	dst.index, dst.labels = map[uint64]int{}, map[string]bool{}
	for k, v := range m.index {
		dst.index[k] = v
	}
	for k, v := range m.labels {
		dst.labels[k] = v
	}
}

func (m *toy) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(m.state))
	if !m.skipName {
		h.Text(m.name)
	}
	h.Int(int(m.ratio))
	h.Instant(m.at)
	for _, k := range m.kids {
		h.Bool(k.flag)
		h.Gen(k.gen)
	}
	h.Int(len(m.list))
	for _, k := range m.list {
		h.Bool(k.flag)
		h.Gen(k.gen)
	}
	h.Keys(m.keys)
	for _, p := range []*inner{m.own, m.none} {
		h.Bool(p != nil)
		if p != nil {
			h.Bool(p.flag)
			h.Gen(p.gen)
		}
	}
	for i := range uint64(4) {
		h.Int(m.index[i])
		_, ok := m.index[i]
		h.Bool(ok)
	}
	h.Int(len(m.labels))
	h.Bool(m.labels["x"])
	m.entry.Fingerprint(h)
}

func newToy() *toy {
	return &toy{
		state: 3, name: "n", ratio: 2, at: 7, kids: [2]inner{{gen: 4}, {flag: true}},
		list: append(make([]inner, 0, 4), inner{gen: 9}), keys: [][]byte{[]byte("k"), nil},
		own: &inner{gen: 5}, index: map[uint64]int{0: 3, 2: 1}, labels: map[string]bool{"x": true},
		entry: &sm.Region{
			Region:    ports.Region{Peers: []ports.Peer{{ID: 1}}, Down: []ports.PeerID{1}},
			FailEpoch: 1,
		},
		lent: &ports.GetReply{},
	}
}

func TestContractAccepts(t *testing.T) {
	smtest.Contract(t, newToy())
}

func TestContractFindsForgottenField(t *testing.T) {
	var c complaints
	m := newToy()
	m.skipName = true
	smtest.Contract(&c, m)
	require.Equal(t, []string{"*smtest_test.toy: the fingerprint does not cover .name"}, c.list)
}

func TestContractFindsSharedMemory(t *testing.T) {
	var c complaints
	m := newToy()
	m.shareList = true
	smtest.Contract(&c, m)
	require.NotEmpty(t, c.list)
	require.Contains(t, c.list[0], "shares the memory of .list")
	require.Contains(t, strings.Join(c.list, "\n"), "a change of the clone's .list[0].flag shows in the original")
}

func TestContractFindsSharedSpareCapacity(t *testing.T) {
	var c complaints
	m := newToy()
	m.shareList, m.list = true, m.list[:0]
	smtest.Contract(&c, m)
	require.Equal(t, []string{"*smtest_test.toy: the clone shares the memory of .list"}, c.list)
}

// unfaithful is a machine whose clone forgets its state.
type unfaithful struct{ state uint8 }

func (m *unfaithful) Step(*sm.Env, *ports.Event, *sm.Effects) {}
func (m *unfaithful) Done() bool                              { return false }
func (m *unfaithful) String() string                          { return "unfaithful" }
func (m *unfaithful) CloneInto(dst *unfaithful)               { *dst = unfaithful{} }
func (m *unfaithful) Fingerprint(h *sm.Hash)                  { h.Uint(uint64(m.state)) }

func TestContractFindsUnfaithfulClone(t *testing.T) {
	var c complaints
	smtest.Contract(&c, &unfaithful{state: 1})
	require.Equal(t, []string{
		"*smtest_test.unfaithful: the clone's fingerprint differs from the original's"}, c.list)
}

// opaque has a field that nobody can look into.
type opaque struct{ reply ports.Reply }

func (m *opaque) Step(*sm.Env, *ports.Event, *sm.Effects) {}
func (m *opaque) Done() bool                              { return m.reply != nil }
func (m *opaque) String() string                          { return "opaque" }
func (m *opaque) CloneInto(dst *opaque)                   { *dst = *m }
func (m *opaque) Fingerprint(*sm.Hash)                    {}

func TestContractWantsTags(t *testing.T) {
	var c complaints
	smtest.Contract(&c, &opaque{})
	require.Equal(t, []string{"*smtest_test.opaque: .reply of kind interface: tag it"}, c.list)
}
