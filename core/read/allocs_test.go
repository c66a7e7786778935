package read

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// regionsOf makes so many regions, each of which holds one of the returned keys.
func regionsOf(n int) (smtest.Regions, [][]byte) {
	var view smtest.Regions
	var keys [][]byte
	name := func(i int) string { return fmt.Sprintf("k%04d", i) }
	for i := range n {
		start, end := name(i), name(i+1)
		if i == 0 {
			start = ""
		}
		if i == n-1 {
			end = ""
		}
		view = append(view, smtest.Entry(fmt.Sprintf("%d:1.1 [%s,%s) %d@1*", i+1, start, end, i+1)))
		keys = append(keys, []byte(name(i)))
	}
	return view, keys
}

func benchEnv(view smtest.Regions) sm.Env {
	knobs := sm.DefaultKnobs()
	return sm.Env{
		Codec: key.Codec{Mode: key.Raw}, Knobs: &knobs, Regions: view, Stores: smtest.Up(1), Txns: smtest.Txns{},
	}
}

// A get allocates the value, and nothing else above the wire.
func TestGetAllocations(t *testing.T) {
	view, keys := regionsOf(3)
	env := benchEnv(view)
	var m Get
	var out sm.Effects
	reply := ports.GetReply{Value: make([]byte, 100)}
	start, served := ports.Event{Kind: ports.EventStart}, ports.Event{Kind: ports.EventReply, Reply: &reply}
	get := func() {
		m.Init(keys[1], ms(100), Options{}, 20*second)
		out.Reset()
		m.Step(&env, &start, &out)
		served.Tok = out.List[0].Tok
		out.Reset()
		m.Step(&env, &served, &out)
	}
	get()
	require.LessOrEqual(t, testing.AllocsPerRun(100, get), 1.0)
	value, found := m.Value()
	require.True(t, found && m.Done() && len(value) == 100)
}

// The number of regions does not show in the allocations of a batch get.
func TestBatchGetAllocations(t *testing.T) {
	counts := map[int]float64{}
	for _, n := range []int{10, 100} {
		view, keys := regionsOf(n)
		env := benchEnv(view)
		var m BatchGet
		var out sm.Effects
		toks := make([]ports.Tok, n)
		reply := ports.BatchGetReply{Pairs: make([]ports.Pair, 1)}
		start, served := ports.Event{Kind: ports.EventStart}, ports.Event{Kind: ports.EventReply, Reply: &reply}
		batchGet := func() {
			m.Init(keys, ms(100), Options{}, 20*second)
			out.Reset()
			m.Step(&env, &start, &out)
			for i := range out.List {
				toks[i] = out.List[i].Tok
			}
			for i := range toks {
				reply.Pairs[0] = ports.Pair{Key: keys[i], Value: keys[i]}
				served.Tok = toks[i]
				out.Reset()
				m.Step(&env, &served, &out)
			}
		}
		batchGet()
		counts[n] = testing.AllocsPerRun(100, batchGet)
		require.True(t, m.Done())
		require.Len(t, m.Pairs(), n)
	}
	require.Equal(t, counts[10], counts[100])
	require.LessOrEqual(t, counts[100], 2.0, "the pairs and their values")
}

func BenchmarkGet(b *testing.B) {
	view, keys := regionsOf(3)
	env := benchEnv(view)
	var m Get
	var out sm.Effects
	reply := ports.GetReply{Value: make([]byte, 100)}
	start, served := ports.Event{Kind: ports.EventStart}, ports.Event{Kind: ports.EventReply, Reply: &reply}
	b.ReportAllocs()
	for range b.N {
		m.Init(keys[1], ms(100), Options{}, 20*second)
		out.Reset()
		m.Step(&env, &start, &out)
		served.Tok = out.List[0].Tok
		out.Reset()
		m.Step(&env, &served, &out)
	}
}
