package mvcc

import (
	"fmt"
	"hash/crc64"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// written is an engine with the given records: a key, a commit timestamp, and a value or nothing for a deletion. The
// transaction of each began one earlier.
func written(records ...string) *Engine {
	e := &Engine{}
	b := e.begin()
	for _, r := range records {
		var key, value string
		var ts ports.Timestamp
		fmt.Sscan(r, &key, &ts, &value) //nolint:errcheck // a deletion has no value
		w := Write{CommitTS: ts, StartTS: ts - 1, Kind: ports.KindPut, Value: []byte(value)}
		if value == "" {
			w.Kind = ports.KindDelete
		}
		b.putWrite(e.entry([]byte(key)), w)
	}
	e.apply(b)
	return e
}

// contents lists the keys that a reader sees, and their values.
func (e *Engine) contents(ts ports.Timestamp) string {
	var reply ports.ScanReply
	e.Scan(&ports.ScanRequest{Limit: 99}, Extent{}, &Snapshot{TS: ts}, &reply)
	text := ""
	for _, p := range reply.Pairs {
		text += fmt.Sprintf("%s=%s%v ", p.Key, p.Value, p.Err != nil)
	}
	return text
}

// TestFlashback: what changed since the version is written anew, what did not is left alone; locks go first.
func TestFlashback(t *testing.T) {
	e := written("a 10 one", "a 20 two", "b 10 one", "c 20 new", "d 10 one", "d 20", "e 5 one", "e 20", "e 30 two")
	e.PutLock([]byte("b"), Lock{StartTS: 25, Kind: ports.KindPut, Primary: []byte("b")})
	prepare := &ports.PrepareFlashbackToVersionRequest{StartTS: 40, Version: 15}
	e.PrepareFlashback(prepare, Extent{})
	require.Nil(t, e.Lock([]byte("b")))
	require.Equal(t, "25:rollback 10:put", history(e.Writes([]byte("b"))))
	require.Equal(t, &Lock{
		StartTS: 40, Kind: ports.KindPut, Primary: []byte("a"), Value: []byte("one"), TxnSize: 1,
	}, e.Lock([]byte("a")), "the first key that has changed")
	e.PrepareFlashback(prepare, Extent{}) // once more
	require.NotNil(t, e.Lock([]byte("a")))

	flashback := &ports.FlashbackToVersionRequest{StartTS: 40, CommitTS: 50, Version: 15}
	for range 2 {
		text, prepared := e.Flashback(flashback, Extent{}, true)
		require.Empty(t, text)
		require.True(t, prepared)
	}
	require.Equal(t, e.contents(15), e.contents(50))
	require.Equal(t, "50:put 20:put 10:put", history(e.Writes([]byte("a"))))
	require.Equal(t, "25:rollback 10:put", history(e.Writes([]byte("b"))))
	require.Equal(t, "50:delete 20:put", history(e.Writes([]byte("c"))))
	require.Equal(t, "50:put 30:put 20:delete 5:put", history(e.Writes([]byte("e"))))
	require.EqualValues(t, 40, e.Writes([]byte("e"))[3].StartTS)
	require.Nil(t, e.Lock([]byte("a")))
}

// TestFlashbackOfDeletions: the first key may be one that was not there.
func TestFlashbackOfDeletions(t *testing.T) {
	e := written("c 20 new")
	e.PrepareFlashback(&ports.PrepareFlashbackToVersionRequest{StartTS: 40, Version: 15}, Extent{})
	require.Equal(t, ports.KindDelete, e.Lock([]byte("c")).Kind)
	_, prepared := e.Flashback(&ports.FlashbackToVersionRequest{StartTS: 40, CommitTS: 50, Version: 15}, Extent{}, true)
	require.True(t, prepared)
	require.Equal(t, "50:delete 20:put", history(e.Writes([]byte("c"))))
}

// TestFlashbackLeavesNewerVersions: what lies behind its commit is not its to change; TiKV asserts that there is none.
func TestFlashbackLeavesNewerVersions(t *testing.T) {
	e := written("a 20 new", "b 60 newer")
	e.PrepareFlashback(&ports.PrepareFlashbackToVersionRequest{StartTS: 40, Version: 15}, Extent{})
	_, prepared := e.Flashback(&ports.FlashbackToVersionRequest{StartTS: 40, CommitTS: 50, Version: 15}, Extent{}, true)
	require.True(t, prepared)
	require.Equal(t, "60:put", history(e.Writes([]byte("b"))))
}

// TestFlashbackRange: keys outside the range or the region are none of its business, nor are shared locks spared.
func TestFlashbackRange(t *testing.T) {
	e := written("a 20 new", "b 20 new", "c 20 new", "d 20 new")
	for _, key := range []string{"a", "b", "d"} {
		e.PutLock([]byte(key), Lock{StartTS: 25, Kind: ports.KindPut, Primary: []byte(key)})
	}
	shared := (*sharedLocks)(nil).with(Lock{StartTS: 26, Kind: ports.KindPessimisticLock, Primary: []byte("p")})
	e.PutLock([]byte("c"), shared.set())
	x := Extent{End: AppendEncoded(nil, []byte("d"))}
	q := &ports.PrepareFlashbackToVersionRequest{Range: ports.KeyRange{Start: []byte("b")}, StartTS: 40, Version: 15}
	e.PrepareFlashback(q, x)
	require.NotNil(t, e.Lock([]byte("a")))
	require.NotNil(t, e.Lock([]byte("d")))
	require.EqualValues(t, 40, e.Lock([]byte("b")).StartTS)
	require.Nil(t, e.Lock([]byte("c")))
	_, prepared := e.Flashback(&ports.FlashbackToVersionRequest{
		Range: q.Range, StartTS: 40, CommitTS: 50, Version: 15,
	}, x, true)
	require.True(t, prepared)
	for key, want := range map[string]string{
		"a": "20:put", "b": "50:delete 25:rollback 20:put", "c": "50:delete 26:rollback 20:put", "d": "20:put",
	} {
		require.Equal(t, want, history(e.Writes([]byte(key))), key)
	}
}

// TestFlashbackNotPrepared: check_flashback_commit.
func TestFlashbackNotPrepared(t *testing.T) {
	q := &ports.FlashbackToVersionRequest{StartTS: 40, CommitTS: 50, Version: 15}
	shared := (&sharedLocks{members: []Lock{{StartTS: 40}}}).set()
	for name, c := range map[string]struct {
		lock        *Lock
		inFlashback bool
	}{
		"nothing is locked": {nil, true}, "another flashback": {&Lock{StartTS: 39}, true},
		"the region is not in flashback": {&Lock{StartTS: 40}, false},
		"a set of shared locks":          {&shared, true},
	} {
		e := written("a 20 new")
		if c.lock != nil {
			e.PutLock([]byte("a"), *c.lock)
		}
		text, prepared := e.Flashback(q, Extent{}, c.inFlashback)
		require.Empty(t, text, name)
		require.False(t, prepared, name)
	}
	e := written("a 50 by another")
	_, prepared := e.Flashback(q, Extent{}, true)
	require.False(t, prepared, "a commit at the same time is not its own")
	e = written("a 60 newer")
	_, prepared = e.Flashback(q, Extent{}, true)
	require.False(t, prepared, "nor is a later one")
	e = written("a 10 old")
	_, prepared = e.Flashback(q, Extent{}, false)
	require.True(t, prepared, "nothing has changed")
	bad := *q
	bad.CommitTS = 40
	text, _ := e.Flashback(&bad, Extent{}, true)
	require.Equal(t, "Invalid transaction tso with start_ts:40, commit_ts:40", text)
}

// TestFlashbackAgainstReads: whatever was written, afterwards everything is as it was.
func TestFlashbackAgainstReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []string
		for ts := 2; ts < 30; ts += 2 {
			for _, key := range []string{"a", "b", "c"} {
				if rapid.Bool().Draw(t, "written") {
					value := rapid.SampledFrom([]string{"1", "2", ""}).Draw(t, "value")
					records = append(records, fmt.Sprint(key, " ", ts, " ", value))
				}
			}
		}
		e := written(records...)
		version := ports.Timestamp(rapid.IntRange(0, 30).Draw(t, "version"))
		before := e.contents(version)
		e.PrepareFlashback(&ports.PrepareFlashbackToVersionRequest{StartTS: 40, Version: version}, Extent{})
		_, prepared := e.Flashback(&ports.FlashbackToVersionRequest{
			StartTS: 40, CommitTS: 50, Version: version,
		}, Extent{}, true)
		require.True(t, prepared)
		require.Equal(t, before, e.contents(50))
		require.Equal(t, before, e.contents(version))
	})
}

func TestDeleteRange(t *testing.T) {
	e := written("a 1 x", "b 1 x", "c 1 x", "d 1 x")
	e.PutLock([]byte("b"), Lock{StartTS: 5, Kind: ports.KindPut})
	r := ports.KeyRange{Start: []byte("b"), End: []byte("d")}
	e.DeleteRange(r, Extent{Start: AppendEncoded(nil, []byte("c"))})
	require.Equal(t, "a=xfalse =true d=xfalse ", e.contents(9), "a lock names itself")
	e.DeleteRange(r, Extent{})
	require.Equal(t, "a=xfalse d=xfalse ", e.contents(9))
	require.Nil(t, e.Lock([]byte("b")))
}

// TestDeletedRangesKeepMemory: a lock that is in the memory of a leader only is no data.
func TestDeletedRangesKeepMemory(t *testing.T) {
	e := written("a 1 x")
	e.PutLock([]byte("a"), Lock{StartTS: 5, Kind: ports.KindPessimisticLock, memory: true})
	e.DeleteRange(ports.KeyRange{}, Extent{})
	require.Empty(t, e.Writes([]byte("a")))
	require.EqualValues(t, 5, e.Lock([]byte("a")).StartTS)
}

// TestRawChecksum: the checksum of a pair is that of key and value without anything between, by the polynomial of
// CRC-64/XZ, whose check value is well known.
func TestRawChecksum(t *testing.T) {
	require.EqualValues(t, uint64(0x995dc9bbdf1939fa), crc64.Checksum([]byte("123456789"), ecma))
	var e Engine
	r := e.Raw(100)
	put := func(key, value string, ttl uint64) {
		r.Put(&ports.RawPutRequest{Key: []byte(key), Value: []byte(value), TTL: ttl}, &ports.RawWriteReply{})
	}
	put("1234", "56789", 0)
	put("5", "", 1)
	put("9", "x", 0)
	sum := func(now uint64, ranges ...ports.KeyRange) ports.RawChecksumReply {
		var reply ports.RawChecksumReply
		e.Raw(now).Checksum(&ports.RawChecksumRequest{Ranges: ranges}, Extent{End: []byte("8")}, &reply)
		return reply
	}
	all := ports.KeyRange{}
	require.Equal(t, ports.RawChecksumReply{Checksum: 0x995dc9bbdf1939fa, Pairs: 1, Bytes: 9}, sum(101, all), "5 expired")
	require.Equal(t, ports.RawChecksumReply{
		Checksum: 0x995dc9bbdf1939fa ^ crc64.Checksum([]byte("5"), ecma), Pairs: 2, Bytes: 10,
	}, sum(100, all))
	require.Equal(t, ports.RawChecksumReply{Pairs: 2, Bytes: 18}, sum(101, all, all), "twice is nothing")
	require.Zero(t, sum(100, ports.KeyRange{Start: []byte("2"), End: []byte("4")}, ports.KeyRange{Start: []byte("6")}))
	require.Zero(t, sum(100))
}
