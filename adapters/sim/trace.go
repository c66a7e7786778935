package sim

import (
	"cmp"
	"fmt"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// note is one kind of line in the trace.
type note uint8

const (
	noteSubmit note = iota
	noteArrive
	noteExecute
	noteReply
	noteLost
	noteUnsent
	noteTimer
	noteTimestamp
	notePlaced
	noteRefused
	noteProbed
	noteFault
	noteSplit
	noteLeader
	noteCrash
	noteRestart
	noteHang
	noteResume
	noteTask
	noteHeal
	noteWorkload
	noteClientCrash
	noteAdmin
	noteMerging
	noteMerged
	noteMergedBack
	notePeers
	noteReady
	noteCompact
	noteWait
	noteBehind
	noteSevered
	noteDisk
	noteMended
	noteFlashback
	noteOverload
	noteRelief
	noteBuckets
	noteBucketsKnown
)

// note adds to the hash what happened; the trace has its own words for it.
func (w *World) note(n note, a, b, c uint64) {
	w.hash.add(uint64(n)<<56 ^ uint64(w.now))
	w.hash.add(a ^ b<<20 ^ b>>44)
	w.hash.add(c)
	if w.config.Trace != nil {
		w.line(n, a, b, c)
	}
}

// line writes what is not about a call.
func (w *World) line(n note, a, b, c uint64) {
	switch n {
	case noteFault:
		w.printf("!! %s", Fault(a))
	case noteSplit:
		w.printf("-- region %d: region %d takes half of it", a, b)
	case noteLeader:
		w.printf("-- region %d: peer %d leads in term %d", a, b, c)
	case noteCrash:
		w.printf("-- store %d crashes", a)
	case noteRestart:
		w.printf("-- store %d restarts on %s", a, w.store(ports.StoreID(a)).address)
	case noteHang:
		w.printf("-- store %d hangs", a)
	case noteResume:
		w.printf("-- store %d goes on", a)
	case noteHeal:
		w.printf("-- healed")
	case noteTimestamp:
		w.printf("%s ← timestamp %s", w.clients[a-1].name, formatTS(ports.Timestamp(c)))
	case notePlaced:
		w.printf("%s ← PD: %d regions, %d stores", w.clients[a-1].name, b, c)
	case noteRefused:
		w.printf("%s ← PD: %s", w.clients[a-1].name, causeTexts[b])
	case noteFlashback:
		w.printf("-- region %d is in flashback: %t", a, b == 1)
	case noteCompact:
		w.printf("-- region %d: %d records are garbage", a, b)
	case noteAdmin:
		w.printf("      PD is administered: request %d, refusal %d, %s", a, b, formatTS(ports.Timestamp(c)))
	case noteProbed:
		w.printf("%s ← probe: %s", w.clients[a-1].name, cmp.Or(causeTexts[b], "alive"))
	default:
		w.clusterLine(n, a, b)
	}
}

// clusterLine writes what becomes of regions and their peers.
func (w *World) clusterLine(n note, a, b uint64) {
	switch n {
	case noteMerging:
		w.printf("-- region %d merges into region %d", a, b)
	case noteMerged:
		w.printf("-- region %d is part of region %d", a, b)
	case noteMergedBack:
		w.printf("-- region %d stays alone", a)
	case notePeers:
		w.printf("-- region %d has other peers: %s", a, formatPeers(w.regions.byID[ports.RegionID(a)].Peers))
	case noteBuckets:
		w.printf("-- region %d has buckets of version %d.%d", a, b>>32, uint32(b))
	case noteBucketsKnown:
		w.printf("-- PD knows the buckets of region %d, version %d.%d", a, b>>32, uint32(b))
	case noteDisk:
		w.printf("-- the disk of store %d is %s", a, [...]string{"normal", "almost full", "full"}[b])
	case noteSevered:
		w.printf("-- stores %d and %d do not hear each other", a, b)
	case noteMended:
		w.printf("-- stores %d and %d hear each other again", a, b)
	case noteBehind:
		w.printf("-- region %d: peer %d falls behind", a, b)
	case noteOverload:
		w.printf("-- store %d is busy, whatever it is asked", a)
	case noteRelief:
		w.printf("-- store %d has time again", a)
	case noteReady:
		w.printf("-- region %d: peer %d is up to date", a, b)
	default:
	}
}

// printf writes a line of the trace. Callers check that there is one when arguments cost something.
func (w *World) printf(format string, args ...any) {
	if w.config.Trace == nil {
		return
	}
	fmt.Fprintf(w.config.Trace, "t=%-12s ", time.Duration(w.now).Round(time.Microsecond))
	fmt.Fprintf(w.config.Trace, format, args...)
	fmt.Fprintln(w.config.Trace)
}

// Logf writes a line of the trace for whoever uses the world: workloads, checkers. It does not change the hash.
func (w *World) Logf(format string, args ...any) { w.printf(format, args...) }

// Note adds a fact of a workload to the hash, so that runs which differ only in what a workload saw differ.
func (w *World) Note(v uint64) { w.note(noteWorkload, v, 0, 0) }

// count counts a fault that happens now.
func (w *World) count(f Fault) {
	w.counts[f]++
	w.note(noteFault, uint64(f), 0, 0)
}

// callNote adds what happened to a call.
func (w *World) callNote(n note, c *call, detail uint64) {
	w.note(n, c.id, uint64(c.client.id), detail)
	if w.config.Trace == nil {
		return
	}
	switch n {
	case noteSubmit:
		w.printf("%s → %d %s", c.client.name, c.id, describe(c))
	case noteArrive:
		w.printf("      s%d takes %d", c.to.Store, c.id)
	case noteExecute:
		w.printf("      s%d executes %d", detail, c.id)
	case noteWait:
		w.printf("      s%d lets %d wait for a lock", detail, c.id)
	case noteLost:
		w.printf("%s ← %d Lost", c.client.name, c.id)
	case noteUnsent:
		w.printf("%s ← %d Unsent", c.client.name, c.id)
	default:
	}
}

// replyNote adds a reply, its content included.
func (w *World) replyNote(c *call, b *replyBuffer) {
	w.note(noteReply, c.id, uint64(c.client.id), 0)
	hashReply(&w.hash, b.reply)
	if w.config.Trace != nil {
		w.printf("%s ← %d %s", c.client.name, c.id, describeReply(b.reply))
	}
}

// formatPeers prints the peers of a region: "11@s1 14@s4(learner)".
func formatPeers(peers []ports.Peer) string {
	roles := [...]string{"", "(learner)", "(incoming)", "(demoting)"}
	text := ""
	for i, p := range peers {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%d@s%d%s", p.ID, p.Store, roles[p.Role])
		if p.Witness {
			text += "(witness)"
		}
	}
	return text
}

func formatTS(ts ports.Timestamp) string {
	if ts == ports.MaxTimestamp {
		return "max"
	}
	return fmt.Sprintf("%d.%d", ts.Physical()%10000000, ts.Logical())
}
