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
	writes := k.World.Engine().Writes([]byte(key))
	list := make([]check.Version, 0, len(writes))
	for i := range writes {
		w := &writes[i]
		if w.Kind == ports.KindPut || w.Kind == ports.KindDelete {
			list = append(list, check.Version{
				Start: w.StartTS, Commit: w.CommitTS, Deleted: w.Kind == ports.KindDelete, Value: w.Value,
			})
		}
	}
	return list
}

// Ambiguous implements [check.Store].
func (k Kept) Ambiguous(start ports.Timestamp) bool { return k.World.Ambiguous(start) }
