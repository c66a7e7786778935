package run

import (
	"fmt"

	"github.com/tikvx/tikvx/adapters/sim"
)

// Twice runs a seed two times and says where the second run parts from the first; empty when they are the same. What
// makes them differ is something that no chooser decides: the order of a map, a clock, a goroutine.
func Twice(seed uint64) string {
	var trails [2]*sim.Trail
	var reports [2]Report
	for i := range trails {
		reports[i] = seeded(seed, nil, func(c sim.Chooser) sim.Chooser {
			trails[i] = sim.NewTrail(c)
			return trails[i]
		})
	}
	if parted := trails[0].Diverges(trails[1]); parted != "" {
		return parted
	}
	if a, b := reports[0], reports[1]; a.Hash != b.Hash || a.Events != b.Events {
		return fmt.Sprintf("the same decisions, but %d events with hash %016x, then %d with %016x", a.Events, a.Hash,
			b.Events, b.Hash)
	}
	return ""
}
