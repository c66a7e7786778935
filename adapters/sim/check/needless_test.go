package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// meet lets a reader meet the lock on a key, by a get, a batch get, and a scan in turn.
func (d *disk) meet(ts ports.Timestamp, key string, times int) {
	locked := &ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{Key: []byte(key), StartTS: 10}}
	for i := range times {
		switch i % 3 {
		case 0:
			d.Answered(&ports.GetRequest{TS: ts}, &ports.GetReply{Err: locked})
		case 1:
			d.Answered(&ports.BatchGetRequest{TS: ts}, &ports.BatchGetReply{Pairs: []ports.Pair{{Err: locked}}})
		case 2:
			d.Answered(&ports.ScanRequest{TS: ts}, &ports.ScanReply{Pairs: []ports.Pair{{}, {Err: locked}}})
		}
	}
}

func TestNeedlessAccept(t *testing.T) {
	d := newDisk()
	d.lock("a", "b")
	d.meet(400, "b", 9) // nobody knows yet that the lock cannot commit below 400
	d.status("a", &ports.CheckTxnStatusReply{Action: ports.ActionMinCommitTSPushed})
	d.meet(400, "a", 3)
	d.meet(400, "b", 3)
	d.meet(500, "b", 9) // what is known to one reader is not known to another
	d.Asked("c", &ports.Query{Kind: ports.QueryRegion}, false)
	require.Empty(t, d.Wrong())
}

func TestNeedlessReject(t *testing.T) {
	d := newDisk()
	d.lock("a", "b")
	d.status("a", &ports.CheckTxnStatusReply{Action: ports.ActionMinCommitTSPushed})
	d.meet(400, "b", 4)
	require.Len(t, d.Wrong(), 1)
	require.Contains(t, d.Wrong()[0], "on \"b\" again, which may be ignored")

	d = newDisk()
	d.Asked("c", &ports.Query{Kind: ports.QueryRegion, Key: []byte("a")}, true)
	require.Len(t, d.Wrong(), 1)
	require.Contains(t, d.Wrong()[0], "waits for that answer already")
}
