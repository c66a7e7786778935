package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func (s *station) ask(q ports.Query) ports.Event {
	s.t.Helper()
	tok := s.tok()
	s.c.Ask(&q, s.w.now.Add(3*time.Second), tok, s)
	return s.await(tok.Gen)
}

func (s *station) timestamp() ports.Event {
	s.t.Helper()
	tok := s.tok()
	s.c.Timestamp(s.w.now.Add(3*time.Second), tok, s)
	return s.await(tok.Gen)
}

func TestTimestampsGrow(t *testing.T) {
	s := newStation(t, Config{Seed: 1, Faults: FaultsOf(FaultOracleGap, FaultOracleSlow)})
	var last ports.Timestamp
	for range 500 {
		ev := s.timestamp()
		require.Greater(t, ev.TS, last)
		last = ev.TS
	}
	require.NotZero(t, s.w.Counts()[FaultOracleGap])
	require.NotZero(t, s.w.Counts()[FaultOracleSlow])
	require.Greater(t, last.Physical(), int64(defaultEpoch)+int64(s.w.now)/1e6, "gaps run ahead of the clock")

	// Timestamps that were asked for together come back in order.
	var gens []uint32
	for range 100 {
		tok := s.tok()
		s.c.Timestamp(ports.Never, tok, s)
		gens = append(gens, tok.Gen)
	}
	s.rest()
	for _, g := range gens {
		require.Greater(t, s.events[g][0].TS, last)
		last = s.events[g][0].TS
	}
}

func TestPDOutages(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.w.SilencePD(time.Second)
	began := s.w.now
	ev := s.timestamp()
	require.Equal(t, ports.EventRefused, ev.Kind)
	require.Equal(t, ports.CauseTimeout, ev.Cause.Kind)
	require.Equal(t, 3*time.Second, ev.Now.Sub(began))
	require.Equal(t, ports.EventTimestamp, s.timestamp().Kind, "the silence is over by itself")

	s.w.RestartPD(ports.Forever)
	ev = s.ask(ports.Query{Kind: ports.QueryStores})
	require.Equal(t, ports.EventRefused, ev.Kind)
	require.Equal(t, ports.CauseConnection, ev.Cause.Kind)
	s.w.SilencePD(time.Millisecond)
	s.w.SilencePD(ports.Forever) // the end of the first outage is not the end of this one
	s.rest()
	require.Equal(t, ports.CauseTimeout, s.timestamp().Cause.Kind)
	s.w.ResumePD()
	require.Equal(t, ports.EventPlaced, s.ask(ports.Query{Kind: ports.QueryStores}).Kind)
}

func TestPDHearsLater(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.w.Split([]byte("m"))
	all := ports.Query{Kind: ports.QueryRegions, Limit: 9}
	require.Len(t, s.ask(all).Regions, 1)
	s.rest()
	regions := s.ask(all).Regions
	require.Len(t, regions, 2)

	r := regions[0]
	s.w.Transfer(r.ID, r.Peers[1].Store)
	require.Equal(t, r.Leader, s.ask(all).Regions[0].Leader)
	s.rest()
	require.Equal(t, r.Peers[1].ID, s.ask(all).Regions[0].Leader)
}

func TestStalePD(t *testing.T) {
	s := newStation(t, raw(Boring{}, FaultsOf(FaultStalePD)))
	for _, key := range []string{"c", "f", "i", "l", "o", "r"} {
		s.w.Split([]byte(key))
		s.rest()
	}
	all := ports.Query{Kind: ports.QueryRegions, Limit: 9}
	for age, want := range map[int]int{0: 7, 1: 6, 4: 3, 5: 3} {
		s.w.chooser = chosen{SiteStalePD: {age}}
		require.Len(t, s.ask(all).Regions, want, "age %d", age)
		s.w.chooser = chosen{SiteStalePD: {age}}
		fresh := all
		fresh.Fresh = true
		require.Len(t, s.ask(fresh).Regions, 7)
	}
}

func TestGapPD(t *testing.T) {
	s := newStation(t, raw(Boring{}, FaultsOf(FaultGapPD), "f", "m"))
	s.w.chooser = chosen{SiteGapPD: {1}, SiteOutage: {1}}
	ev := s.ask(ports.Query{Kind: ports.QueryRegions, Limit: 9})
	require.Len(t, ev.Regions, 2)
	require.Equal(t, "f", string(ev.Regions[0].Range.End))
	require.Equal(t, "m", string(ev.Regions[1].Range.Start))
	require.Len(t, s.ask(ports.Query{Kind: ports.QueryRegions, Limit: 9}).Regions, 3, "what PD knows is not harmed")
	s.w.chooser = chosen{SiteGapPD: {1}}
	require.Empty(t, s.ask(ports.Query{Kind: ports.QueryRegion, Key: []byte("a")}).Regions)
}

func TestSlowPD(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteOracleSlow: {1}, SiteOutage: {7}}, Faults: FaultsOf(FaultOracleSlow)})
	tok := s.tok()
	s.c.Timestamp(s.w.now.Add(10*time.Millisecond), tok, s)
	require.Equal(t, ports.CauseTimeout, s.await(tok.Gen).Cause.Kind)
	s.rest()
	require.Len(t, s.events[tok.Gen], 1)
}
