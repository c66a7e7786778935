package run

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// Triples that share a cell are counted all the same.
func TestVisitsShareCells(t *testing.T) {
	var v visits
	want := Coverage{}
	for i := range 20_000 {
		triple := Triple{strings.Repeat("m", i%5), strings.Repeat("s", i*i%40), ports.EventKind(i % 14)}
		want[triple]++
		v.Visit(triple.Machine, triple.State, triple.Kind)
	}
	require.Equal(t, want, v.coverage())
	v.Visit("", "", 0)
	want[Triple{}]++
	require.Equal(t, want, v.coverage(), "counting goes on")
}

func BenchmarkVisit(b *testing.B) {
	var v visits
	for i := range b.N {
		v.Visit("txn.Commit", "prewriting", ports.EventKind(i&7))
	}
	require.Equal(b, uint64(b.N), v.coverage().total())
}

func (c Coverage) total() uint64 {
	sum := uint64(0)
	for _, n := range c {
		sum += n
	}
	return sum
}
