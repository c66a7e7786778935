package route

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// faultCase is a region error with what a call makes of it.
type faultCase struct {
	name  string
	fault ports.RegionFault
	// pause is the curve of the pause that follows, "" for none; then is what comes
	// after it.
	pause, then string
	maybe       bool
}

// faultCases has at least one case for every kind. The region is led by peer 21.
func faultCases() []faultCase {
	const (
		again  = "send to 21@1"
		anew   = "region gone, ask for region"
		refuse = "failed: rejected after 1 attempts"
	)
	return []faultCase{
		{"no kind at all", ports.RegionFault{}, "staleCommand", again, false},
		{"other", ports.RegionFault{Kind: ports.FaultOther, Text: "TiKV is closing"}, "staleCommand", again, false},
		{"other, out of time", ports.RegionFault{Kind: ports.FaultOther, Deadline: true}, "staleCommand", again, true},
		{"other, timestamp from the future", ports.RegionFault{
			Kind: ports.FaultOther, Text: "invalid max_ts update: 7 > limit 5"}, "", refuse, false},
		{"leads elsewhere", ports.RegionFault{Kind: ports.FaultNotLeader, Leader: ports.Peer{ID: 22, Store: 2}},
			"", "leader 22, send to 22@2", false},
		{"no leader", ports.RegionFault{Kind: ports.FaultNotLeader}, "regionScheduling", "send to 22@2", false},
		{"names itself", ports.RegionFault{Kind: ports.FaultNotLeader, Leader: ports.Peer{ID: 21, Store: 1}},
			"regionScheduling", "send to 22@2", false},
		{"led by a stranger", ports.RegionFault{Kind: ports.FaultNotLeader, Leader: ports.Peer{ID: 29, Store: 9}},
			"regionMiss", anew, false},
		{"led by a learner", ports.RegionFault{Kind: ports.FaultNotLeader, Leader: ports.Peer{ID: 24, Store: 4}},
			"regionScheduling", "send to 22@2", false},
		{"led by the dead", ports.RegionFault{Kind: ports.FaultNotLeader, Leader: ports.Peer{ID: 25, Store: 5}},
			"regionScheduling", "send to 22@2", false},
		{"", ports.RegionFault{Kind: ports.FaultRegionNotFound}, "regionMiss", anew, false},
		{"", ports.RegionFault{Kind: ports.FaultKeyNotInRegion}, "regionMiss", anew, false},
		{"split", ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: []ports.Region{
			parse("2:2.1 [a,g) 21@1 22@2"), parse("4:2.1 [g,z) 41@1 42@2")}}, "", "epoch, send to 41@1", false},
		{"epoch unknown", ports.RegionFault{Kind: ports.FaultEpochNotMatch},
			"", "epoch, region gone, ask for region newer than 2:1.1", false},
		{"epoch of the past", ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: []ports.Region{
			parse("2:0.1 [a,z) 21@1 22@2")}}, "regionMiss", again, false},
		{"epoch ahead in one part only", ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: []ports.Region{
			parse("2:2.0 [a,z) 21@1 22@2")}}, "regionMiss", again, false},
		{"busy", ports.RegionFault{Kind: ports.FaultServerIsBusy}, "tikvServerBusy", again, false},
		{"busy for a while", ports.RegionFault{Kind: ports.FaultServerIsBusy, Wait: time.Second},
			"store busy, tikvServerBusy", again, false},
		{"busy, out of time", ports.RegionFault{Kind: ports.FaultServerIsBusy, Deadline: true}, "staleCommand", again, true},
		{"", ports.RegionFault{Kind: ports.FaultStaleCommand}, "staleCommand", again, true},
		{"", ports.RegionFault{Kind: ports.FaultStoreNotMatch, Store: 7}, "", "store mismatch, send to 22@2", false},
		{"", ports.RegionFault{Kind: ports.FaultRaftEntryTooLarge}, "", refuse, false},
		{"", ports.RegionFault{Kind: ports.FaultMaxTimestampNotSynced}, "maxTsNotSynced", again, false},
		{"", ports.RegionFault{Kind: ports.FaultReadIndexNotReady}, "regionScheduling", again, false},
		{"", ports.RegionFault{Kind: ports.FaultProposalInMergingMode}, "regionScheduling", again, false},
		{"", ports.RegionFault{Kind: ports.FaultDataIsNotReady}, "regionScheduling", again, false},
		{"", ports.RegionFault{Kind: ports.FaultRegionNotInitialized}, "regionNotInitialized", again, false},
		{"", ports.RegionFault{Kind: ports.FaultDiskFull}, "tikvDiskFull", again, false},
		{"", ports.RegionFault{Kind: ports.FaultRecoveryInProgress}, "regionRecoveryInProgress", anew, false},
		{"", ports.RegionFault{Kind: ports.FaultFlashbackInProgress}, "", refuse, false},
		{"", ports.RegionFault{Kind: ports.FaultFlashbackNotPrepared}, "", refuse, false},
		{"", ports.RegionFault{Kind: ports.FaultIsWitness}, "isWitness", anew, false},
		{"", ports.RegionFault{Kind: ports.FaultMismatchPeerID}, "regionMiss", anew, false},
		{"", ports.RegionFault{Kind: ports.FaultBucketVersionNotMatch}, "regionMiss", again, false},
		{"", ports.RegionFault{Kind: ports.FaultUndeterminedResult}, "staleCommand", again, true},
	}
}

// TestEveryFault answers a call's first request with each region error of TiKV and
// reads off what the call wants next.
func TestEveryFault(t *testing.T) {
	covered := map[ports.FaultKind]bool{}
	for _, c := range faultCases() {
		covered[c.fault.Kind] = true
		name := faultNames[c.fault.Kind] + " " + c.name
		r, p := startCall(t)
		got := wishes(r, answer(c.fault))
		require.Equal(t, c.maybe, p.call.MayBeApplied(), name)
		if c.pause != "" {
			require.Equal(t, c.pause, got, name)
			r.Now = r.Now.Add(time.Minute)
			got = wishes(r, ports.Event{Kind: ports.EventTimer})
		}
		if p.call.State() == Finished {
			got = p.status()[2:]
		}
		require.Equal(t, c.then, got, name)
	}
	require.Len(t, covered, ports.FaultKinds, "kinds without a case")
}

// TestPeersInCircles lets two peers name each other for ever. Neither is asked more often
// than a leader may be; then PD is asked.
func TestPeersInCircles(t *testing.T) {
	r, _ := startCall(t)
	r.Env.Regions = smtest.Regions{smtest.Entry("2:1.1 [a,z) 21@1* 22@2")}
	peers := []ports.Peer{{ID: 22, Store: 2}, {ID: 21, Store: 1}}
	attempts := 1
	for got := ""; !strings.Contains(got, "region gone"); {
		require.Less(t, attempts, 3*leaderAttempts)
		hint := peers[(attempts-1)%2]
		got = wishes(r, answer(ports.RegionFault{Kind: ports.FaultNotLeader, Leader: hint}))
		if !strings.Contains(got, "send") {
			r.Now = r.Now.Add(time.Second)
			got = wishes(r, ports.Event{Kind: ports.EventTimer})
		}
		attempts++
	}
	require.Greater(t, attempts, leaderAttempts)
}

// TestTiredLeader exhausts a leader that cannot serve. Another peer confirms it: it is
// asked once more, and if that is in vain, PD is asked.
func TestTiredLeader(t *testing.T) {
	r, _ := startCall(t)
	r.Env.Regions = smtest.Regions{smtest.Entry("2:1.1 [a,z) 21@1* 22@2")}
	got := ""
	for range leaderAttempts {
		require.Equal(t, "maxTsNotSynced", wishes(r, answer(ports.RegionFault{Kind: ports.FaultMaxTimestampNotSynced})))
		r.Now = r.Now.Add(time.Second)
		got = wishes(r, ports.Event{Kind: ports.EventTimer})
	}
	require.Equal(t, "send to 22@2", got)
	require.Equal(t, "leader 21, send to 21@1", wishes(r, answer(ports.RegionFault{
		Kind: ports.FaultNotLeader, Leader: ports.Peer{ID: 21, Store: 1}})))
	require.Equal(t, "maxTsNotSynced", wishes(r, answer(ports.RegionFault{Kind: ports.FaultMaxTimestampNotSynced})))
	r.Now = r.Now.Add(time.Second)
	require.Equal(t, "region gone, ask for region", wishes(r, ports.Event{Kind: ports.EventTimer}))
}

// TestSlowLeader: time counts as well as attempts.
func TestSlowLeader(t *testing.T) {
	r, _ := startCall(t)
	r.Now = r.Now.Add(leaderTime)
	require.Equal(t, "tikvDiskFull", wishes(r, answer(ports.RegionFault{Kind: ports.FaultDiskFull})))
	r.Now = r.Now.Add(time.Second)
	require.Equal(t, "send to 22@2", wishes(r, ports.Event{Kind: ports.EventTimer}))
}

// startCall starts a write of which store 1 leads the region and waits for the first
// answer. Peer 24 is a learner, and the store of peer 25 is dead.
func startCall(t *testing.T) (*smtest.Runner, *parent) {
	t.Helper()
	p := &parent{spec: Spec{Key: []byte("k"), Deadline: ports.Instant(time.Hour), Timeout: time.Second, Write: true}}
	r := smtest.NewRunner(p)
	rawEnv(r)
	r.Env.Regions = smtest.Regions{smtest.Entry("2:1.1 [a,z) 21@1* 22@2 23@3/witness 24@4/learner 25@5")}
	stores := smtest.Up(1, 2, 3, 4, 5)
	stores[4].Liveness = 2
	r.Env.Stores = stores
	require.Equal(t, "send to 21@1", wishes(r, ports.Event{Kind: ports.EventStart}))
	return r, p
}

// answer is a reply with a region error.
func answer(f ports.RegionFault) ports.Event {
	return ports.Event{Kind: ports.EventReply, Reply: &ports.GetReply{ReplyHeader: ports.ReplyHeader{Fault: &f}}}
}

// wishes feeds an event, as the answer to the last effect that can be answered, and
// sums up what the machine wants.
func wishes(r *smtest.Runner, ev ports.Event) string {
	if sent, ok := r.Sent(r.Pending()); ok {
		ev.Tok = sent.Tok
	}
	r.Feed(ev)
	var list []string
	for _, e := range r.Effects {
		switch e.Kind {
		case sm.EffectSend:
			list = append(list, fmt.Sprintf("send to %d@%d", e.Header.Peer.ID, e.To.Store))
		case sm.EffectArm:
			list = append(list, e.Pause)
		case sm.EffectLearn:
			text, _, _ := strings.Cut(smtest.Fact(e.Fact), " {")
			if e.Fact.Kind == ports.FactLeader {
				text += fmt.Sprint(" ", e.Fact.Peer.ID)
			}
			list = append(list, text)
		case sm.EffectAsk:
			text := "ask for region"
			if e.Ask.Newer != (ports.RegionVersion{}) {
				text += " newer than " + smtest.Version(e.Ask.Newer)
			}
			list = append(list, text)
		default:
		}
	}
	return strings.Join(list, ", ")
}

func parse(text string) ports.Region {
	r, err := smtest.ParseRegion(text)
	if err != nil {
		panic(err)
	}
	return r
}
