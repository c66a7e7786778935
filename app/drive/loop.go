package drive

import "sync"

// loop steps hosted operations, one after the other. In production it is a
// goroutine; on a direct host whoever adds to an idle loop runs it.
type loop struct {
	driver *Driver
	direct bool
	wake   chan struct{}

	mu    sync.Mutex
	queue []*operation
	// running is used by direct loops: what is added meanwhile waits for its turn.
	running bool
}

func newLoop(d *Driver) *loop {
	return &loop{driver: d, direct: d.cfg.Host.Direct, wake: make(chan struct{}, 1)}
}

// add lets the loop visit an operation. It blocks for nobody's step.
func (l *loop) add(o *operation) {
	l.mu.Lock()
	l.queue = append(l.queue, o)
	run := l.direct && !l.running
	l.running = l.running || run
	l.mu.Unlock()
	switch {
	case run:
		l.round(nil)
	case !l.direct:
		l.signal()
	}
}

func (l *loop) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run is the goroutine. It ends after the driver has been aborted.
func (l *loop) run(done *sync.WaitGroup) {
	defer done.Done()
	var spare []*operation
	for range l.wake {
		spare = l.round(spare)
		if l.driver.aborted.Load() {
			return
		}
	}
}

// round visits operations until the queue is empty; spare is memory to use.
func (l *loop) round(spare []*operation) []*operation {
	for {
		l.mu.Lock()
		visits := l.queue
		l.queue = spare[:0]
		l.running = l.direct && len(visits) > 0
		l.mu.Unlock()
		if len(visits) == 0 {
			return visits
		}
		for i, o := range visits {
			visits[i] = nil
			if !l.driver.aborted.Load() {
				o.turn()
			}
		}
		spare = visits
	}
}
