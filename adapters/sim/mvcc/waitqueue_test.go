package mvcc

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// queue is a WaitQueues with one key, seen through the transactions that wait.
type queue struct {
	WaitQueues
	now    ports.Instant
	alarms []Alarm
}

func (q *queue) push(starts ...ports.Timestamp) {
	for _, start := range starts {
		q.Push(Waiter{Token: uint64(start), Key: []byte("k"), StartTS: start})
	}
}

func startsOf(list []Waiter) []ports.Timestamp {
	var starts []ports.Timestamp
	for _, w := range list {
		starts = append(starts, w.StartTS)
	}
	return starts
}

func (q *queue) release(by ports.Timestamp) []ports.Timestamp {
	woken, alarm := q.Release(Release{Key: []byte("k"), StartTS: by}, q.now)
	if alarm.At != 0 {
		q.alarms = append(q.alarms, alarm)
	}
	return startsOf(woken)
}

// ring lets time pass until the alarm that was set first goes off, as often as it was put off.
func (q *queue) ring() ([]ports.Timestamp, Release) {
	a := q.alarms[0]
	q.alarms = q.alarms[1:]
	for {
		q.now = max(q.now, a.At)
		woken, last, again := q.Ring(a, q.now)
		if again.At == 0 {
			return startsOf(woken), last
		}
		a = again
	}
}

type starts = []ports.Timestamp

// The example of lock_waiting_queue.rs: KeyLockWaitState.
func TestThoseWhoComeLaterAreLeftAlone(t *testing.T) {
	q := &queue{now: 1}
	q.push(40, 20, 30)
	require.Equal(t, starts{20}, q.release(10), "whoever began first is first")
	q.push(60, 50)
	require.Equal(t, starts{20 + 10, 40, 50, 60}, startsOf(q.At([]byte("k"))))
	woken, last := q.ring()
	require.Equal(t, starts{30, 40}, woken)
	require.EqualValues(t, 10, last.StartTS)
	require.Equal(t, starts{50, 60}, startsOf(q.At([]byte("k"))))
	require.Equal(t, ports.Instant(1).Add(20*time.Millisecond), q.now)
	require.Equal(t, 2, q.Len())
}

// Of those that were there, nobody is told past one who came later and began earlier.
func TestWhoCameLaterShieldsTheRest(t *testing.T) {
	q := &queue{now: 1}
	q.push(20, 30)
	require.Equal(t, starts{20}, q.release(10))
	q.push(25)
	woken, _ := q.ring()
	require.Empty(t, woken)
	require.Equal(t, starts{25, 30}, startsOf(q.At([]byte("k"))))
}

// Every release puts the alarm off, and is the one that is told.
func TestAlarmIsPutOff(t *testing.T) {
	q := &queue{now: 1}
	q.push(20, 30, 40)
	q.release(10)
	q.now = q.now.Add(15 * time.Millisecond)
	require.Equal(t, starts{30}, q.release(11))
	require.Len(t, q.alarms, 1, "there is one already")
	woken, last := q.ring()
	require.Equal(t, starts{40}, woken)
	require.EqualValues(t, 11, last.StartTS)
	require.Equal(t, ports.Instant(1).Add(35*time.Millisecond), q.now)
}

// The alarm of a queue in which nobody was left is not that of the next.
func TestAlarmOfAnotherQueue(t *testing.T) {
	q := &queue{now: 1}
	q.push(20, 30)
	q.release(10)
	q.Remove([]byte("k"), 30)
	q.Remove([]byte("k"), 30)
	require.Zero(t, q.Len())
	q.push(20, 30)
	q.release(10)
	woken, _ := q.ring()
	require.Empty(t, woken)
	woken, _ = q.ring()
	require.Equal(t, starts{30}, woken)
	require.Empty(t, q.At([]byte("k")))
	require.Empty(t, q.release(12), "nobody waits")
	require.Empty(t, q.alarms)
}

// Who goes on by itself is woken alone and makes no alarm; an alarm ends with the first of them.
func TestResumableWaiters(t *testing.T) {
	q := &queue{now: 1}
	force := func(start ports.Timestamp) {
		q.Push(Waiter{Token: uint64(start), Key: []byte("k"), StartTS: start, Resumable: true})
	}
	force(20)
	q.push(30)
	require.Equal(t, starts{20}, q.release(10))
	require.Empty(t, q.alarms)
	force(40)
	q.push(50)
	require.Equal(t, starts{30}, q.release(10))
	woken, _ := q.ring()
	require.Equal(t, starts{40}, woken)
	require.Equal(t, starts{50}, startsOf(q.At([]byte("k"))))
}

// Those who would share the lock are woken together.
func TestSharedWaiters(t *testing.T) {
	q := &queue{now: 1}
	share := func(start ports.Timestamp) {
		q.Push(Waiter{Token: uint64(start), Key: []byte("k"), StartTS: start, Shared: true})
	}
	share(20)
	share(30)
	q.push(40)
	share(50)
	require.Equal(t, starts{20, 30}, q.release(10))
	require.Len(t, q.alarms, 1)
	require.Equal(t, starts{40}, q.release(10))
	require.Equal(t, starts{50}, q.release(10))
}

// line is the queue of a key in words: who waits, and who of them was there when another was told to begin again.
type line struct {
	waiters []Waiter
	heard   map[uint64]bool
	due     ports.Instant
	armed   bool
}

func (l *line) first() Waiter {
	return slices.MinFunc(l.waiters, func(a, b Waiter) int {
		if a.StartTS != b.StartTS {
			return int(a.StartTS) - int(b.StartTS)
		}
		return int(a.Token) - int(b.Token)
	})
}

func (l *line) take() Waiter {
	w := l.first()
	l.waiters = slices.DeleteFunc(l.waiters, func(o Waiter) bool { return o.Token == w.Token })
	return w
}

func (l *line) release(now ports.Instant) (tokens []uint64) {
	told := false
	for again := true; again && len(l.waiters) > 0; {
		w := l.take()
		tokens = append(tokens, w.Token)
		if !w.Resumable {
			told = true
			for _, o := range l.waiters {
				l.heard[o.Token] = true
			}
		}
		again = w.Shared && len(l.waiters) > 0 && l.first().Shared
	}
	if told && len(l.waiters) > 0 {
		l.due, l.armed = now.Add(WakeDelay), true
	}
	l.armed = l.armed && len(l.waiters) > 0
	return tokens
}

func (l *line) ring() (tokens []uint64) {
	l.armed = false
	for len(l.waiters) > 0 && l.heard[l.first().Token] {
		w := l.take()
		tokens = append(tokens, w.Token)
		if w.Resumable {
			break
		}
	}
	return tokens
}

func tokensOf(list []Waiter) []uint64 {
	var tokens []uint64
	for _, w := range list {
		tokens = append(tokens, w.Token)
	}
	return tokens
}

func TestWaitQueuesAgainstLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q WaitQueues
		l := &line{heard: map[uint64]bool{}}
		var alarms []Alarm
		now, token := ports.Instant(1), uint64(0)
		key := []byte("k")
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				token++
				w := Waiter{
					Token: token, Key: key, StartTS: ports.Timestamp(rapid.IntRange(1, 9).Draw(t, "start")),
					Resumable: rapid.Bool().Draw(t, "resumable"), Shared: rapid.Bool().Draw(t, "shared"),
				}
				q.Push(w)
				l.waiters = append(l.waiters, w)
			},
			"release": func(t *rapid.T) {
				woken, alarm := q.Release(Release{Key: key}, now)
				require.Equal(t, l.release(now), tokensOf(woken))
				if alarm.At != 0 {
					alarms = append(alarms, alarm)
				}
			},
			"remove": func(t *rapid.T) {
				token := uint64(rapid.IntRange(1, int(token)+1).Draw(t, "token"))
				q.Remove(key, token)
				l.waiters = slices.DeleteFunc(l.waiters, func(w Waiter) bool { return w.Token == token })
				l.armed = l.armed && len(l.waiters) > 0
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "ms")) * time.Millisecond)
				var woken []uint64
				for i := 0; i < len(alarms); i++ {
					if a := alarms[i]; a.At <= now {
						list, _, again := q.Ring(a, now)
						woken = append(woken, tokensOf(list)...)
						if again.At != 0 {
							alarms = append(alarms, again)
						}
						alarms = slices.Delete(alarms, i, i+1)
						i--
					}
				}
				if l.armed && l.due <= now {
					require.Equal(t, l.ring(), woken)
				} else {
					require.Empty(t, woken)
				}
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(l.waiters), q.Len())
				live := slices.ContainsFunc(alarms, func(a Alarm) bool { return a.At <= l.due })
				require.False(t, l.armed && !live, "nobody would hear of the release")
			},
		})
	})
}
