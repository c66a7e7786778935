package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// journal writes down what an observer is told, and tells the client's own
// observer.
type journal struct {
	logger *slog.Logger
	next   ports.Observer
}

// watcher returns who is told about a client with these settings; nil when nobody
// wants to know.
func (s *clientSettings) watcher() ports.Observer {
	if s.logger == nil {
		return s.observer
	}
	return journal{s.logger, s.observer}
}

// troubled returns who is told what commits met after they had answered; nil when
// nobody wants to know. It is a warning: the locks that were left behind hold up
// whoever meets them first.
func (s *clientSettings) troubled() func(*sm.Failure) {
	if s.logger == nil {
		return nil
	}
	j := journal{logger: s.logger}
	return func(f *sm.Failure) {
		if j.wants(slog.LevelWarn) {
			why := failed(context.Background(), "clean up", NotApplied, nil, f)
			j.log(slog.LevelWarn, "locks left behind", slog.String("why", why.Error()))
		}
	}
}

// OnAttempt implements [ports.Observer]. What a region served is not logged.
func (j journal) OnAttempt(a ports.Attempt) {
	if j.next != nil {
		j.next.OnAttempt(a)
	}
	if a.Fault == ports.FaultNone && a.Cause == ports.CauseNone || !j.wants(slog.LevelDebug) {
		return
	}
	why := causeText(a.Cause)
	if a.Fault != ports.FaultNone {
		why = faultText(a.Fault)
	}
	j.log(slog.LevelDebug, "attempt failed", slog.Uint64("store", uint64(a.Store)),
		slog.Uint64("region", uint64(a.Region)), slog.String("why", why), slog.Duration("elapsed", a.Elapsed))
}

// OnBackoff implements [ports.Observer].
func (j journal) OnBackoff(kind string, wait time.Duration) {
	if j.next != nil {
		j.next.OnBackoff(kind, wait)
	}
	if j.wants(slog.LevelDebug) {
		j.log(slog.LevelDebug, "backoff", slog.String("kind", kind), slog.Duration("wait", wait))
	}
}

// OnRegionLoad implements [ports.Observer].
func (j journal) OnRegionLoad(regions int, elapsed time.Duration) {
	if j.next != nil {
		j.next.OnRegionLoad(regions, elapsed)
	}
	if j.wants(slog.LevelDebug) {
		j.log(slog.LevelDebug, "regions loaded", slog.Int("regions", regions), slog.Duration("elapsed", elapsed))
	}
}

// OnCommit implements [ports.Observer]. An unknown outcome is a warning: somebody
// has to find out.
func (j journal) OnCommit(outcome string, keys int, elapsed time.Duration) {
	if j.next != nil {
		j.next.OnCommit(outcome, keys, elapsed)
	}
	level := slog.LevelDebug
	if outcome == Unknown.String() {
		level = slog.LevelWarn
	}
	if j.wants(level) {
		j.log(level, "commit", slog.String("outcome", outcome), slog.Int("keys", keys), slog.Duration("elapsed", elapsed))
	}
}

func (j journal) wants(level slog.Level) bool { return j.logger.Enabled(context.Background(), level) }

func (j journal) log(level slog.Level, text string, attrs ...slog.Attr) {
	j.logger.LogAttrs(context.Background(), level, text, attrs...)
}
