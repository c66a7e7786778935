package sim

import (
	"errors"
	"iter"
	"time"
)

// Task runs ordinary blocking code inside the world, on a coroutine: whenever the code has to wait, the task is parked
// and the world goes on. Only one task runs at a time, in an order that the world decides, so that runs repeat.
type Task struct {
	world *World
	name  string
	place int
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	// due: a resumption is on the agenda, or the task was unparked while it ran.
	due, parked, abandoned, done bool
}

// errStopped unwinds a task whose world was closed.
var errStopped = errors.New("sim: the world was closed")

// Go starts f as a task, as an event at the present instant. The names of tasks appear in traces.
func (w *World) Go(name string, f func(t *Task)) *Task {
	t := &Task{world: w, name: name, place: len(w.tasks), parked: true}
	w.tasks = append(w.tasks, t)
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			if r := recover(); r != nil && r != errStopped {
				panic(r)
			}
		}()
		f(t)
	})
	t.Unpark()
	return t
}

// resume runs a task until it parks or returns.
func (w *World) resume(t *Task) {
	if t.done || t.abandoned {
		return
	}
	w.note(noteTask, uint64(t.place), 0, 0)
	t.due, t.parked = false, false
	before := w.running
	w.running = t
	_, alive := t.next()
	w.running = before
	if !alive {
		t.end()
	}
}

// end takes a task off the world's list.
func (t *Task) end() {
	t.done = true
	tasks := t.world.tasks
	last := len(tasks) - 1
	tasks[t.place] = tasks[last]
	tasks[t.place].place = t.place
	tasks[last] = nil
	t.world.tasks = tasks[:last]
}

// Current returns the task that runs now, nil outside tasks.
func (w *World) Current() *Task { return w.running }

// Park suspends the task until Unpark. Called by the task itself; when the world is closed meanwhile, Park does not
// return: it unwinds the task with a panic that [World.Go] catches.
func (t *Task) Park() {
	if t.due {
		t.due = false
		return
	}
	t.parked = true
	if !t.yield(struct{}{}) {
		panic(errStopped)
	}
}

// Unpark lets a parked task go on, as an event of its own at the present instant. Unparking a task that runs makes its
// next Park return at once; more than once is once.
func (t *Task) Unpark() {
	if t.due || t.done {
		return
	}
	t.due = true
	if t.parked {
		h := t.world.agenda.add(t.world.now)
		h.kind, h.task = happenTask, t
	}
}

// Sleep parks the task for a time.
func (t *Task) Sleep(d time.Duration) {
	over := false
	t.world.After(t.world.now.Add(d), func() {
		over = true
		t.Unpark()
	})
	for !over {
		t.Park()
	}
}

// Abandon never resumes the task again: its process has crashed. It is unwound when the world is closed.
func (t *Task) Abandon() { t.abandoned = true }

// Done reports whether the task has returned.
func (t *Task) Done() bool { return t.done }

// Name returns the task's name.
func (t *Task) Name() string { return t.name }

// Close unwinds all tasks. Nothing of the world may be used afterwards.
func (w *World) Close() {
	for len(w.tasks) > 0 {
		t := w.tasks[len(w.tasks)-1]
		before := w.running
		w.running = t
		t.stop()
		w.running = before
		t.end()
	}
}
