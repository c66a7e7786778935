package drive

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Close treats operations in a fixed order, or simulated runs would differ.
func TestRegistryIsOrdered(t *testing.T) {
	var r registry
	for range 100 {
		r.add(&operation{})
	}
	r.remove(r.find(50))
	require.Nil(t, r.find(50))
	last := uint64(0)
	for _, o := range r.all() {
		require.Greater(t, o.id, last)
		last = o.id
	}
	added := &operation{}
	r.add(added)
	require.EqualValues(t, 101, added.id, "ids are never used twice")
}
