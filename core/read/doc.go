// Package read reads snapshots: [Get], [BatchGet] and [ScanPage], and a
// [Timestamp] to read at.
//
// All are root machines: Init, then EventStart. They answer ([sm.EffectAnswer])
// when the result is there, and then may live on to remove the locks of dead
// transactions that they met, until they are Done. After the answer the results do
// not change and nothing that Init was given is touched any more.
package read

import "github.com/tikvx/tikvx/ports"

// Options are what every read of one snapshot shares.
type Options struct {
	Priority ports.Priority
	// NotFillCache keeps what is read out of the stores' block caches.
	NotFillCache bool
	// RequestSource is the label under which TiKV accounts the requests.
	RequestSource string
}
