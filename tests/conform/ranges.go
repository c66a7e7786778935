package conform

import "github.com/tikvx/tikvx/ports"

// rangeCommands are those of administrators.
var rangeCommands = map[string]build{
	"raw-checksum": func(a *args) ([]byte, ports.Request) {
		return a.key("from"), &ports.RawChecksumRequest{Ranges: []ports.KeyRange{a.rng()}}
	},
	"raw-batch-scan": func(a *args) ([]byte, ports.Request) {
		req := &ports.RawBatchScanRequest{
			EachLimit: a.limit(), KeyOnly: a.has("keys-only"), Reverse: a.has("reverse"), CF: a.text("cf"),
		}
		for _, f := range a.lines() {
			r := ports.KeyRange{Start: []byte(a.prefix + f[0])}
			if len(f) > 1 {
				r.End = []byte(a.prefix + f[1])
			}
			req.Ranges = append(req.Ranges, r)
		}
		return a.key(""), req
	},
	"lock-waits": func(a *args) ([]byte, ports.Request) { return a.key(""), &ports.LockWaitInfoRequest{} },
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
