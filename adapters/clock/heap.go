package clock

import "github.com/tikvx/tikvx/ports"

// alarm is one armed timer.
type alarm struct {
	at   ports.Instant
	tok  ports.Tok
	sink ports.Sink
}

// heap holds alarms, the earliest first. Unlike container/heap it holds them by value.
type heap []alarm

func (h *heap) push(a alarm) {
	*h = append(*h, a)
	list := *h
	i := len(list) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if list[parent].at <= a.at {
			break
		}
		list[i] = list[parent]
		i = parent
	}
	list[i] = a
}

func (h *heap) pop() alarm {
	list := *h
	first, last := list[0], list[len(list)-1]
	list[len(list)-1] = alarm{}
	list = list[:len(list)-1]
	*h = list
	if len(list) == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(list) {
			break
		}
		if child+1 < len(list) && list[child+1].at < list[child].at {
			child++
		}
		if last.at <= list[child].at {
			break
		}
		list[i] = list[child]
		i = child
	}
	list[i] = last
	return first
}
