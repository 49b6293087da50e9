// SPDX-License-Identifier: Apache-2.0

// The writer-behind: takes the queues that got units, writes their tails to the
// files in runs, and enters the new records in the key index. Nobody waits for
// it: readers see tails, and a query of the index makes it catch up first.
// Java: ReputMessageService, CommitLogDispatcherBuildConsumeQueue/Index.

package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// gatherTime is how long the dispatcher lets work gather; at 50,000 messages a
// second it writes 1,000 in one run, with one system call a queue.
const gatherTime = 20 * time.Millisecond

// gatherMost is how long it goes on when there are more queues with new units
// than descriptors: to write one unit costs then as much as to write several.
const gatherMost = 5 * time.Second

// dispatchRunUnits bounds one write to a queue file.
const dispatchRunUnits = 4096

type dispatcher struct {
	mu      sync.Mutex   // the dispatch lock: files of queues and index
	scratch []byte       // under mu
	taken   []*queue     // under mu: queues taken but not yet written, after an error
	done    atomic.Int64 // the log is in queue files and index up to here
	doneMs  int64        // under mu: store time of the last record before done
	keys    freshKeys    // under mu: taken from the appenders
	room    tailRoom

	listed    listing // under mu
	forgotten int64   // under mu: how often the queue list was made void
}

// kickDispatcher tells the dispatcher that there is work; cheap when it knows.
func (s *Store) kickDispatcher() {
	if s.pending.Load() > int64(s.config().QueueTailMaxUnits/2) {
		select {
		case s.urgent <- struct{}{}:
		default:
		}
	}
	if s.kicked.Load() || s.kicked.Swap(true) {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *Store) runDispatcher(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return s.dispatchAll()
		case <-s.urgent:
		case <-s.kick:
			s.gather(ctx)
		}
		s.kicked.Store(false)
		if err := s.dispatchAll(); err != nil {
			s.deps.Log.Error().Err(err).Msg("consume queues or index cannot be written; trying again")
			if !s.sleep(ctx, time.Second) {
				return s.dispatchAll()
			}
			s.kickDispatcher()
		}
	}
}

// gather waits until there is enough to write, or no time to wait.
func (s *Store) gather(ctx context.Context) {
	since := s.deps.Clock.Now()
	for {
		timer := s.deps.Clock.NewTimer(gatherTime)
		select {
		case <-timer.Chan():
		case <-s.urgent:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if s.deps.Clock.Since(since) >= gatherMost || !s.spreadThin() {
			return
		}
	}
}

// spreadThin says that more queues have new units than can have descriptors.
func (s *Store) spreadThin() bool {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return len(s.dirty) > s.config().MaxOpenQueueFiles
}

// sleep waits on the store's clock; false when ctx ended first.
func (s *Store) sleep(ctx context.Context, d time.Duration) bool {
	t := s.deps.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.Chan():
		return true
	case <-ctx.Done():
		return false
	}
}

// dispatchAll writes everything appended before the call to queue files and
// index. After an error nothing is lost: the tails are still there.
func (s *Store) dispatchAll() error {
	d := &s.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.dispatchLocked()
}

func (s *Store) dispatchLocked() error {
	s.log.mu.Lock()
	target, targetMs := s.log.parsed, s.log.lastStoreMs
	s.takeDirty()
	s.takeFresh(target)
	s.log.mu.Unlock()
	if err := s.flushTails(); err != nil {
		return err
	}
	if s.index != nil {
		if err := s.indexUpTo(target); err != nil {
			return err
		}
	}
	s.dispatch.done.Store(target)
	s.dispatch.doneMs = targetMs
	return nil
}

// takeDirty moves the list of queues with new units to the dispatcher. Under
// the append lock.
func (s *Store) takeDirty() {
	for _, q := range s.dirty {
		q.dirty = false
	}
	s.dispatch.taken = append(s.dispatch.taken, s.dirty...)
	clear(s.dirty)
	s.dirty = s.dirty[:0]
}

// flushTails writes the tails of the queues taken; after an error the rest
// stays taken. Appenders that wait for room go on as soon as there is some.
func (s *Store) flushTails() error {
	d := &s.dispatch
	if d.scratch == nil {
		d.scratch = make([]byte, dispatchRunUnits*unitBytes)
	}
	d.room.begin()
	defer d.room.end()
	for len(d.taken) > 0 {
		last := len(d.taken) - 1
		n, err := d.taken[last].flushTail(d.scratch)
		left := s.pending.Add(-n)
		if err != nil {
			return err
		}
		d.taken[last] = nil
		d.taken = d.taken[:last]
		d.room.made(left, s.config().QueueTailMaxUnits)
	}
	return nil
}

// indexUpTo enters the records from the dispatched mark up to target.
func (s *Store) indexUpTo(target int64) error {
	from := s.dispatch.done.Load()
	if from >= target {
		return nil
	}
	s.index.begin()
	err := vfs.Guard(func() error {
		if keys := &s.dispatch.keys; keys.cover(from, target) {
			return s.index.enterFresh(keys)
		}
		return s.walk(from, target, func(v *message.View) error { return s.index.add(v) })
	})
	if ferr := s.index.end(); err == nil {
		err = ferr
	}
	return err
}

// walk calls fn for the records of a range that begins and ends between
// records. The view is valid during the call.
func (s *Store) walk(from, to int64, fn func(v *message.View) error) error {
	var v message.View
	for from < to {
		seg := s.log.at(from)
		if seg == nil {
			return fmt.Errorf("%w: %s", ErrNotFound, s.log.nameAt(from))
		}
		err := walkSegment(seg, from, to, &v, fn)
		from = seg.base + seg.size
		seg.unpin()
		if err != nil {
			return err
		}
	}
	return nil
}

func walkSegment(seg *segment, from, to int64, v *message.View, fn func(v *message.View) error) error {
	stop := min(to-seg.base, seg.size)
	for pos := from - seg.base; pos+message.FillerBytes <= stop; {
		b := seg.data[pos:stop]
		if message.RecordMagic(b) == message.MagicBlank {
			return nil
		}
		if err := v.Parse(b, false); err != nil {
			return &CorruptError{File: seg.name, Offset: pos, Err: err}
		}
		if err := fn(v); err != nil {
			return err
		}
		pos += int64(v.Size)
	}
	return nil
}

// awaitTail is for an appender that finds queueTailMaxUnits waiting: it waits
// for room while somebody writes tails, else it writes them itself.
func (s *Store) awaitTail() error {
	full := func() bool { return s.pending.Load() >= int64(s.config().QueueTailMaxUnits) }
	if s.dispatch.room.wait(full) {
		return nil
	}
	if err := s.dispatchAll(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWriteable, err)
	}
	return nil
}

// DispatchBehind is how many bytes of the log are not yet in the files of
// queues and index.
func (s *Store) DispatchBehind() int64 { return s.log.appended.Load() - s.dispatch.done.Load() }
