package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// A trace is read by people: the file shows what it looks like, and fails when it changes.
func TestTraces(t *testing.T) {
	scenes := map[string]func(s *station){"commit": commitScene, "raw": rawScene, "cluster": clusterScene}
	datadriven.RunTest(t, "testdata/traces", func(t *testing.T, d *datadriven.TestData) string {
		var trace strings.Builder
		config := Config{Chooser: Boring{}, Trace: &trace, Splits: [][]byte{[]byte("m")}}
		if d.Cmd == "raw" {
			config.RawKeys = true
		}
		s := newStation(t, config)
		require.NoError(t, s.w.Script(d.Input))
		scenes[d.Cmd](s)
		return trace.String()
	})
}

func commitScene(s *station) {
	start := s.timestamp().TS
	s.await(s.send(prewriteOf(start, "a", "a", "b")))
	s.await(s.send(prewriteOf(start+1, "c", "c", "b")))
	s.await(s.send(&ports.CheckTxnStatusRequest{Primary: []byte("a"), LockTS: start, CallerStartTS: start + 1}))
	s.await(s.send(commitOf(start, "a", "a")))
	s.await(s.send(&ports.ResolveLockRequest{StartTS: start, CommitTS: start + 1, Keys: [][]byte{[]byte("b")}}))
	s.await(s.send(&ports.BatchRollbackRequest{StartTS: start + 1, Keys: [][]byte{[]byte("c")}}))
	s.await(s.send(&ports.GetRequest{Key: []byte("a"), TS: ports.MaxTimestamp}))
	s.await(s.send(&ports.BatchGetRequest{Keys: [][]byte{[]byte("a"), []byte("b")}, TS: start + 1}))
	s.await(s.send(&ports.ScanRequest{TS: start + 1, Limit: 5}))
	s.await(s.send(&ports.GetRequest{Key: []byte("z"), TS: start}))
	s.await(s.send(commitOf(start+1, "c", "c")))
	s.await(s.send(&ports.TxnHeartBeatRequest{Primary: []byte("c"), StartTS: start}))
}

func rawScene(s *station) {
	key := []byte("k")
	s.await(s.send(put("k", "1")))
	s.await(s.send(&ports.RawCompareAndSwapRequest{Key: key, Previous: []byte("1"), Value: []byte("2")}))
	s.await(s.send(&ports.RawGetRequest{Key: key}))
	s.await(s.send(&ports.RawScanRequest{Limit: 5}))
	s.await(s.send(&ports.RawDeleteRequest{Key: key}))
	s.await(s.send(&ports.RawCompareAndSwapRequest{Key: key, PreviousAbsent: true, Value: []byte("3")}))
	s.await(s.send(&ports.RawGetKeyTTLRequest{Key: key}))
}

func clusterScene(s *station) {
	s.await(s.send(&ports.GetRequest{Key: []byte("a"), TS: 1}))
	s.ask(ports.Query{Kind: ports.QueryStores})
	s.w.Split(s.w.bound([]byte("f")))
	inFlight := s.send(&ports.GetRequest{Key: []byte("a"), TS: 1})
	s.w.Crash(1)
	s.await(inFlight)
	s.await(s.sendTo(ports.Endpoint{Store: 1, Address: "store-1:20160"}, &ports.Header{}, &ports.GetRequest{}))
	s.w.Run(s.w.now.Add(time.Second), nil)
	s.w.Restart(1, "store-1:20170")
	s.w.Hang(2)
	s.c.Probe(ports.Endpoint{Store: 2, Address: "store-2:20160"}, s.w.now.Add(time.Second), s.tok(), s)
	s.w.RestartPD(ports.Forever)
	s.timestamp()
	s.w.Run(s.w.now.Add(time.Second), nil)
	s.w.Heal()
	s.c.Crash()
}
