package load

import (
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/ports"
)

// Kept is what the stores of a world really kept, as checkers want it.
type Kept struct {
	World *sim.World
}

// Versions implements [check.Store].
func (k Kept) Versions(key string) []check.Version {
	var list []check.Version
	for _, v := range k.World.Versions([]byte(key)) {
		list = append(list, check.Version{Start: v.StartTS, Commit: v.CommitTS, Deleted: v.Deleted, Value: v.Value})
	}
	return list
}

// Ambiguous implements [check.Store].
func (k Kept) Ambiguous(start ports.Timestamp) bool { return k.World.Ambiguous(start) }
