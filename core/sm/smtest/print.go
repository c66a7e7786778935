package smtest

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Value writes any value of the vocabulary in one line: zero fields are left out,
// byte strings are quoted, nothing is redacted.
func Value(x any) string {
	var b strings.Builder
	writeValue(&b, reflect.ValueOf(x))
	return b.String()
}

func writeValue(b *strings.Builder, v reflect.Value) {
	if !v.IsValid() {
		b.WriteString("nil")
		return
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case []byte:
			b.WriteString(quote(x))
			return
		case ports.RegionVersion:
			b.WriteString(Version(x))
			return
		case ports.Region:
			b.WriteString(FormatRegion(&x))
			return
		case ports.KeyRange:
			b.WriteString(quoteRange(x))
			return
		case time.Duration:
			b.WriteString(x.String())
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		writeValue(b, v.Elem())
	case reflect.Slice:
		b.WriteString("[")
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(" ")
			}
			writeValue(b, v.Index(i))
		}
		b.WriteString("]")
	case reflect.Struct:
		b.WriteString(v.Type().Name())
		b.WriteString("{")
		first := true
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				continue
			}
			if !first {
				b.WriteString(" ")
			}
			first = false
			b.WriteString(v.Type().Field(i).Name + ":")
			writeValue(b, v.Field(i))
		}
		b.WriteString("}")
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.String:
		b.WriteString(strconv.Quote(v.String()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		b.WriteString(strconv.FormatUint(v.Uint(), 10))
	default:
		fmt.Fprintf(b, "%v", v)
	}
}

func quote(key []byte) string {
	if key == nil {
		return "nil"
	}
	return strconv.Quote(string(key))
}

// quoteRange writes a range; open bounds are left out.
func quoteRange(r ports.KeyRange) string {
	bound := func(key []byte) string {
		if len(key) == 0 {
			return ""
		}
		return quote(key)
	}
	return "[" + bound(r.Start) + "," + bound(r.End) + ")"
}

// Version writes a region version as id:version.confver.
func Version(v ports.RegionVersion) string {
	return fmt.Sprintf("%d:%d.%d", v.ID, v.Epoch.Version, v.Epoch.ConfVer)
}

// FormatRegion writes a region in the form that ParseRegion reads.
func FormatRegion(r *ports.Region) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%s,%s)", Version(r.RegionVersion), r.Range.Start, r.Range.End)
	for _, p := range r.Peers {
		fmt.Fprintf(&b, " %d@%d", p.ID, p.Store)
		switch p.Role {
		case ports.RoleVoter:
		case ports.RoleLearner:
			b.WriteString("/learner")
		case ports.RoleIncomingVoter:
			b.WriteString("/incoming")
		case ports.RoleDemotingVoter:
			b.WriteString("/demoting")
		}
		if p.Witness {
			b.WriteString("/witness")
		}
		for _, down := range r.Down {
			if down == p.ID {
				b.WriteString("/down")
			}
		}
		if p.ID == r.Leader {
			b.WriteString("*")
		}
	}
	return b.String()
}

// ParseRegion reads a region: "2:7.3 [a,m) 21@1* 22@2 23@3/down" is region 2 at
// version 7 and conf_ver 3 with three peers, the first of which leads.
func ParseRegion(text string) (ports.Region, error) {
	var r ports.Region
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return r, fmt.Errorf("region %q: want a version and a range", text)
	}
	var err error
	if r.RegionVersion, err = ParseVersion(fields[0]); err != nil {
		return r, err
	}
	start, end, ok := strings.Cut(strings.Trim(fields[1], "[)"), ",")
	if !ok {
		return r, fmt.Errorf("region %q: want a range [a,b)", text)
	}
	r.Range = ports.KeyRange{Start: []byte(start), End: []byte(end)}
	for _, f := range fields[2:] {
		name, leads := strings.CutSuffix(f, "*")
		parts := strings.Split(name, "/")
		var p ports.Peer
		if _, err := fmt.Sscanf(parts[0], "%d@%d", &p.ID, &p.Store); err != nil {
			return r, fmt.Errorf("peer %q: %w", f, err)
		}
		for _, flag := range parts[1:] {
			switch flag {
			case "learner":
				p.Role = ports.RoleLearner
			case "incoming":
				p.Role = ports.RoleIncomingVoter
			case "demoting":
				p.Role = ports.RoleDemotingVoter
			case "witness":
				p.Witness = true
			case "down":
				r.Down = append(r.Down, p.ID)
			default:
				return r, fmt.Errorf("peer %q: unknown flag %q", f, flag)
			}
		}
		if leads {
			r.Leader = p.ID
		}
		r.Peers = append(r.Peers, p)
	}
	return r, nil
}

// ParseVersion reads what Version writes.
func ParseVersion(text string) (ports.RegionVersion, error) {
	var v ports.RegionVersion
	if _, err := fmt.Sscanf(text, "%d:%d.%d", &v.ID, &v.Epoch.Version, &v.Epoch.ConfVer); err != nil {
		return v, fmt.Errorf("region version %q: %w", text, err)
	}
	return v, nil
}

// instant writes an instant as time since the script began.
func instant(at ports.Instant) string {
	if at == ports.Never {
		return "never"
	}
	return time.Duration(at).String()
}

var causeNames = [...]string{
	ports.CauseNone: "ok", ports.CauseTimeout: "timeout", ports.CauseConnection: "connection",
	ports.CauseClosed: "closed", ports.CauseMalformed: "malformed", ports.CauseRejected: "rejected",
	ports.CauseNotFound: "notfound", ports.CauseHung: "hung",
}

func parseCause(text string) (ports.Cause, error) {
	for i, name := range causeNames {
		if name == text {
			return ports.Cause{Kind: ports.CauseKind(i)}, nil
		}
	}
	return ports.Cause{}, fmt.Errorf("unknown cause %q", text)
}

var factNames = [ports.FactKinds]string{
	ports.FactLeader: "leader", ports.FactEpoch: "epoch", ports.FactRegionGone: "region gone",
	ports.FactStoreFailed: "store failed", ports.FactStoreAlive: "store alive",
	ports.FactStoreMismatch: "store mismatch", ports.FactStoreBusy: "store busy",
	ports.FactTxn: "txn", ports.FactTimestamp: "timestamp",
}

// Fact writes a fact in one line.
func Fact(f *ports.Fact) string {
	rest := *f
	rest.Kind = 0
	return factNames[f.Kind] + " " + strings.TrimPrefix(Value(rest), "Fact")
}

// formatAsk writes a question without its waiter.
func formatAsk(a *ports.Ask) string {
	var b strings.Builder
	switch a.Kind {
	case ports.AskRegion:
		fmt.Fprintf(&b, "region of %s", quote(a.Key))
	case ports.AskRegionByEnd:
		fmt.Fprintf(&b, "region below %s", quote(a.Key))
	case ports.AskStore:
		fmt.Fprintf(&b, "store %d", a.Store)
	}
	if a.Until != nil {
		fmt.Fprintf(&b, " until %s", quote(a.Until))
	}
	if a.Newer != (ports.RegionVersion{}) {
		fmt.Fprintf(&b, " newer than %s", Version(a.Newer))
	}
	return b.String()
}

func formatQuery(q *ports.Query) string {
	var b strings.Builder
	switch q.Kind {
	case ports.QueryRegion:
		fmt.Fprintf(&b, "region of %s", quote(q.Key))
	case ports.QueryRegionByEnd:
		fmt.Fprintf(&b, "region below %s", quote(q.Key))
	case ports.QueryRegions:
		fmt.Fprintf(&b, "%d regions of %s", q.Limit, quoteRange(ports.KeyRange{Start: q.Key, End: q.End}))
	case ports.QueryStore:
		fmt.Fprintf(&b, "store %d", q.Store)
	case ports.QueryStores:
		b.WriteString("stores")
	}
	if q.Fresh {
		b.WriteString(", fresh")
	}
	return b.String()
}

// formatHeader writes where a request goes and what is special about it.
func formatHeader(h *ports.Header) string {
	rest := *h
	rest.Region, rest.Peer, rest.MaxExecution = ports.RegionVersion{}, ports.Peer{}, 0
	s := fmt.Sprintf("region %s peer %d", Version(h.Region), h.Peer.ID)
	if special := strings.TrimPrefix(Value(rest), "Header"); special != "{}" {
		s += " " + special
	}
	return s
}

// format writes one effect; label names its token.
func format(e *sm.Effect, label string) string {
	switch e.Kind {
	case sm.EffectSend:
		return fmt.Sprintf("send %s to store %d, %s: %s by %s", label, e.To.Store, formatHeader(e.Header),
			Value(e.Request), instant(e.At))
	case sm.EffectTimestamp:
		return fmt.Sprintf("ask %s the oracle by %s", label, instant(e.At))
	case sm.EffectArm:
		if e.Pause == "" {
			return fmt.Sprintf("arm %s at %s", label, instant(e.At))
		}
		return fmt.Sprintf("pause %s until %s (%s)", label, instant(e.At), e.Pause)
	case sm.EffectQuery:
		return fmt.Sprintf("query %s PD for %s by %s", label, formatQuery(e.Query), instant(e.At))
	case sm.EffectProbe:
		return fmt.Sprintf("probe %s store %d at %s by %s", label, e.To.Store, e.To.Address, instant(e.At))
	case sm.EffectAsk:
		return fmt.Sprintf("ask %s the table for %s by %s", label, formatAsk(e.Ask), instant(e.At))
	case sm.EffectLearn:
		return "learn " + Fact(e.Fact)
	case sm.EffectTell:
		s := fmt.Sprintf("tell %d/%d: %s", e.Waiter.Op, e.Waiter.Tok.Gen, causeNames[e.Cause.Kind])
		if e.Cause.Text != "" {
			s += " (" + e.Cause.Text + ")"
		}
		return s
	case sm.EffectForget:
		return fmt.Sprintf("forget store %d at %s", e.To.Store, e.To.Address)
	case sm.EffectAnswer:
		return "answer"
	}
	return "unknown effect"
}
