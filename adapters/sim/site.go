package sim

// Site names one kind of decision. The names are stable: logs of decisions refer to them.
type Site uint8

// The sites. Those of faults are asked only while faults are on; the others always.
const (
	// SiteDelay picks the time that a message travels, SiteExecute the time that a store needs for a request.
	SiteDelay Site = iota
	SiteExecute
	// SiteOracleDelay picks the time that an answer of PD takes.
	SiteOracleDelay
	// SiteElection picks the time until a region without a leader has one, SiteCandidate who that is.
	SiteElection
	SiteCandidate
	// SiteHint: the peer that does not lead knows no leader.
	SiteHint

	// SiteRequestLost and SiteReplyLost lose one message.
	SiteRequestLost
	SiteReplyLost
	// SiteDuplicate delivers a request twice: 1 soon, 2 very late.
	SiteDuplicate
	// SiteSlow delays one message by more than the network ever needs.
	SiteSlow
	// SiteReset breaks a connection with all that is in flight on it; SiteDial fails a new one.
	SiteReset
	SiteDial
	// SiteBusy answers ServerIsBusy, SiteStale StaleCommand, with 2 for a proposal that is applied all the same; 3 and 4
	// are these with UndeterminedResult.
	SiteBusy
	SiteStale
	// SiteOracleGap lets the oracle skip timestamps, SiteOracleSlow delays its answer.
	SiteOracleGap
	SiteOracleSlow
	// SiteStalePD answers with what PD knew before, SiteGapPD leaves regions out.
	SiteStalePD
	SiteGapPD
	// SiteDisturb picks what happens to the cluster next, SiteVictim to whom, SiteOutage for how long.
	SiteDisturb
	SiteVictim
	SiteOutage
	// SiteSplit picks where a region is cut.
	SiteSplit
	// SiteWorkload belongs to workloads: keys, amounts, pauses.
	SiteWorkload
	// SiteScatter picks the peer that shall lead a region that is scattered.
	SiteScatter
	// SiteMerge picks the time until the next step of a merge.
	SiteMerge
	// SiteMovePeer picks which peer is moved, and the time until the next step; SiteCatchUp picks the time until a peer
	// has more of what it lacks.
	SiteMovePeer
	SiteCatchUp
	// SiteCompaction picks what of a region's garbage is dropped: 0 nothing yet, 1 versions, 2 deletions, too.
	SiteCompaction
	// SiteKeep lets a pessimistic lock live in its leader's memory only, or, with 2, be answered and lost. SiteHandOver
	// lets a leader hand over without having written down what is in its memory.
	SiteKeep
	SiteHandOver
	// SiteMemoryLock picks how long locks stand in memory only, before they are applied.
	SiteMemoryLock
	// SiteBlankPD leaves out of an answer of PD: 1 what a client needs most, 2 everything.
	SiteBlankPD
	// SiteBuckets picks the time until a leader looks at its buckets, and until PD hears of them.
	SiteBuckets
	numSites
)

// Sites is the number of sites.
const Sites = int(numSites)

var siteNames = [numSites]string{
	"delay", "execute", "oracle-delay", "election", "candidate", "hint",
	"request-lost", "reply-lost", "duplicate", "slow", "reset", "dial", "busy", "stale-command",
	"oracle-gap", "oracle-slow", "stale-pd", "gap-pd", "disturb", "victim", "outage", "split", "workload", "scatter",
	"merge", "move-peer", "catch-up", "compaction", "keep", "hand-over", "memory-lock", "blank-pd", "buckets",
}

// String returns the site's name.
func (s Site) String() string {
	if s < numSites {
		return siteNames[s]
	}
	return "no-site"
}
