package simtest

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// patience is the real time after which a run that makes no progress is taken to hang for ever.
const patience = time.Minute

// watchdog looks, in real time, after a run whose own time stands still. A goroutine that waits for a mutex does not
// count as blocked in a bubble, so that a task which holds one while it waits for the cluster stops everything: the
// answer for which it waits would come only when all others are blocked.
type watchdog struct {
	progress atomic.Uint64
	quit     chan struct{}
	ended    sync.WaitGroup
}

func watch(name string) *watchdog {
	return watchWith(patience, func(stacks string) {
		panic(fmt.Sprintf("simtest: %s makes no progress. Is a mutex held across a call of the client, "+
			"or does something wait for the network?\n\n%s", name, stacks))
	})
}

func watchWith(patience time.Duration, bark func(stacks string)) *watchdog {
	d := &watchdog{quit: make(chan struct{})}
	d.ended.Go(func() {
		ticker := time.NewTicker(patience)
		defer ticker.Stop()
		for last := uint64(0); ; {
			select {
			case <-d.quit:
				return
			case <-ticker.C:
			}
			if now := d.progress.Load(); now != last {
				last = now
				continue
			}
			buf := make([]byte, 1<<20)
			bark(string(buf[:runtime.Stack(buf, true)]))
			return
		}
	})
	return d
}

func (d *watchdog) stop() {
	close(d.quit)
	d.ended.Wait()
}
