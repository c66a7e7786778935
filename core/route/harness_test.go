package route

import (
	"fmt"
	"strconv"
	"strings"

	"time"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// parent is the smallest machine that owns a call: it attaches a get whenever the
// call is ready and answers when it is finished.
type parent struct {
	spec Spec
	call Call
	get  ports.GetRequest
	// again lets the parent route once more after so many replies.
	again int
	// pauses lets it pause before it routes again.
	pauses   int
	answered bool
}

func (p *parent) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(1)
	defer env.Leave()
	if ev.Kind == ports.EventStart {
		p.call.Start(env, ev.Now, p.spec, out)
	} else {
		p.call.Step(env, ev, out)
	}
	for {
		switch p.call.State() {
		case Idle, Waiting:
			return
		case Ready:
			p.call.Send(env, ev.Now, &p.get, out)
			return
		case Finished:
			if p.pauses > 0 && p.call.Result().Kind == Replied {
				p.pauses--
				p.call.Pause(env, ev.Now, backoff.TxnLock, 0, out)
				continue
			}
			if p.again > 0 && p.call.Result().Kind == Replied {
				p.again--
				p.call.Again(env, ev.Now, out)
				continue
			}
			if !p.answered {
				out.Answer()
			}
			p.answered = true
			return
		}
	}
}

func (p *parent) Done() bool             { return p.call.Done() }
func (p *parent) Fingerprint(h *sm.Hash) { p.call.Fingerprint(h) }
func (p *parent) String() string         { return p.call.String() }
func (p *parent) CloneInto(dst *parent)  { p.call.CloneInto(&dst.call) }

// status describes a finished call for a transcript.
func (p *parent) status() string {
	maybe := ""
	if p.call.MayBeApplied() {
		maybe = ", may be applied"
	}
	if p.call.State() != Finished {
		return "= " + p.call.String() + maybe
	}
	switch r := p.call.Result(); r.Kind {
	case Replied:
		return "= served" + maybe
	case Regroup:
		return "= regroup" + maybe
	default:
		return fmt.Sprintf("= failed: %s%s", failureText(&r.Failure), maybe)
	}
}

func failureText(f *sm.Failure) string {
	code := map[sm.FailureCode]string{
		sm.FailCancelled: "cancelled", sm.FailDeadline: "deadline", sm.FailRejected: "rejected", sm.FailProtocol: "protocol",
	}[f.Code]
	return fmt.Sprintf("%s after %d attempts", code, f.History.Count)
}

var faultNames = [ports.FaultKinds]string{
	"None", "Other", "NotLeader", "RegionNotFound", "KeyNotInRegion", "EpochNotMatch", "ServerIsBusy", "StaleCommand",
	"StoreNotMatch", "RaftEntryTooLarge", "MaxTimestampNotSynced", "ReadIndexNotReady", "ProposalInMergingMode",
	"DataIsNotReady", "RegionNotInitialized", "DiskFull", "RecoveryInProgress", "FlashbackInProgress",
	"FlashbackNotPrepared", "IsWitness", "MismatchPeerID", "BucketVersionNotMatch", "UndeterminedResult",
}

// parseReply reads "served", or a fault with its fields: "NotLeader hint=12@2",
// "ServerIsBusy wait=50ms backoff=1s deadline", "EpochNotMatch 2:3.1,[a,m),21@1".
func parseReply(args []string) (ports.Event, error) {
	ev := ports.Event{Kind: ports.EventReply}
	if args[0] == "served" {
		ev.Reply = &ports.GetReply{Value: []byte("v")}
		return ev, nil
	}
	f := &ports.RegionFault{}
	for i, name := range faultNames {
		if name == args[0] {
			f.Kind = ports.FaultKind(i)
		}
	}
	if f.Kind == ports.FaultNone && args[0] != "None" {
		return ev, fmt.Errorf("unknown fault %q", args[0])
	}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		var err error
		switch name {
		case "hint":
			_, err = fmt.Sscanf(value, "%d@%d", &f.Leader.ID, &f.Leader.Store)
		case "wait":
			f.Wait, err = time.ParseDuration(value)
		case "backoff":
			f.Backoff, err = time.ParseDuration(value)
		case "deadline":
			f.Deadline = true
		case "text":
			f.Text = strings.ReplaceAll(value, "_", " ")
		default:
			var r ports.Region
			r, err = parseCompact(arg)
			f.Regions = append(f.Regions, r)
		}
		if err != nil {
			return ev, err
		}
	}
	ev.Reply = &ports.GetReply{ReplyHeader: ports.ReplyHeader{Fault: f}}
	return ev, nil
}

// parseCompact reads a region without blanks: 2:3.1/a/m/21@1*,22@2.
func parseCompact(text string) (ports.Region, error) {
	parts := strings.SplitN(text, "/", 4)
	if len(parts) < 3 {
		return ports.Region{}, fmt.Errorf("region %q", text)
	}
	peers := ""
	if len(parts) == 4 {
		peers = strings.ReplaceAll(parts[3], ",", " ")
	}
	return smtest.ParseRegion(fmt.Sprintf("%s [%s,%s) %s", parts[0], parts[1], parts[2], peers))
}

// rawEnv makes a runner speak the raw codec, so that keys are readable.
func rawEnv(r *smtest.Runner) { rawKeys(&r.Env) }

func rawKeys(env *sm.Env) { env.Codec = key.Codec{Mode: key.Raw} }

// storeMeta makes a store's metadata.
func storeMeta(id ports.StoreID) ports.Store {
	return ports.Store{ID: id, Address: "s" + strconv.Itoa(int(id))}
}
