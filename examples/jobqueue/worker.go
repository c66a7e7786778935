package jobqueue

import (
	"context"
	"time"
)

const (
	// callTimeout bounds one attempt to claim or to finish a job, pause is the time between two.
	callTimeout = time.Second
	pause       = 50 * time.Millisecond
)

// source is what a worker needs of a queue.
type source interface {
	Claim(ctx context.Context, worker string) (Job, bool, error)
	Finish(ctx context.Context, worker string, job Job) error
}

// Work lets a worker claim and do jobs until none is left or ctx ends. What fails is tried again: claims and finishes
// with unknown outcomes can be repeated, so that nothing has to be found out about them. The names of workers that work
// at the same time differ; one that comes back after a crash does the job that it had first.
func Work(ctx context.Context, queue source, worker string, do func(Job)) error {
	for {
		var job Job
		var ok bool
		err := insist(ctx, func(ctx context.Context) (err error) {
			job, ok, err = queue.Claim(ctx, worker)
			return err
		})
		if err != nil || !ok {
			return err
		}
		do(job)
		err = insist(ctx, func(ctx context.Context) error { return queue.Finish(ctx, worker, job) })
		if err != nil {
			return err
		}
	}
}

// insist tries until it succeeds or ctx ends.
func insist(ctx context.Context, try func(context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		err := try(bounded)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
