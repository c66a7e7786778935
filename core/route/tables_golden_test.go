package route

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// TestRegionTableConversations plays the scripts in testdata/regiontable. Each waiter
// is a number; regions are written without blanks, as 2:3.1/a/m/21@1*,22@2.
func TestRegionTableConversations(t *testing.T) {
	var table *RegionTable
	playTables(t, "testdata/regiontable", func() *smtest.Runner {
		table = &RegionTable{}
		r := smtest.NewRunner(table)
		r.Env.Knobs.RegionTTLJitter = 0
		r.Env.Knobs.RegionsPerLoad = 3
		r.Status = func() string { return "= " + describeRegions(table) }
		r.Commands = map[string]func([]string) (ports.Event, error){
			"ask": parseAsk, "placed": parsePlaced, "learn": parseFact, "sweep": parseSweep,
		}
		return r
	})
}

// TestStoreTableConversations plays the scripts in testdata/storetable.
func TestStoreTableConversations(t *testing.T) {
	var table *StoreTable
	playTables(t, "testdata/storetable", func() *smtest.Runner {
		table = &StoreTable{}
		r := smtest.NewRunner(table)
		r.Status = func() string { return "= " + describeStores(table) }
		r.Commands = map[string]func([]string) (ports.Event, error){
			"ask": parseAsk, "stored": parseStored, "learn": parseFact,
		}
		return r
	})
}

// playTables plays scripts: "table" begins with a new one, "play" goes on, "stores"
// says what the store view shows.
func playTables(t *testing.T, dir string, start func() *smtest.Runner) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		var r *smtest.Runner
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "table":
				r = start()
			case "play":
			case "stores":
				r.Env.Stores = parseStores(t, d.Input)
				return ""
			default:
				d.Fatalf(t, "unknown command")
			}
			return r.Play(d.Input)
		})
	})
}

// describeRegions lists a table's entries with their leaders.
func describeRegions(t *RegionTable) string {
	var list []string
	for _, c := range t.index.chunks {
		for _, r := range c.regions {
			state := fmt.Sprintf("led by %d until %s", r.Peers[r.Leading].ID, time.Duration(r.Expiry))
			if gone(r) {
				state = fmt.Sprintf("gone until %s", time.Duration(-r.Expiry))
			}
			if r.FailEpoch != 0 {
				state += fmt.Sprintf(", epoch %d", r.FailEpoch)
			}
			list = append(list, fmt.Sprintf("%s [%s,%s) %s", smtest.Version(r.RegionVersion), r.Range.Start, r.Range.End, state))
		}
	}
	return t.stateName() + ": " + strings.Join(list, "; ")
}

// describeStores lists what a table's view shows.
func describeStores(t *StoreTable) string {
	var list []string
	for _, s := range t.View().(*storeView).stores {
		state := [...]string{"reachable", "suspect", "unreachable"}[s.Liveness]
		if s.State == ports.StoreTombstone {
			state = "tombstone"
		}
		text := fmt.Sprintf("store %d at %q %s, epoch %d", s.ID, s.Address, state, s.FailEpoch)
		if s.BusyUntil != 0 {
			text += fmt.Sprintf(", busy until %s", time.Duration(s.BusyUntil))
		}
		list = append(list, text)
	}
	return t.stateName() + ": " + strings.Join(list, "; ")
}

// options splits name=value arguments off.
func options(args []string) (rest []string, opts map[string]string) {
	opts = map[string]string{}
	for _, arg := range args {
		if name, value, ok := strings.Cut(arg, "="); ok {
			opts[name] = value
		} else {
			rest = append(rest, arg)
		}
	}
	return rest, opts
}

// parseAsk reads "1 key=k", "1 end=k", "1 store=3", with until, newer and by.
func parseAsk(args []string) (ports.Event, error) {
	rest, opts := options(args)
	op, err := strconv.Atoi(strings.Join(rest, " "))
	if err != nil {
		return ports.Event{}, err
	}
	ask := &ports.Ask{Waiter: ports.Waiter{Op: uint64(op)}, Deadline: ports.Instant(10 * time.Second)}
	for name, value := range opts {
		switch name {
		case "key":
			ask.Key = []byte(value)
		case "end":
			ask.Kind, ask.Key = ports.AskRegionByEnd, []byte(value)
		case "until":
			ask.Until = []byte(value)
		case "store":
			ask.Kind = ports.AskStore
			_, err = fmt.Sscan(value, &ask.Store)
		case "newer":
			ask.Newer, err = smtest.ParseVersion(value)
		case "by":
			var d time.Duration
			d, err = time.ParseDuration(value)
			ask.Deadline = ports.Instant(d)
		default:
			err = fmt.Errorf("unknown argument %q", name)
		}
		if err != nil {
			return ports.Event{}, err
		}
	}
	return ports.Event{Kind: ports.EventAsk, Ask: ask}, nil
}

func parsePlaced(args []string) (ports.Event, error) {
	ev := ports.Event{Kind: ports.EventPlaced}
	for _, arg := range args {
		r, err := parseCompact(arg)
		if err != nil {
			return ev, err
		}
		ev.Regions = append(ev.Regions, r)
	}
	return ev, nil
}

// parseStored reads stores as PD tells them: "1@s1", "1@" without an address,
// "1@tombstone".
func parseStored(args []string) (ports.Event, error) {
	ev := ports.Event{Kind: ports.EventPlaced}
	for _, arg := range args {
		id, address, _ := strings.Cut(arg, "@")
		n, err := strconv.Atoi(id)
		if err != nil {
			return ev, err
		}
		s := ports.Store{ID: ports.StoreID(n), Address: address}
		if address == "tombstone" {
			s.Address, s.State = "", ports.StoreTombstone
		}
		ev.Stores = append(ev.Stores, s)
	}
	return ev, nil
}

var factKinds = map[string]ports.FactKind{
	"leader": ports.FactLeader, "epoch": ports.FactEpoch, "gone": ports.FactRegionGone, "failed": ports.FactStoreFailed,
	"alive": ports.FactStoreAlive, "mismatch": ports.FactStoreMismatch, "busy": ports.FactStoreBusy,
}

// parseFact reads "gone region=2:1.1 key=a", "leader region=2:1.1 key=a peer=22@2",
// "epoch region=2:1.1 key=a store=1 2:2.1/a/g/21@1 …", "failed store=1 epoch=0".
func parseFact(args []string) (ports.Event, error) {
	rest, opts := options(args)
	kind, ok := factKinds[rest[0]]
	if !ok {
		return ports.Event{}, fmt.Errorf("unknown fact %q", rest[0])
	}
	f := &ports.Fact{Kind: kind, Key: []byte(opts["key"])}
	placed, err := parsePlaced(rest[1:])
	f.Regions = placed.Regions
	for name, value := range opts {
		if err != nil {
			break
		}
		switch name {
		case "key":
		case "region":
			f.Region, err = smtest.ParseVersion(value)
		case "peer":
			_, err = fmt.Sscanf(value, "%d@%d", &f.Peer.ID, &f.Peer.Store)
		case "store":
			_, err = fmt.Sscan(value, &f.Store)
		case "epoch":
			_, err = fmt.Sscan(value, &f.FailEpoch)
		case "wait":
			f.Wait, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("unknown argument %q", name)
		}
	}
	return ports.Event{Kind: ports.EventLearn, Fact: f}, err
}

// parseSweep reads the slots that were used.
func parseSweep(args []string) (ports.Event, error) {
	ev := ports.Event{Kind: ports.EventSweep}
	for _, arg := range args {
		slot, err := strconv.Atoi(arg)
		if err != nil {
			return ev, err
		}
		for len(ev.Marks) <= slot/64 {
			ev.Marks = append(ev.Marks, 0)
		}
		ev.Marks[slot/64] |= 1 << (slot % 64)
	}
	return ev, nil
}

// TestGroupsConversations plays the scripts in testdata/groups. The view is given by
// "regions", the keys by "group", each a letter.
func TestGroupsConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/groups", func(t *testing.T, path string) {
		var regions smtest.Regions
		var r *smtest.Runner
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			text := ""
			switch d.Cmd {
			case "regions":
				regions = parseEntries(t, d.Input)
			case "group":
				r, text = startGroups(t, d, regions)
			case "play":
			default:
				d.Fatalf(t, "unknown command")
			}
			if r == nil || d.Cmd == "regions" {
				return ""
			}
			r.Env.Regions = regions
			return text + r.Play(d.Input)
		})
	})
}

// startGroups reads the arguments of a grouping: keys, stale, deadline.
func startGroups(t *testing.T, d *datadriven.TestData, regions smtest.Regions) (*smtest.Runner, string) {
	g := &Groups{}
	r := smtest.NewRunner(g)
	rawEnv(r)
	r.Env.Regions = regions
	r.Status = func() string { return "= " + describeGroups(g) }
	var keys [][]byte
	var stale ports.RegionVersion
	deadline := 10 * time.Second
	for _, arg := range d.CmdArgs {
		var err error
		switch arg.Key {
		case "keys":
			for _, letter := range arg.Vals[0] {
				keys = append(keys, []byte(string(letter)))
			}
		case "stale":
			stale, err = smtest.ParseVersion(arg.Vals[0])
		case "deadline":
			deadline, err = time.ParseDuration(arg.Vals[0])
		}
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	var out sm.Effects
	g.Start(&r.Env, r.Now, keys, stale, ports.Instant(deadline), &out)
	return r, r.Collect(&out)
}

func describeGroups(g *Groups) string {
	var b strings.Builder
	b.WriteString(groupsStates[g.state])
	for _, group := range g.List() {
		fmt.Fprintf(&b, ", %s in %s", string(joined(g.keys[group.From:group.To])), smtest.Version(group.Region))
	}
	if f := g.Failure(); f.Failed() {
		fmt.Fprintf(&b, ": failed, code %d", f.Code)
	}
	return b.String()
}

func joined(keys [][]byte) (all []byte) {
	for _, k := range keys {
		all = append(all, k...)
	}
	return all
}
