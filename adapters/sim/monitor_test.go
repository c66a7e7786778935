package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// counter is a monitor that counts.
type counter struct {
	submitted, executed, answered, unanswered, asked, waits, probing, probed int
}

func (c *counter) Submitted(*Attempt)                                 { c.submitted++ }
func (c *counter) Executed(*ports.Header, ports.Request, ports.Reply) { c.executed++ }
func (c *counter) Answered(*Attempt, ports.Reply)                     { c.answered++ }
func (c *counter) Unanswered(a *Attempt, cause ports.CauseKind) {
	if cause == ports.CauseTimeout && a.Sent < a.Deadline {
		c.unanswered++
	}
}
func (c *counter) Probing(*Client, ports.Endpoint) { c.probing++ }
func (c *counter) Probed(_ *Client, _ ports.Endpoint, cause ports.CauseKind) {
	if cause == ports.CauseNone {
		c.probed++
	}
}
func (c *counter) Asked(client *Client, query *ports.Query) {
	c.asked++
	if client.Waits(query) {
		c.waits++
	}
}

func TestMonitorSeesEverything(t *testing.T) {
	s := newStation(t, Config{})
	seen := &counter{}
	s.w.Watch(seen)
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	deadline := s.w.Now().Add(time.Minute)
	s.c.Submit(to, &hdr, &ports.GetRequest{Key: []byte("k"), TS: 1}, deadline, s.tok(), s)
	hdr.Region.Epoch.Version++ // refused before it is executed
	s.c.Submit(to, &hdr, &ports.GetRequest{Key: []byte("k"), TS: 1}, deadline, s.tok(), s)
	s.c.Timestamp(deadline, s.tok(), s)
	where := &ports.Query{Kind: ports.QueryRegion}
	s.c.Ask(where, deadline, s.tok(), s) // a question for a timestamp is not this one
	s.c.Ask(where, deadline, s.tok(), s)
	s.c.Ask(&ports.Query{Kind: ports.QueryRegion, Key: []byte("k")}, deadline, s.tok(), s)
	require.Equal(t, 6, s.c.Pending())
	s.w.Run(deadline, func() bool { return s.c.Pending() == 0 })
	require.Zero(t, s.c.Pending())
	s.c.Timestamp(deadline, s.tok(), s) // of what was asked before nothing is left
	s.c.Ask(where, deadline, s.tok(), s)
	s.c.Probe(to, deadline, s.tok(), s)
	s.c.Submit(to, &hdr, &ports.GetRequest{Key: []byte("k"), TS: 1}, s.w.Now()+1, s.tok(), s)
	s.w.Run(deadline, func() bool { return s.c.Pending() == 0 })
	require.Equal(t, &counter{
		submitted: 3, executed: 1, answered: 2, unanswered: 1, asked: 4, waits: 1, probing: 1, probed: 1,
	}, seen)
	require.NotZero(t, s.w.Allocated())
	require.Nil(t, s.w.Lock([]byte("k")))
	s.w.Engine().PutLock([]byte("k"), mvcc.Lock{StartTS: 7})
	require.Equal(t, ports.Timestamp(7), s.w.Lock([]byte("k")).StartTS)
	require.False(t, s.c.Crashed())
	s.c.Crash()
	require.True(t, s.c.Crashed())
	require.Equal(t, "c", s.c.Name())
}
