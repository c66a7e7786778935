package porttest

import (
	"testing"
	"time"

	"github.com/tikvx/tikvx/ports"
)

var timersContract = []clause[Host]{
	{"the clock never goes back", clockMonotone},
	{"each alarm is posted once, and not too early", alarms},
	{"an instant that has passed", alarmPassed},
	{"a sink may arm", armWithinPost},
}

func clockMonotone(t *testing.T, h Host) {
	last := h.Clock.Now()
	if last == 0 {
		t.Fatal("the zero instant means not set")
	}
	for range 1000 {
		now := h.Clock.Now()
		if now < last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
}

func alarms(t *testing.T, h Host) {
	const n = 100
	box := newInbox(t, h)
	now := h.Clock.Now()
	at := func(i int) ports.Instant { return now.Add(time.Duration(i*37%n) * time.Millisecond) }
	for i := range n {
		h.Clock.Arm(at(i), tok(i), box)
	}
	for i := range n {
		ev := box.awaitTok(tok(i))
		if ev.Kind != ports.EventTimer || ev.Now < at(i) {
			t.Fatalf("got %s %s early", kinds([]ports.Event{ev}), at(i).Sub(ev.Now))
		}
		if late := ev.Now.Sub(at(i)); late > time.Second {
			t.Fatalf("an alarm is %s late", late)
		}
	}
	pause(t, h, time.Millisecond)
	if got := len(box.all()); got != n {
		t.Fatalf("%d events of %d alarms", got, n)
	}
}

func alarmPassed(t *testing.T, h Host) {
	box := newInbox(t, h)
	h.Clock.Arm(h.Clock.Now().Add(-time.Second), tok(1), box)
	if ev := box.awaitTok(tok(1)); ev.Kind != ports.EventTimer {
		t.Fatalf("got %s", kinds([]ports.Event{ev}))
	}
	h.Clock.Arm(ports.Never, tok(2), box)
	pause(t, h, time.Millisecond)
	if len(box.answers(tok(2))) != 0 {
		t.Fatal("an alarm that never comes has come")
	}
}

func armWithinPost(t *testing.T, h Host) {
	const n = 5
	box := newInbox(t, h)
	box.then = func(ev ports.Event) {
		if next := int(ev.Tok.Gen) + 1; next < n {
			h.Clock.Arm(ev.Now.Add(time.Millisecond), tok(next), box)
		}
	}
	h.Clock.Arm(h.Clock.Now(), tok(0), box)
	for i := range n {
		box.awaitTok(tok(i))
	}
}
