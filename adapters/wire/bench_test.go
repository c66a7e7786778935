package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

var benchHeader = ports.Header{
	Region: ports.RegionVersion{ID: 77, Epoch: ports.Epoch{ConfVer: 5, Version: 99}},
	Peer:   ports.Peer{ID: 78, Store: 4},
}

var hotRequests = map[string]ports.Request{
	"Get":      &ports.GetRequest{Key: []byte("key-of-some-length"), TS: 449_000_000_000_000_000},
	"BatchGet": &ports.BatchGetRequest{Keys: [][]byte{[]byte("a"), []byte("b")}, TS: 449_000_000_000_000_000},
	"Prewrite": &ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: []byte("key"), Value: make([]byte, 100)}}, Primary: []byte("key"),
		StartTS: 449_000_000_000_000_000, TTL: 3000, TxnSize: 1,
	},
	"Commit": &ports.CommitRequest{
		Keys: [][]byte{[]byte("key")}, StartTS: 449_000_000_000_000_000, CommitTS: 449_000_000_000_000_001,
	},
}

var hotReplies = map[string]ports.Reply{
	"Get":      &ports.GetReply{Value: make([]byte, 100)},
	"BatchGet": &ports.BatchGetReply{Pairs: []ports.Pair{{Key: []byte("a"), Value: make([]byte, 100)}}},
	"Prewrite": &ports.PrewriteReply{},
	"Commit":   &ports.CommitReply{CommitTS: 449_000_000_000_000_001},
}

// TestHotVerbsAllocateNothing holds the encoder and the decoder to what they are for.
func TestHotVerbsAllocateNothing(t *testing.T) {
	encoder, decoder := &Encoder{}, &Decoder{}
	var buf []byte
	for name, req := range hotRequests {
		n := testing.AllocsPerRun(100, func() { buf = encoder.Append(buf[:0], 1, &benchHeader, req) })
		require.Zero(t, n, "encoding %s", name)
	}
	for name, reply := range hotReplies {
		body := AppendReply(nil, reply)
		n := testing.AllocsPerRun(100, func() {
			if _, err := decoder.Decode(reply.Verb(), body); err != nil {
				t.Fatal(err)
			}
			decoder.Forget()
		})
		require.Zero(t, n, "decoding %s", name)
	}
}

// TestEncoderKeepsNothing: a request is borrowed, its memory must not be reachable from a pooled encoder.
func TestEncoderKeepsNothing(t *testing.T) {
	encoder := &Encoder{}
	for _, req := range hotRequests {
		encoder.Append(nil, 1, &benchHeader, req)
	}
	require.Nil(t, encoder.get.Key)
	require.Nil(t, encoder.batchGet.Keys)
	require.Nil(t, encoder.commit.Keys)
	require.Nil(t, encoder.prewrite.PrimaryLock)
	require.Nil(t, encoder.mutations[0].Key)
	require.Nil(t, encoder.mutations[0].Value)
}

func TestDecoderDropsLongLists(t *testing.T) {
	decoder := &Decoder{}
	body := AppendReply(nil, &ports.ScanReply{Pairs: make([]ports.Pair, maxKeptPairs+1)})
	_, err := decoder.Decode(ports.VerbScan, body)
	require.NoError(t, err)
	decoder.Forget()
	require.Zero(t, cap(decoder.pairs))
}

func BenchmarkEncode(b *testing.B) {
	for name, req := range hotRequests {
		b.Run(name, func(b *testing.B) {
			encoder := &Encoder{}
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = encoder.Append(buf[:0], 1, &benchHeader, req)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, reply := range hotReplies {
		b.Run(name, func(b *testing.B) {
			decoder := &Decoder{}
			body := AppendReply(nil, reply)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decoder.Decode(reply.Verb(), body); err != nil {
					b.Fatal(err)
				}
				decoder.Forget()
			}
		})
	}
}
