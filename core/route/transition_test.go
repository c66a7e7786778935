package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// bench steps a machine and knows which of its effects have not been answered.
type bench struct {
	m    sm.Machine
	env  sm.Env
	now  ports.Instant
	out  sm.Effects
	open map[uint32]sm.EffectKind
}

func newBench(m sm.Machine) *bench {
	knobs := sm.DefaultKnobs()
	b := &bench{m: m, open: map[uint32]sm.EffectKind{}, now: ports.Instant(time.Second)}
	b.env = sm.Env{
		Knobs: &knobs, Rand: sm.NewRand(1), Codec: key.Codec{Mode: key.Raw},
		Regions: smtest.Regions{}, Stores: smtest.Up(1, 2, 3),
	}
	return b
}

// feed steps the machine.
func (b *bench) feed(ev ports.Event) {
	if kind, ok := b.open[ev.Tok.Gen]; ok && answers(ev.Kind, kind) {
		delete(b.open, ev.Tok.Gen)
	}
	ev.Now = b.now
	b.out.Reset()
	b.m.Step(&b.env, &ev, &b.out)
	for _, e := range b.out.List {
		if e.Tok.Gen != 0 {
			b.open[e.Tok.Gen] = e.Kind
		}
	}
}

// answers reports whether an event can be the answer to an effect.
func answers(ev ports.EventKind, effect sm.EffectKind) bool {
	switch ev {
	case ports.EventReply, ports.EventLost, ports.EventUnsent:
		return effect == sm.EffectSend
	case ports.EventTimer:
		return effect == sm.EffectArm
	case ports.EventPlaced, ports.EventRefused:
		return effect == sm.EffectQuery
	case ports.EventProbed:
		return effect == sm.EffectProbe
	case ports.EventTell:
		return effect == sm.EffectAsk
	default:
		return false
	}
}

// last returns the newest token that was handed out.
func (b *bench) last() ports.Tok {
	var tok ports.Tok
	for _, e := range b.out.List {
		if e.Tok.Gen != 0 {
			tok = e.Tok
		}
	}
	return tok
}

func (b *bench) sum() uint64 {
	h := sm.NewHash()
	h.Raw = true
	b.m.Fingerprint(h)
	return h.Sum()
}

// everyEvent lists an event of every kind, with every cause and content that makes
// a difference, nothing at all among them.
func everyEvent(tok ports.Tok) []ports.Event {
	var list []ports.Event
	for kind := range ports.EventKind(ports.EventKinds) {
		list = append(list, ports.Event{Kind: kind, Tok: tok})
		switch kind {
		case ports.EventLost, ports.EventUnsent, ports.EventTell, ports.EventRefused, ports.EventProbed:
			for cause := ports.CauseTimeout; cause <= ports.CauseHung; cause++ {
				list = append(list, ports.Event{Kind: kind, Tok: tok, Cause: ports.Cause{Kind: cause}})
			}
		case ports.EventReply:
			list = append(list, ports.Event{Kind: kind, Tok: tok, Reply: &ports.GetReply{}})
			for fault := range ports.FaultKind(ports.FaultKinds) {
				list = append(list, ports.Event{Kind: kind, Tok: tok, Reply: &ports.GetReply{
					ReplyHeader: ports.ReplyHeader{Fault: &ports.RegionFault{Kind: fault}}}})
			}
		case ports.EventAsk:
			for ask := ports.AskRegion; ask <= ports.AskStore; ask++ {
				list = append(list, ports.Event{Kind: kind, Ask: &ports.Ask{Kind: ask}},
					ports.Event{Kind: kind, Ask: &ports.Ask{Kind: ask, Store: 7, Key: []byte("k"), Deadline: ports.Never}})
			}
		case ports.EventLearn:
			for fact := range ports.FactKind(ports.FactKinds) {
				list = append(list, ports.Event{Kind: kind, Fact: &ports.Fact{Kind: fact}},
					ports.Event{Kind: kind, Fact: &ports.Fact{Kind: fact, Store: 1, Key: []byte("k"),
						Region: parse("2:1.1 [a,z)").RegionVersion, Peer: ports.Peer{ID: 22, Store: 2},
						Regions: []ports.Region{parse("2:2.1 [a,z) 21@1")}}})
			}
		case ports.EventPlaced:
			list = append(list,
				ports.Event{Kind: kind, Tok: tok, Regions: []ports.Region{parse("2:1.1 [a,z) 21@1*")}},
				ports.Event{Kind: kind, Tok: tok, Regions: []ports.Region{{}, parse("9:1.1 [x,c)"), parse("9:1.1 [,)")}},
				ports.Event{Kind: kind, Tok: tok, Stores: []ports.Store{{}, {ID: 1}, storeMeta(7)}},
				ports.Event{Kind: kind, Tok: tok, Stores: []ports.Store{storeMeta(1)}},
				ports.Event{Kind: kind, Tok: tok, Stores: []ports.Store{{ID: 1, State: ports.StoreTombstone}}})
		case ports.EventSweep:
			list = append(list, ports.Event{Kind: kind, Marks: []uint64{^uint64(0), 1}})
		default:
		}
	}
	return list
}

func describe(ev *ports.Event) string {
	return fmt.Sprintf("event %d cause %d %s%s%s", ev.Kind, ev.Cause.Kind,
		smtest.Value(ev.Reply), smtest.Value(ev.Ask), smtest.Value(ev.Fact))
}

// callIn brings a call into each of its states.
func callIn(state callState) *bench {
	p := &parent{spec: Spec{Key: []byte("k"), Deadline: ports.Instant(time.Minute), Timeout: time.Second}}
	b := newBench(p)
	regions := smtest.Regions{smtest.Entry("2:1.1 [a,z) 21@1* 22@2 23@3")}
	start := ports.Event{Kind: ports.EventStart}
	switch state {
	case callIdle:
	case callLocating:
		b.feed(start)
	case callResolving:
		b.env.Regions, b.env.Stores = regions, smtest.Stores{}
		b.feed(start)
	case callReady:
		b.env.Regions = regions
		b.env.Enter(1)
		p.call.Start(&b.env, b.now, p.spec, &b.out)
		b.env.Leave()
	case callSending:
		b.env.Regions = regions
		b.feed(start)
	case callPausing:
		b.env.Regions = regions
		b.feed(start)
		b.feed(ports.Event{Kind: ports.EventReply, Tok: b.last(), Reply: &ports.GetReply{
			ReplyHeader: ports.ReplyHeader{Fault: &ports.RegionFault{Kind: ports.FaultNotLeader}}}})
	case callFinished:
		b.env.Regions = regions
		b.feed(start)
		b.feed(ports.Event{Kind: ports.EventCancel})
	}
	return b
}

// TestCallTransitions feeds every event to a call in every state. Whatever comes, the
// call ends or waits for something that is under way.
func TestCallTransitions(t *testing.T) {
	for state := callIdle; state <= callFinished; state++ {
		for i := range everyEvent(ports.Tok{}) {
			b := callIn(state)
			p := b.m.(*parent)
			require.Equal(t, state, p.call.state)
			require.Equal(t, state == callSending, p.call.Sending())
			ev := everyEvent(b.last())[i]
			if ev.Kind == ports.EventStart && state != callIdle {
				continue
			}
			name := fmt.Sprintf("%s: %s", callStates[state], describe(&ev))
			before, awaited := b.sum(), p.call.wait
			b.feed(ev)
			switch p.call.State() {
			case Idle:
				require.Equal(t, before, b.sum(), name)
			case Ready:
				require.Fail(t, "not sent", name)
			case Waiting:
				require.Contains(t, b.open, p.call.wait, "%s: nothing is under way", name)
			case Finished:
				require.Zero(t, p.call.wait, name)
			}
			if state == callSending && (ev.Kind == ports.EventLost || ev.Kind == ports.EventReply && ev.Reply == nil) {
				require.True(t, p.call.MayBeApplied(), "%s: nobody knows", name)
			}
			if awaited != 0 && ev.Kind != ports.EventCancel && p.call.wait == awaited {
				require.Equal(t, before, b.sum(), "%s: changed, but waits as before", name)
			}
			require.NotEmpty(t, p.call.String())
		}
	}
}

// TestCallIgnoresStrangers feeds answers to other waits than the present one.
func TestCallIgnoresStrangers(t *testing.T) {
	for state := callIdle; state <= callFinished; state++ {
		b := callIn(state)
		b.m = &b.m.(*parent).call
		before := b.sum()
		for _, tok := range []ports.Tok{{}, {Gen: 99}, {Addr: 1, Gen: 99}} {
			for _, ev := range everyEvent(tok) {
				if ev.Kind == ports.EventCancel || ev.Kind == ports.EventStart {
					continue
				}
				b.feed(ev)
				require.Equal(t, before, b.sum(), "%s: %s", callStates[state], describe(&ev))
				require.Empty(t, b.out.List)
			}
		}
	}
}

// TestCallCancel ends a call in any state; only what is in flight may be applied.
func TestCallCancel(t *testing.T) {
	for state := callIdle; state <= callFinished; state++ {
		b := callIn(state)
		c := &b.m.(*parent).call
		b.out.Reset()
		c.Step(&b.env, &ports.Event{Kind: ports.EventCancel}, &b.out)
		require.Empty(t, b.out.List, "it says nothing about region and store")
		if state == callIdle {
			require.Equal(t, Idle, c.State())
			continue
		}
		require.Equal(t, Finished, c.State())
		require.True(t, c.Done())
		require.Equal(t, sm.FailCancelled, c.Result().Failure.Code)
		require.Equal(t, state == callSending || state == callFinished, c.MayBeApplied(), callStates[state])
	}
}

// TestCallMisuse: what a parent must not do has no effect.
func TestCallMisuse(t *testing.T) {
	for _, state := range []callState{callIdle, callLocating, callSending, callPausing, callFinished} {
		b := callIn(state)
		c := &b.m.(*parent).call
		before := b.sum()
		b.out.Reset()
		c.Send(&b.env, b.now, &ports.GetRequest{}, &b.out)
		c.Again(&b.env, b.now, &b.out)
		c.Pause(&b.env, b.now, 0, 0, &b.out)
		require.Equal(t, before, b.sum(), callStates[state])
		require.Empty(t, b.out.List)
	}
	var c Call
	c.state = callFinished + 1
	require.Equal(t, Idle, c.State())
}
