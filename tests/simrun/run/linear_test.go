package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/ports"
)

func TestLinearizable(t *testing.T) {
	swap := load.RegisterOp{Kind: load.RegisterSwap, New: "a", Swapped: true, Began: 1, Ended: 4}
	lost := load.RegisterOp{Kind: load.RegisterSwap, Old: "a", New: "b", Unknown: true, Began: 5, Ended: 6}
	read := func(found string, began, ended int64) load.RegisterOp {
		return load.RegisterOp{Found: found, Client: 1, Began: ports.Instant(began), Ended: ports.Instant(ended)}
	}
	write := func(value string, began, ended int64) load.RegisterOp {
		return load.RegisterOp{
			Kind: load.RegisterWrite, New: value, Client: 2, Began: ports.Instant(began), Ended: ports.Instant(ended),
		}
	}
	good := [][]load.RegisterOp{
		{write("a", 1, 4), write("b", 3, 6), read("b", 4, 5), read("b", 5, 7)},
		{write("a", 1, 4), write("", 5, 8), read("a", 5, 6), read("", 7, 8)},
		{swap, read("", 2, 3), read("a", 5, 6)},
		{swap, lost, read("a", 7, 8), read("b", 20, 21)},
		{swap, lost, read("a", 7, 8)},
	}
	for i, h := range good {
		require.Empty(t, linearizable(h), "good history %d", i)
	}
	bad := [][]load.RegisterOp{
		{write("a", 1, 2), write("b", 3, 4), read("a", 5, 6)},
		{write("a", 1, 2), write("", 3, 4), read("a", 5, 6)},
		{swap, read("", 5, 6)},
		{swap, lost, read("b", 7, 8), read("a", 9, 10)},
		{swap, {Kind: load.RegisterSwap, Old: "x", New: "y", Found: "a", Swapped: true, Client: 1, Began: 5, Ended: 6}},
	}
	for i, h := range bad {
		require.NotEmpty(t, linearizable(h), "bad history %d", i)
	}
}
