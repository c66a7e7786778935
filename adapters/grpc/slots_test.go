package grpc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSlots holds the slots against a map from every id that was ever given out.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s slots
		held, gone := map[uint64]*call{}, []uint64{}
		ids := []uint64{}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				c := &call{}
				id := s.put(c)
				require.NotZero(t, id)
				require.NotContains(t, held, id)
				require.NotContains(t, gone, id, "an id is never used twice")
				if len(ids) == 0 {
					require.EqualValues(t, 1, id, "ids begin with 1")
				}
				held[id] = c
				ids = append(ids, id)
				require.Same(t, c, s.peek(id))
			},
			"take": func(t *rapid.T) {
				if len(ids) == 0 {
					return
				}
				id := rapid.SampledFrom(ids).Draw(t, "id")
				require.Equal(t, held[id], s.take(id))
				if held[id] != nil {
					gone = append(gone, id)
				}
				delete(held, id)
			},
			"take what never was": func(t *rapid.T) {
				id := rapid.Uint64().Draw(t, "id")
				if held[id] == nil {
					require.Nil(t, s.take(id))
				}
			},
			"take some": func(t *rapid.T) {
				want := rapid.Bool().Draw(t, "all")
				n := 0
				s.takeIf(func(*call) bool { return want }, func(c *call) { n++ })
				if want {
					require.Equal(t, len(held), n)
					for id := range held {
						gone = append(gone, id)
					}
					clear(held)
				}
			},
			"": func(t *rapid.T) { require.Equal(t, len(held), s.used) },
		})
	})
}

func TestSlotsAreBounded(t *testing.T) {
	s := slots{list: make([]slot, maxSlots)}
	require.Zero(t, s.put(&call{}))
}
