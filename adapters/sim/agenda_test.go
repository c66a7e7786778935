package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// The agenda is held against a list: the earliest first, and of those the one that was added first.
func TestAgendaAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a agenda
		var list []slot
		now := ports.Instant(1e6)
		at := rapid.OneOf(rapid.Int64Range(-1000, 1000), rapid.Int64Range(0, 3e6), rapid.Int64Range(0, 2e9),
			rapid.Just(int64(ports.Never)))
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				when := now.Add(time.Duration(at.Draw(t, "at")))
				a.add(when).incarnation = a.sequence
				list = append(list, slot{at: when, order: a.sequence})
			},
			"pop": func(t *rapid.T) {
				next, ok := a.next()
				require.Equal(t, len(list) > 0, ok)
				require.Equal(t, ok, !a.empty())
				if !ok {
					require.Equal(t, ports.Never, next)
					return
				}
				first := 0
				for i := range list {
					if list[i].before(&list[first]) {
						first = i
					}
				}
				h, s := a.pop()
				require.Equal(t, list[first].at, next)
				require.Equal(t, list[first].at, s.at)
				require.Equal(t, list[first].order, h.incarnation)
				a.release(s)
				now, list = max(now, next), slices.Delete(list, first, first+1)
			},
		})
	})
}

// BenchmarkAgenda adds a message and a timer that is far away for each message that happens.
func BenchmarkAgenda(b *testing.B) {
	var a agenda
	now := ports.Instant(0)
	for range 64 {
		a.add(now)
	}
	b.ReportAllocs()
	for i := range b.N {
		now, _ = a.next()
		_, s := a.pop()
		a.release(s)
		a.add(now.Add(time.Duration(i%16+1) * time.Microsecond * 50))
		if i%16 == 0 {
			a.add(now.Add(3 * time.Second))
		}
	}
}
