package route

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// TestLeaderPaths holds calls against the access paths that client-go's own tests expect
// of requests to leaders (client-go b75f6efa: internal/locate/replica_selector_test.go).
// Each line of testdata/paths/leader.tsv names the line there and gives what three
// peers answer in turn, and the stores that are asked: first all that is in the way,
// then the one that serves. "/" stands for asking PD, "!" for giving up. Where ours
// goes another way, the line says which and why.
func TestLeaderPaths(t *testing.T) {
	text, err := os.ReadFile("testdata/paths/leader.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	require.Equal(t, "line\tverb\ttimeout\tanswers\tclient-go\tours\twhy", lines[0])
	require.Len(t, lines, 34)
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		t.Run(f[0], func(t *testing.T) {
			require.Len(t, f, 7)
			require.Equal(t, f[5] == "", f[6] == "", "another way needs a reason")
			want := f[4]
			if f[5] != "" {
				want = f[5]
				require.NotEqual(t, f[4], want)
			}
			// Which of two peers comes first is drawn.
			ways := map[string]bool{}
			for seed := range uint64(32) {
				ways[walkPath(t, seed, f)] = true
			}
			require.Contains(t, ways, want)
			if f[5] != "" {
				require.NotContains(t, ways, f[4])
			}
		})
	}
}

// walkPath answers a call's requests in turn and returns the stores that were asked.
func walkPath(t *testing.T, seed uint64, f []string) string {
	p := &parent{spec: Spec{Key: []byte("k"), Deadline: ports.Instant(time.Hour), Timeout: 30 * time.Second}}
	p.spec.Write = f[1] == "Prewrite"
	if f[2] != "" {
		d, err := time.ParseDuration(f[2])
		require.NoError(t, err)
		p.spec.Timeout = d
	}
	r := smtest.NewRunner(p)
	rawEnv(r)
	r.Env.Rand = sm.NewRand(seed)
	peers := "21@1* 22@2 23@3"
	if strings.Trim(f[4], "1 ") == "" && strings.Count(f[4], "1") > 3 {
		peers = "21@1*" // client-go's test of a region with one peer
	}
	region := func() { r.Env.Regions = smtest.Regions{smtest.Entry("2:1.1 [a,z) " + peers)} }
	region()
	r.Env.Stores = smtest.Up(1, 2, 3)
	answers := strings.Fields(f[3])
	var path []string
	r.Feed(ports.Event{Kind: ports.EventStart})
	for range 100 {
		sent, _ := r.Sent(r.Pending())
		switch sent.Kind {
		case sm.EffectSend:
			path = append(path, strconv.Itoa(int(p.call.to.Store)))
			if len(answers) == 0 {
				return strings.Join(path, " ")
			}
			r.Now = r.Now.Add(time.Millisecond)
			ev := pathAnswer(t, answers[0])
			if ev.Kind == ports.EventLost {
				r.Now = sent.At
			}
			ev.Tok = sent.Tok
			answers = answers[1:]
			r.Feed(ev)
		case sm.EffectAsk:
			path = append(path, "/")
			if len(answers) == 0 {
				return strings.Join(path, " ")
			}
			region()
			r.Feed(ports.Event{Kind: ports.EventTell, Tok: sent.Tok})
		default:
			r.Now = sent.At
			r.Feed(ports.Event{Kind: ports.EventTimer, Tok: sent.Tok})
		}
		if p.Done() {
			return strings.Join(append(path, "!"), " ")
		}
	}
	t.Fatal("the call does not end")
	return ""
}

// pathAnswer reads what a store answers: nothing, or a region error.
func pathAnswer(t *testing.T, text string) ports.Event {
	name, hint, _ := strings.Cut(text, ":")
	fault := ports.RegionFault{}
	switch name {
	case "Silent":
		return ports.Event{Kind: ports.EventLost, Cause: ports.Cause{Kind: ports.CauseTimeout}}
	case "NotLeader":
		fault.Kind = ports.FaultNotLeader
		if hint != "" {
			store, err := strconv.Atoi(hint)
			require.NoError(t, err)
			fault.Leader = ports.Peer{ID: ports.PeerID(20 + store), Store: ports.StoreID(store)}
		}
	case "Busy":
		fault.Kind = ports.FaultServerIsBusy
	case "BusyFor":
		fault.Kind, fault.Wait = ports.FaultServerIsBusy, 10*time.Millisecond
	case "Flashback":
		fault.Kind = ports.FaultFlashbackInProgress
	default:
		t.Fatalf("unknown answer %q", text)
	}
	return answer(fault)
}
