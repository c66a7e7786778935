package conform

import "github.com/tikvx/tikvx/ports"

// rangeCommands are those of administrators.
var rangeCommands = map[string]build{
	"raw-checksum": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.RawChecksumRequest{Ranges: []ports.KeyRange{a.rng()}}
	},
	"delete-range": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.DeleteRangeRequest{Range: a.rng(), NotifyOnly: a.has("notify-only")}
	},
	"destroy-range": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.UnsafeDestroyRangeRequest{Range: a.rng()}
	},
	"prepare-flashback": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.PrepareFlashbackToVersionRequest{
			Range: a.rng(), StartTS: a.ts("start"), Version: a.ts("version"),
		}
	},
	"flashback": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.FlashbackToVersionRequest{
			Range: a.rng(), StartTS: a.ts("start"), CommitTS: a.ts("commit"), Version: a.ts("version"),
		}
	},
	"split": func(a *args) ([]byte, ports.Request) {
		return a.keys("keys")[0], &ports.SplitRegionRequest{Keys: a.keys("keys"), Raw: a.has("raw")}
	},
}
