package run

import (
	"fmt"
	"time"

	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/core/sm"
)

// shortRegions is the life of regions up to which a run waits until clients have forgotten those that they do not use.
const shortRegions = 2 * time.Second

// rest lets the clients stand idle in the healed cluster. What they hold must come back to what they began with.
func (r *simulation) rest() {
	began := r.world.Now()
	for _, o := range r.opened {
		if o.process.Crashed() {
			continue
		}
		idle := func() bool { return o.db.Usage().Operations == 0 && o.process.Pending() == 0 }
		if !r.until(began.Add(calm), idle) {
			r.wrong("%s is not idle %v after its last call: %d operations, %d requests", o.process.Name(), calm,
				o.db.Usage().Operations, o.process.Pending())
		}
	}
	if r.knobs.RegionTTL <= shortRegions {
		forgotten := r.world.Now().Add(r.knobs.RegionTTL + r.knobs.RegionTTLJitter + shortRegions)
		r.until(forgotten, func() bool { return false })
	}
	for _, o := range r.opened {
		if !o.process.Crashed() {
			for _, excess := range excesses(o.db.Usage(), &r.knobs) {
				r.wrong("%s %s", o.process.Name(), excess)
			}
		}
	}
}

// excesses holds what an idle client keeps against its limits.
func excesses(u app.Usage, k *sm.Knobs) []string {
	var wrong []string
	if u.Txns > k.TxnStatusEntries {
		wrong = append(wrong, fmt.Sprintf("keeps the status of %d transactions instead of %d", u.Txns, k.TxnStatusEntries))
	}
	if u.Regions > 0 && k.RegionTTL <= shortRegions {
		wrong = append(wrong, fmt.Sprintf("keeps %d regions that nobody has used for %v", u.Regions, k.RegionTTL))
	}
	return wrong
}
