package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// TestBucketVersion: store/util.rs: gen_bucket_version.
func TestBucketVersion(t *testing.T) {
	for _, c := range []struct{ term, last, next uint64 }{
		{5, 0, 5 << 32},             // the first
		{5, 5 << 32, 5<<32 + 1},     // the same leader goes on
		{5, 5<<32 + 7, 5<<32 + 8},   //
		{6, 5<<32 + 7, 6 << 32},     // the next one begins anew, above
		{1 << 20, 3 << 32, 1 << 52}, //
	} {
		require.Equal(t, c.next, nextBucketVersion(c.term, c.last), "term %d after %d", c.term, c.last)
	}
}

// TestCutBuckets: store/worker/split_check.rs: init_buckets, update_buckets, with buckets of 3 keys between b and y.
// Single letters are keys, bounds are set off by bars.
func TestCutBuckets(t *testing.T) {
	for _, c := range []struct{ name, before, data, after string }{
		{"none yet, no data", "", "", "b|y"},
		{"none yet, less than two parts", "", "cdefg", "b|y"},
		{"none yet, two parts", "", "cdefgh", "b|f|y"},
		{"none yet, even parts", "", "cdefghijklm", "b|f|j|y"},
		{"none yet, the first key is the bound", "", "bcdefg", "b|e|y"},
		{"nothing new", "b|f|y", "cdefgh", ""},
		{"more, but less than twice as much", "b|f|y", "cdefghij", ""},
		{"twice as much", "b|f|y", "cdefghijk", "b|f|i|y"},
		{"it is cut, the other stays", "b|f|y", "cdefghijklm", "b|f|j|y"},
		{"the first is cut", "b|m|y", "cdefghmno", "b|f|m|y"},
		{"an empty one is part of the one before", "b|f|k|y", "cdefghi", "b|f|y"},
		{"one of a third, too", "b|f|k|y", "cdefghik", "b|f|y"},
		{"one of more stays", "b|f|k|y", "cdefghikl", ""},
		{"the first has none before", "b|f|y", "fgh", ""},
		{"the two would be too large", "b|h|y", "cdefgh", ""},
		{"several in a row", "b|f|i|k|m|y", "cdo", "b|y"},
		{"until they are large", "b|g|i|k|y", "cdegik", "b|k|y"},
		{"behind one that is cut", "b|m|p|y", "cdefghqrs", "b|f|p|y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var old *ports.Buckets
			if c.before != "" {
				old = &ports.Buckets{Keys: splitKeys(c.before, "|")}
			}
			bounds := ports.KeyRange{Start: []byte("b"), End: []byte("y")}
			keys, changed := cutBuckets(old, bounds, splitKeys(c.data, ""), 3)
			want := c.after
			if want == "" {
				want = c.before
			}
			require.Equal(t, want, joinKeys(keys))
			require.Equal(t, c.after != "", changed)
		})
	}
}

func splitKeys(text, by string) [][]byte {
	var list [][]byte
	for _, k := range strings.Split(text, by) {
		list = append(list, []byte(k))
	}
	return list
}

func joinKeys(keys [][]byte) string {
	var list []string
	for _, k := range keys {
		list = append(list, string(k))
	}
	return strings.Join(list, "|")
}

// TestBucketsAscend: whatever becomes of the data, bounds ascend from the region's start to its end, and have changed
// exactly if that is said.
func TestBucketsAscend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := ports.KeyRange{Start: []byte("b")}
		var b *ports.Buckets
		for range rapid.IntRange(1, 5).Draw(t, "looks") {
			data := splitKeys(string(rapid.SliceOfNDistinct(rapid.ByteRange('b', 'z'), 0, 25,
				rapid.ID[byte]).Draw(t, "data")), "")
			slices.SortFunc(data, func(a, b []byte) int { return strings.Compare(string(a), string(b)) })
			keys, changed := cutBuckets(b, bounds, data, rapid.IntRange(1, 5).Draw(t, "size"))
			require.Equal(t, changed, b == nil || joinKeys(keys) != joinKeys(b.Keys))
			require.Equal(t, "b", string(keys[0]))
			require.Empty(t, keys[len(keys)-1])
			require.True(t, slices.IsSortedFunc(keys[:len(keys)-1], func(a, b []byte) int {
				return strings.Compare(string(a), string(b))
			}))
			b = &ports.Buckets{Keys: keys}
		}
	})
}

// bucketStation is a station with buckets of two keys and the keys a to h, that nobody looks at unasked.
func bucketStation(t *testing.T, bounds ...string) *station {
	config := raw(chosen{}, 0, bounds...)
	config.BucketKeys = 2
	s := newStation(t, config)
	s.fill("abcdefgh")
	s.w.healed = true
	s.rest()
	return s
}

func (s *station) fill(keys string) {
	for _, k := range splitKeys(keys, "") {
		s.w.engine.Raw(1).Put(&ports.RawPutRequest{Key: k}, &ports.RawWriteReply{})
	}
}

// look lets the leader of the i-th region look at its buckets, and returns them; reported also lets PD hear of them.
func (s *station) look(i int) *ports.Buckets {
	id := s.w.regions.ordered[i].ID
	require.True(s.t, s.w.RefreshBuckets(id))
	return s.w.Buckets(id)
}

func (s *station) reported(i int) *ports.Buckets {
	b := s.look(i)
	s.rest()
	return b
}

// told returns the buckets that PD tells of the region that holds a key.
func (s *station) told(key string, fresh bool) *ports.Buckets {
	tok := s.tok()
	q := ports.Query{Kind: ports.QueryRegion, Key: []byte(key), Fresh: fresh, Buckets: true}
	s.c.Ask(&q, s.w.now.Add(time.Second), tok, s)
	ev := s.await(tok.Gen)
	require.Len(s.t, ev.Regions, 1)
	require.Len(s.t, ev.Buckets, 1)
	return ev.Buckets[0]
}

// TestBucketsAreReported: they are absent at first, the leader has them before PD, and PD has the old ones while they
// change.
func TestBucketsAreReported(t *testing.T) {
	s := bucketStation(t)
	require.Nil(t, s.w.Buckets(s.w.regions.ordered[0].ID))
	require.Nil(t, s.told("a", true))
	first := s.look(0)
	require.Equal(t, "|c|e|g|", joinKeys(first.Keys))
	require.EqualValues(t, 1<<32, first.Version)
	require.Nil(t, s.told("a", true), "it takes time until PD hears of them")
	s.rest()
	require.Equal(t, first, s.told("a", true))
	require.Same(t, first, s.reported(0), "nothing has changed")
	s.fill("ijkl")
	second := s.look(0)
	require.Equal(t, "|c|e|g|i|k|", joinKeys(second.Keys))
	require.EqualValues(t, 1<<32+1, second.Version)
	require.Equal(t, first, s.told("a", true))
	s.rest()
	require.Equal(t, second, s.told("a", true))
	require.Nil(t, s.w.Buckets(99))
	require.False(t, s.w.RefreshBuckets(99))
}

// TestBucketsAfterSplit: the region that keeps its id has none until its leader looks, and PD tells the old ones, which
// are wider than the region; the other one has none.
func TestBucketsAfterSplit(t *testing.T) {
	s := bucketStation(t)
	old := s.reported(0)
	require.True(t, s.w.Split([]byte("d")))
	s.rest()
	for i, r := range s.w.regions.ordered {
		require.Nil(t, s.w.Buckets(r.ID), "region %d", i)
	}
	require.Nil(t, s.told("a", true))
	require.Equal(t, old, s.told("f", true), "from before a to behind h, while the region begins at d")
	upper := s.reported(1)
	require.Equal(t, "d|f|", joinKeys(upper.Keys))
	require.Equal(t, old.Version+1, upper.Version, "versions go on where they were")
	require.Equal(t, upper, s.told("f", true))
	lower := s.reported(0)
	require.Equal(t, "|d", joinKeys(lower.Keys))
	require.Equal(t, lower, s.told("a", true))
}

// TestBucketsAfterMerge: the region that is left has none, and PD tells its old ones, which are narrower.
func TestBucketsAfterMerge(t *testing.T) {
	s := bucketStation(t, "e")
	lower, upper := s.reported(0), s.reported(1)
	require.Equal(t, "|c|e", joinKeys(lower.Keys))
	require.Equal(t, "e|g|", joinKeys(upper.Keys))
	source, target := s.w.regions.ordered[0].ID, s.w.regions.ordered[1].ID
	require.True(t, s.w.Merge(source, target))
	s.rest()
	require.Len(t, s.w.regions.ordered, 1)
	require.Nil(t, s.w.Buckets(target))
	require.Equal(t, upper, s.told("a", true))
	whole := s.reported(0)
	require.Equal(t, "|c|e|g|", joinKeys(whole.Keys))
	require.Equal(t, whole, s.told("a", true))
	require.Len(t, s.w.pd.buckets, 1, "PD has forgotten those of the region that is gone")
}

// TestBucketsOfANewLeader: it has none at first, and those that it works out are above all before, so that PD takes
// them although they are the same.
func TestBucketsOfANewLeader(t *testing.T) {
	s := bucketStation(t)
	old := s.reported(0)
	require.True(t, s.w.Transfer(s.w.regions.ordered[0].ID, 2))
	s.rest()
	require.Nil(t, s.w.Buckets(s.w.regions.ordered[0].ID))
	require.Equal(t, old, s.told("a", true))
	fresh := s.reported(0)
	require.Equal(t, joinKeys(old.Keys), joinKeys(fresh.Keys))
	require.EqualValues(t, 2<<32, fresh.Version)
	require.Equal(t, fresh, s.told("a", true))
}

// TestLostReports: what is not reported to PD is not known, and the next report makes up for it.
func TestLostReports(t *testing.T) {
	for name, lose := range map[string]func(s *station){
		"PD is silent":  func(s *station) { s.w.SilencePD(ports.Forever) },
		"PD restarts":   func(s *station) { s.w.RestartPD(ports.Forever) },
		"another leads": func(s *station) { s.w.Transfer(s.w.regions.ordered[0].ID, 2) },
		"nobody leads":  func(s *station) { s.w.Hang(1) },
		"PD does not know the region": func(s *station) {
			last := &s.w.pd.known[len(s.w.pd.known)-1]
			last.regions = slices.Clone(last.regions)
			last.regions[0].ID = 99
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := bucketStation(t)
			s.look(0)
			lose(s)
			s.w.Run(s.w.now+bucketTime, nil)
			require.Empty(t, s.w.pd.buckets)
			s.w.ResumePD()
			s.w.Resume(1)
			s.rest()
			s.w.learn()
			b := s.reported(0)
			require.Equal(t, b, s.told("a", true))
		})
	}
}

// TestRegionsThatAreGoneReportNothing: not even while PD knows them.
func TestRegionsThatAreGoneReportNothing(t *testing.T) {
	s := bucketStation(t, "e")
	s.look(0)
	source := s.w.regions.ordered[0].ID
	s.w.chooser = chosen{SiteDelay: {15}}
	require.True(t, s.w.Merge(source, s.w.regions.ordered[1].ID))
	s.w.Run(s.w.now+bucketTime, nil)
	require.Len(t, s.w.regions.ordered, 1)
	require.Equal(t, source, s.w.pd.known[len(s.w.pd.known)-1].regions[0].ID)
	require.Empty(t, s.w.pd.buckets)
}

// TestStaleReport: PD keeps newer buckets than those that are reported.
func TestStaleReport(t *testing.T) {
	s := bucketStation(t)
	newer := s.reported(0)
	s.w.hearBuckets(s.w.regions.ordered[0].ID, &ports.Buckets{Version: newer.Version})
	s.w.hearBuckets(s.w.regions.ordered[0].ID, &ports.Buckets{Version: newer.Version - 1})
	require.Equal(t, newer, s.told("a", true))
}

// TestFollowersOfPDTellNoBuckets: PD: server/grpc_service.go: GetRegion.
func TestFollowersOfPDTellNoBuckets(t *testing.T) {
	s := bucketStation(t)
	b := s.reported(0)
	s.w.learn()
	s.w.healed = false
	s.w.config.Faults = FaultsOf(FaultStalePD)
	for _, age := range []int{0, 1} {
		s.w.chooser = chosen{SiteStalePD: {age, age}}
		require.Equal(t, age == 0, s.told("a", false) != nil)
		require.Equal(t, b, s.told("a", true))
	}
}

// TestBucketsNowAndThen: leaders look by themselves until the world heals, if buckets are wanted at all.
func TestBucketsNowAndThen(t *testing.T) {
	config := raw(NewSeeded(1, 0), 0, "d")
	require.False(t, newStation(t, config).w.RefreshBuckets(4), "no buckets are wanted")
	config.BucketKeys = 2
	var trace strings.Builder
	config.Trace = &trace
	s := newStation(t, config)
	s.fill("abcdefgh")
	s.w.Run(s.w.now.Add(2*time.Second), nil)
	require.Equal(t, "|d", joinKeys(s.told("a", true).Keys))
	require.Equal(t, "d|f|", joinKeys(s.told("d", true).Keys))
	for _, r := range s.w.regions.ordered {
		require.Equal(t, s.w.Buckets(r.ID), s.told(string(r.Range.Start), true))
	}
	require.Contains(t, trace.String(), "has buckets of version 1.0")
	require.Contains(t, trace.String(), "PD knows the buckets of region")
	s.w.Heal()
	s.rest()
	require.Equal(t, ports.Never, s.w.Next())
	config.BucketKeys = -1
	_, err := New(config)
	require.ErrorIs(t, err, ErrConfig)
}
