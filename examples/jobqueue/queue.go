// Package jobqueue is a small application: a queue of jobs in TiKV that any number of workers empty together. Each job
// is done by one worker, once, whatever becomes of messages, stores and regions meanwhile.
//
// It exists to be tested: queue_test.go does so on a simulated cluster, and bugs_test.go shows that the tests would
// notice if the queue were wrong.
package jobqueue

import (
	"context"
	"errors"
	"iter"

	"github.com/tikvx/tikvx"
)

// What is stored: every job that ever was, the names of those that wait, for each worker the job that it has, and who
// did what.
const (
	jobPrefix     = "job/"
	pendingPrefix = "pending/"
	claimPrefix   = "claim/"
	donePrefix    = "done/"
)

// Job is something to do. Neither field may be empty.
type Job struct {
	ID      string
	Payload []byte
}

// Queue is a queue of jobs. Safe for concurrent use.
type Queue struct{ db *tikvx.Client }

// New returns the queue that lives in a cluster.
func New(db *tikvx.Client) *Queue { return &Queue{db} }

// Add puts a job into the queue, unless one with its ID was added before: an Add with an unknown outcome can be
// repeated.
func (q *Queue) Add(ctx context.Context, job Job) error {
	err := q.db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
		return errors.Join(
			tx.Insert([]byte(jobPrefix+job.ID), job.Payload),
			tx.Put([]byte(pendingPrefix+job.ID), []byte(job.ID)),
		)
	})
	if errors.Is(err, tikvx.ErrKeyExists) {
		return nil
	}
	return err
}

// Claim gives a job to a worker, or the one that it has already: after a claim with an unknown outcome, or a crash, the
// worker asks again and is told. It returns false when no job is left.
func (q *Queue) Claim(ctx context.Context, worker string) (job Job, ok bool, err error) {
	err = q.db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		if job, ok, err = claimed(ctx, tx, worker); ok || err != nil {
			return err
		}
		if job, ok, err = first(ctx, tx); !ok || err != nil {
			return err
		}
		return take(tx, worker, job)
	})
	return job, ok && err == nil, err
}

// Finish notes that a worker has done its job. It can be repeated.
func (q *Queue) Finish(ctx context.Context, worker string, job Job) error {
	return q.db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		if has, ok, err := claimed(ctx, tx, worker); !ok || err != nil || has.ID != job.ID {
			return err
		}
		return errors.Join(tx.Delete([]byte(claimPrefix+worker)), tx.Put([]byte(donePrefix+job.ID), []byte(worker)))
	})
}

// Count tells how many jobs wait, are claimed, and are done.
func (q *Queue) Count(ctx context.Context) (pending, claimed, done int, err error) {
	err = q.db.View(ctx, func(ctx context.Context, s *tikvx.Snapshot) error {
		var errs [3]error
		pending, errs[0] = count(ctx, s, pendingPrefix)
		claimed, errs[1] = count(ctx, s, claimPrefix)
		done, errs[2] = count(ctx, s, donePrefix)
		return errors.Join(errs[:]...)
	})
	return pending, claimed, done, err
}

// take moves a job from those that wait to a worker.
func take(tx *tikvx.Txn, worker string, job Job) error {
	return errors.Join(tx.Delete([]byte(pendingPrefix+job.ID)), tx.Put([]byte(claimPrefix+worker), []byte(job.ID)))
}

// reader is a transaction or a snapshot.
type reader interface {
	Get(ctx context.Context, key []byte) ([]byte, error)
	Scan(ctx context.Context, opts ...tikvx.ScanOption) iter.Seq2[tikvx.KV, error]
}

// claimed returns the job that a worker has.
func claimed(ctx context.Context, r reader, worker string) (Job, bool, error) {
	id, err := r.Get(ctx, []byte(claimPrefix+worker))
	if errors.Is(err, tikvx.ErrNotFound) {
		return Job{}, false, nil
	}
	if err != nil {
		return Job{}, false, err
	}
	return job(ctx, r, string(id))
}

// first returns the first job that waits.
func first(ctx context.Context, r reader) (Job, bool, error) {
	for kv, err := range r.Scan(ctx, tikvx.Prefix([]byte(pendingPrefix)), tikvx.Limit(1)) {
		if err != nil {
			return Job{}, false, err
		}
		return job(ctx, r, string(kv.Value))
	}
	return Job{}, false, nil
}

// job returns a job that must be there.
func job(ctx context.Context, r reader, id string) (Job, bool, error) {
	payload, err := r.Get(ctx, []byte(jobPrefix+id))
	return Job{ID: id, Payload: payload}, err == nil, err
}

func count(ctx context.Context, r reader, prefix string) (n int, err error) {
	for _, err := range r.Scan(ctx, tikvx.Prefix([]byte(prefix))) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
