package conform

import "github.com/tikvx/tikvx/ports"

var isolations = map[string]ports.Isolation{"rc": ports.IsolationRC, "rc-check-ts": ports.IsolationRCCheckTS}

// sending is how a request is sent: its header but for the region, which is the one
// that holds its first key unless a mistake is to be made.
type sending struct {
	header ports.Header
	// once says that a region error is an answer like any other.
	once bool
	// mistake is made in the address, where it names something.
	mistake string
}

// sending is what the arguments of every command say. A region error is what a command
// with wrong=… is answered, or one with "once".
func (a *args) sending() sending {
	s := sending{
		header: ports.Header{
			ResolvedLocks: a.timestamps("resolved"), CommittedLocks: a.timestamps("committed"), IsRetry: a.has("retry"),
			Isolation: isolations[a.text("level")], StaleRead: a.has("stale"),
		},
		once: a.has("once") || a.has("wrong"), mistake: a.text("wrong"),
	}
	if _, ok := mistakes[s.mistake]; !ok {
		a.fail("no mistake is called %q", s.mistake)
	}
	return s
}

// mistakes are what can be wrong in the address of a request.
var mistakes = map[string]func(h *ports.Header){
	"":       func(*ports.Header) {},
	"region": func(h *ports.Header) { h.Region.ID += 1_000_000 },
	"old":    func(h *ports.Header) { h.Region.Epoch.Version-- },
	"new":    func(h *ports.Header) { h.Region.Epoch.Version++ },
	// Changes of peers do not matter to data.
	"peers": func(h *ports.Header) { h.Region.Epoch.ConfVer++ },
	"peer":  func(h *ports.Header) { h.Peer.ID += 1_000_000 },
	"store": func(h *ports.Header) { h.Peer.Store += 1_000_000 },
}

// regionError names a region error.
func regionError(f *ports.RegionFault) string {
	name, ok := map[ports.FaultKind]string{
		ports.FaultNotLeader: "not leader", ports.FaultRegionNotFound: "region not found",
		ports.FaultKeyNotInRegion: "key not in region", ports.FaultEpochNotMatch: "epoch not match",
		ports.FaultStoreNotMatch: "store not match", ports.FaultMismatchPeerID: "mismatch peer id",
		ports.FaultDataIsNotReady: "data is not ready", ports.FaultFlashbackInProgress: "flashback in progress",
		ports.FaultFlashbackNotPrepared: "flashback not prepared", ports.FaultOther: "other",
	}[f.Kind]
	if !ok {
		return "of another kind"
	}
	return name
}
