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

// Whoever got past a key may be stopped there again by its next read, however it got past.
func TestNeedlessForgets(t *testing.T) {
	d := newDisk()
	d.lock("a", "b")
	d.status("a", &ports.CheckTxnStatusReply{Action: ports.ActionMinCommitTSPushed})
	key := [][]byte{[]byte("b")}
	for _, pass := range []func(){
		func() { d.Answered(&ports.GetRequest{TS: 400, Key: key[0]}, &ports.GetReply{}) },
		func() { d.Answered(&ports.BatchGetRequest{TS: 400, Keys: key}, &ports.BatchGetReply{}) },
		func() { d.Answered(&ports.ScanRequest{TS: 400}, &ports.ScanReply{}) },
	} {
		d.meet(400, "b", 3)
		pass()
	}
	require.Empty(t, d.Wrong())
	d.meet(400, "b", 3)
	d.Answered(&ports.GetRequest{TS: 400, Key: []byte("a")}, &ports.GetReply{})
	d.Answered(&ports.BatchGetRequest{TS: 400, Keys: [][]byte{[]byte("a")}}, &ports.BatchGetReply{})
	d.meet(400, "b", 1)
	require.Len(t, d.Wrong(), 1)
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
