package sim

import "time"

// Task runs ordinary blocking code inside the world, on a coroutine: whenever the code has to wait, the task is parked
// and the world goes on. Only one task runs at a time, in an order that the world decides, so that runs repeat.
type Task struct {
	world *World
	name  string
}

// Go starts f as a task, as an event at the present instant. The names of tasks appear in traces.
func (w *World) Go(name string, f func(t *Task)) *Task { return &Task{world: w, name: name} }

// Current returns the task that runs now, nil outside tasks.
func (w *World) Current() *Task { return nil }

// Park suspends the task until Unpark. Called by the task itself; when the world is closed meanwhile, Park does not
// return: it unwinds the task with a panic that [World.Go] catches.
func (t *Task) Park() {}

// Unpark lets a parked task go on, as an event of its own at the present instant. Unparking a task that runs makes its
// next Park return at once; more than once is once.
func (t *Task) Unpark() {}

// Sleep parks the task for a time.
func (t *Task) Sleep(d time.Duration) {}

// Done reports whether the task has returned.
func (t *Task) Done() bool { return false }

// Name returns the task's name.
func (t *Task) Name() string { return t.name }
