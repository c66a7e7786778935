package serve_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/stretchr/testify/require"
	grpclib "google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

// TestClientThatSendsNoMore: who ends its half of a stream still gets its answers, and then the end of the other half.
func TestClientThatSendsNoMore(t *testing.T) {
	c, _ := start(t, sim.Config{RawKeys: true})
	cc, err := grpclib.NewClient("passthrough:///"+c.Store(1), grpclib.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer cc.Close()
	stream, err := tikvpb.NewTikvClient(cc).BatchCommands(t.Context())
	require.NoError(t, err)
	get := &tikvpb.BatchCommandsRequest_Request{Cmd: &tikvpb.BatchCommandsRequest_Request_RawGet{
		RawGet: &kvrpcpb.RawGetRequest{Key: []byte("k")},
	}}
	require.NoError(t, stream.Send(&tikvpb.BatchCommandsRequest{
		Requests: []*tikvpb.BatchCommandsRequest_Request{get, {}}, RequestIds: []uint64{1, 2},
	}))
	require.NoError(t, stream.CloseSend())
	var ids []uint64
	for {
		answer, err := stream.Recv()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		ids = append(ids, answer.RequestIds...)
	}
	require.ElementsMatch(t, []uint64{1, 2}, ids)
}

// TestLargeRequest: what is larger than gRPC's own limit of a message is a request as any other.
func TestLargeRequest(t *testing.T) {
	c, w := start(t, sim.Config{RawKeys: true})
	timers := newClock(t)
	n := newNetwork(t, timers)
	var region ports.Region
	c.Do(func(*sim.World) { region = w.Regions()[0] })
	leader, _ := region.Peer(region.Leader)
	header := ports.Header{Region: region.RegionVersion, Peer: leader}
	to := ports.Endpoint{Store: leader.Store, Address: c.Store(leader.Store)}
	value := bytes.Repeat([]byte{1}, 5<<20)
	for _, req := range []ports.Request{
		&ports.RawPutRequest{Key: []byte("k"), Value: value}, &ports.RawGetRequest{Key: []byte("k")},
	} {
		box := make(porttest.Mailbox, 1)
		n.Submit(to, &header, req, timers.Now().Add(time.Minute), ports.Tok{}, box)
		ev := box.Next(t)
		require.Equal(t, ports.EventReply, ev.Kind)
		require.Nil(t, ev.Reply.Region())
		if got, ok := ev.Reply.(*ports.RawGetReply); ok {
			require.True(t, bytes.Equal(value, got.Value))
		}
	}
}

// TestImpatientClient asks again and again whether its connection lives, which TiKV minds as little as this.
func TestImpatientClient(t *testing.T) {
	c, _ := start(t, sim.Config{})
	conn, err := net.Dial("tcp", c.Store(1))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	frame := func(kind byte, payload []byte) []byte {
		return append([]byte{0, 0, byte(len(payload)), kind, 0, 0, 0, 0, 0}, payload...)
	}
	const settings, ping, goAway, pings = 4, 6, 7, 8
	hello := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(settings, nil)...)
	for range pings {
		hello = append(hello, frame(ping, make([]byte, 8))...)
	}
	_, err = conn.Write(hello)
	require.NoError(t, err)
	for answered := 0; answered < pings; {
		var head [9]byte
		_, err := io.ReadFull(conn, head[:])
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:4])>>8))
		require.NoError(t, err)
		require.NotEqual(t, byte(goAway), head[3], "after %d answers", answered)
		if head[3] == ping {
			answered++
		}
	}
}
