// SPDX-License-Identifier: Apache-2.0

// The flushers: one makes the log durable, on a timer (ASYNC_FLUSH) or as soon as
// somebody waits (SYNC_FLUSH: all who wait share one sync); the other queues and
// index, and records in the checkpoint how far all that is. Java:
// FlushRealTimeService, GroupCommitService, FlushConsumeQueueService.

package store

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

const osPageBytes = 4096

// flushWaiters are the callers of AwaitFlush.
type flushWaiters struct {
	mu   sync.Mutex
	list []*flushWaiter
	idle []*flushWaiter // used again: most wait for one sync only
}

// flushWaiter is what one caller waits with.
type flushWaiter struct {
	end     int64
	listed  bool
	done    chan error // holds one; empty when idle
	timeout clockwork.Timer
}

func (w *flushWaiters) add(end int64, clock clockwork.Clock, timeout time.Duration) *flushWaiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	var x *flushWaiter
	if n := len(w.idle); n > 0 {
		x, w.idle = w.idle[n-1], w.idle[:n-1]
		x.timeout.Reset(timeout)
	} else {
		x = &flushWaiter{done: make(chan error, 1), timeout: clock.NewTimer(timeout)}
	}
	x.end, x.listed = end, true
	w.list = append(w.list, x)
	return x
}

// drop ends a wait, whether it was answered or not.
func (w *flushWaiters) drop(x *flushWaiter) {
	if !x.timeout.Stop() {
		select {
		case <-x.timeout.Chan():
		default:
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.listed {
		i := slices.Index(w.list, x)
		w.list = slices.Delete(w.list, i, i+1)
	}
	select {
	case <-x.done: //nolint:errcheck // an answer that nobody waits for any more
	default:
	}
	w.idle = append(w.idle, x)
}

// wake answers those whose bytes are durable, or with an error everyone.
func (w *flushWaiters) wake(flushed int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.list[:0]
	for _, x := range w.list {
		if err == nil && x.end > flushed {
			kept = append(kept, x)
			continue
		}
		x.listed = false
		x.done <- err
	}
	clear(w.list[len(kept):])
	w.list = kept
}

func ms(n int) time.Duration { return time.Duration(max(n, 1)) * time.Millisecond }

// runLogFlusher syncs the log when somebody waits for it, when
// flushCommitLogLeastPages are dirty, and in any case each thorough interval.
func (s *Store) runLogFlusher(ctx context.Context) error {
	cfg := s.config()
	tick := s.deps.Clock.NewTicker(ms(cfg.FlushIntervalCommitLog))
	defer tick.Stop()
	thorough := thorough{lastMs: s.nowMs()}
	for {
		select {
		case <-ctx.Done():
			return s.flushLog()
		case <-s.flushKick:
			runtime.Gosched() // who is about to append shares the sync
			s.tellFlush(s.flushLog(), false)
		case <-tick.Chan():
			if least := thorough.least(s.nowMs(), cfg.FlushCommitLogThoroughInterval, cfg.FlushCommitLogLeastPages); s.unflushed() >= least {
				s.tellFlush(s.flushLog(), false)
			}
		}
		if now := s.config(); now != cfg {
			cfg = now
			tick.Reset(ms(cfg.FlushIntervalCommitLog))
		}
	}
}

// runQueueFlusher does the same for queues, index and checkpoint. It has a
// goroutine of its own because that can take seconds when there are very many
// queues, and who waits for the log must not wait for them.
func (s *Store) runQueueFlusher(ctx context.Context) error {
	cfg := s.config()
	tick := s.deps.Clock.NewTicker(ms(cfg.FlushIntervalConsumeQueue))
	defer tick.Stop()
	thorough := thorough{lastMs: s.nowMs()}
	for {
		select {
		case <-ctx.Done():
			return s.flushAll()
		case <-tick.Chan():
		}
		least := thorough.least(s.nowMs(), cfg.FlushConsumeQueueThoroughInterval, cfg.FlushConsumeQueueLeastPages)
		err := s.flushQueues(least)
		if err == nil {
			err = s.saveCheckpoint()
		}
		if least == 0 && err == nil {
			err = s.queues.opened.sweep()
		}
		s.tellFlush(err, true)
		if now := s.config(); now != cfg {
			cfg = now
			tick.Reset(ms(cfg.FlushIntervalConsumeQueue))
		}
	}
}

// flushHealth is whether flushing failed when it was last told.
type flushHealth struct {
	mu    sync.Mutex
	fails bool
}

// tellFlush says when flushing begins to fail and when it works again, which
// only the flush of everything can know. The process goes on: what is stored can
// be read, and a failed sync lets no message in (fail).
func (s *Store) tellFlush(err error, ofAll bool) {
	h := &s.flushHealth
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		err = s.failed() // of the other flusher meanwhile
	}
	switch {
	case err != nil && !h.fails:
		h.fails = true
		s.deps.Log.Error().Err(err).Msg("flush failed")
	case err == nil && h.fails && ofAll:
		h.fails = false
		s.deps.Log.Info().Msg("flush works again")
	}
}

func (s *Store) unflushed() int64 { return s.log.appended.Load() - s.log.flushed.Load() }

// thorough tells how many bytes make a flush worth while: now and then none.
type thorough struct {
	lastMs int64
}

func (t *thorough) least(nowMs int64, intervalMs, leastPages int) int64 {
	if nowMs-t.lastMs >= int64(intervalMs) {
		t.lastMs = nowMs
		return 0
	}
	return int64(leastPages) * osPageBytes
}

// flushLog makes durable what is appended and wakes who waits for it. A failed
// sync is final: the kernel may have dropped the pages, so no later sync could
// be believed.
func (s *Store) flushLog() error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.log.mu.Lock()
	end, lastMs := s.log.appended.Load(), s.log.lastStoreMs
	s.log.mu.Unlock()
	err := s.failed()
	if err == nil {
		if err = s.log.sync(end); err != nil {
			err = fmt.Errorf("commit log flush: %w", err)
			s.fail(err)
		}
	}
	if err == nil {
		s.check.setPhysic(lastMs)
	}
	s.waiters.wake(s.log.flushed.Load(), err)
	if s.deps.OnFlush != nil {
		s.deps.OnFlush(s.log.flushed.Load(), err)
	}
	return err
}

// flushQueues syncs queue files with at least leastBytes unsynced, or all when
// the log has run far ahead of the queue list. When those are all, queues and
// index are durable up to the dispatched mark of the beginning.
func (s *Store) flushQueues(leastBytes int64) error {
	if err := s.failed(); err != nil {
		return err
	}
	s.dispatch.mu.Lock()
	due := s.listDue()
	if due && s.worthAllSyncs() {
		leastBytes = 0
	}
	jobs, all := s.takeUnsynced(leastBytes)
	doneMs, forgotten := s.dispatch.doneMs, s.dispatch.forgotten
	var list *queueList
	if due && all {
		list = s.takeList()
	}
	if s.index != nil {
		s.check.setIndex(s.index.fullMs)
	}
	s.dispatch.mu.Unlock()

	err := s.queues.sync(jobs)
	if err == nil && s.index != nil && all {
		err = s.index.sync()
	}
	if err != nil {
		err = fmt.Errorf("consume queue flush: %w", err)
		s.fail(err)
		return err
	}
	if all {
		s.check.setLogics(doneMs)
	}
	if list == nil {
		return nil
	}
	// No power loss may take a record that the list has units of.
	if err := s.flushLog(); err != nil {
		return err
	}
	return s.saveList(list, forgotten) // a list that is not written is no failure of the store
}

// takeUnsynced returns what is to be synced, and whether that is all. Under the
// dispatch lock.
func (s *Store) takeUnsynced(leastBytes int64) (jobs []syncJob, all bool) {
	all = true
	_ = s.queues.each(func(q *queue) error {
		var ofQueue bool
		jobs, ofQueue = q.files.takeUnsynced(jobs, leastBytes)
		all = all && ofQueue
		return nil
	})
	return jobs, all
}

// unsyncedFiles counts the queue files to sync. Under the dispatch lock.
func (s *Store) unsyncedFiles() (n int) {
	_ = s.queues.each(func(q *queue) error {
		for _, f := range *q.files.list.Load() {
			if f.dirty {
				n++
			}
		}
		return nil
	})
	return n
}

// flushAll makes everything durable and writes the checkpoint.
func (s *Store) flushAll() error {
	if err := s.flushLog(); err != nil {
		return err
	}
	s.dispatch.mu.Lock()
	l := &s.dispatch.listed
	l.behind = l.behind || l.mark != s.dispatch.done.Load() || l.logMin != s.log.minOffset()
	s.dispatch.mu.Unlock()
	if err := s.flushQueues(0); err != nil {
		return err
	}
	return s.saveCheckpoint()
}
