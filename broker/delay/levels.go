// SPDX-License-Identifier: Apache-2.0

// Package delay delivers messages later than they were sent.
//
// levels.go: the delay levels (18 by default). A message of level n waits in
// queue n-1 of SCHEDULE_TOPIC_XXXX, whose entries carry the time of delivery as
// their tags code; as the delay of a queue is one, its entries are due in order.
// Delivery is at least once: progress is saved some seconds behind, and only
// what is durable counts as progress (Settle).
// Java: ScheduleMessageService.
package delay

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/internal/run"
	"rocketd/protocol/message"
	"rocketd/store"
)

// Waits after a failed delivery double from the first to the last.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Log is what the levels need of the store.
type Log interface {
	QueueRange(topic string, queueID int32) (min, max int64, ok bool)
	TagsCodeAt(topic string, queueID int32, offset int64) (phyOffset int64, size int32, tagsCode int64, ok bool)
	Message(phyOffset int64) (*message.Message, error)
	Put(m *message.Message) (store.Receipt, error)
}

// Progress remembers the next offset to deliver of each level, from 1 on.
type Progress interface {
	Get(level int32) (int64, bool)
	Put(level int32, offset int64)
}

// Levels delivers the messages of all levels.
type Levels struct {
	log      Log
	progress Progress
	clock    clockwork.Clock
	logger   zerolog.Logger
	levels   []*level // element 0 is level 1
}

type level struct {
	number int32
	delay  time.Duration
	kick   chan struct{} // an arrival; holds one, because all that matters is that there was any

	mu        sync.Mutex
	next      int64 // offset after the last one dealt with
	end       int64 // up to where the log must be durable for next to be progress
	unsettled bool  // next is not in Progress yet
}

// New returns the levels with the given delays. Nothing runs before Run.
func New(delays []time.Duration, log Log, progress Progress, clock clockwork.Clock, logger zerolog.Logger) *Levels {
	l := &Levels{log: log, progress: progress, clock: clock, logger: logger}
	for i, d := range delays {
		l.levels = append(l.levels, &level{number: int32(i + 1), delay: d, kick: make(chan struct{}, 1)})
	}
	return l
}

// Arrive tells that a message entered a queue of the schedule topic. It never blocks.
func (l *Levels) Arrive(queueID int32) {
	if queueID < 0 || int(queueID) >= len(l.levels) {
		return
	}
	select {
	case l.levels[queueID].kick <- struct{}{}:
	default:
	}
}

// Settle hands to Progress what has been delivered into the part of the log
// that is durable. Java saves its progress without regard to the disk, and can
// lose messages that it delivered just before the machine died.
func (l *Levels) Settle(flushed int64) {
	for _, v := range l.levels {
		v.mu.Lock()
		if v.unsettled && v.end <= flushed {
			l.progress.Put(v.number, v.next)
			v.unsettled = false
		}
		v.mu.Unlock()
	}
}

// Unsettled says whether Settle has something to do.
func (l *Levels) Unsettled() bool {
	for _, v := range l.levels {
		v.mu.Lock()
		unsettled := v.unsettled
		v.mu.Unlock()
		if unsettled {
			return true
		}
	}
	return false
}

// Run delivers until ctx ends. Each level has a goroutine, so that a long run
// of one keeps no other waiting; without due messages all of them sleep.
func (l *Levels) Run(ctx context.Context) error {
	g := run.NewGroup(ctx)
	for _, v := range l.levels {
		g.Go(0, "delay-"+strconv.Itoa(int(v.number)), func(ctx context.Context) error { return l.runLevel(ctx, v) })
	}
	return g.Wait()
}

func (l *Levels) runLevel(ctx context.Context, v *level) error {
	next := l.start(v)
	retry := firstRetry
	for ctx.Err() == nil {
		wait, failed := l.deliverDue(ctx, v, &next)
		switch {
		case failed:
			wait, retry = retry, min(2*retry, lastRetry)
		default:
			retry = firstRetry
		}
		if wait == 0 { // at the queue's end
			select {
			case <-ctx.Done():
			case <-v.kick:
			}
			continue
		}
		pause(ctx, l.clock, wait, nil)
	}
	return nil
}

// pause waits so long, until ctx ends, or for an arrival where there is a kick.
func pause(ctx context.Context, clock clockwork.Clock, wait time.Duration, kick <-chan struct{}) {
	timer := clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-kick:
	case <-timer.Chan():
	}
}

// start is where a level goes on: where it stopped, within what the queue has.
func (l *Levels) start(v *level) int64 {
	saved, _ := l.progress.Get(v.number)
	return l.within(v, saved)
}

// within moves an offset that lies outside the queue to the nearer end of it:
// old files may have been deleted, or a torn end of the log cut off.
func (l *Levels) within(v *level, offset int64) int64 {
	low, high, _ := l.log.QueueRange(message.ScheduleTopic, v.number-1) // 0, 0 without a queue
	moved := min(max(offset, low), high)
	if moved != offset {
		l.logger.Warn().Int32("level", v.number).Int64("offset", offset).Int64("corrected", moved).
			Msg("delay level continued at another offset")
		v.passed(moved, 0)
	}
	return moved
}

// deliverDue delivers what is due from *next on, and moves it. It returns how
// long to wait for the next message, 0 when there is none.
func (l *Levels) deliverDue(ctx context.Context, v *level, next *int64) (wait time.Duration, failed bool) {
	for ctx.Err() == nil {
		low, high, ok := l.log.QueueRange(message.ScheduleTopic, v.number-1)
		if !ok || *next == high {
			return 0, false
		}
		if *next < low || *next > high {
			*next = l.within(v, *next)
			continue
		}
		phyOffset, _, dueMs, ok := l.log.TagsCodeAt(message.ScheduleTopic, v.number-1, *next)
		if !ok {
			return 0, true
		}
		if wait := l.untilDue(v, dueMs); wait > 0 {
			return wait, false
		}
		end, err := l.deliver(v, phyOffset)
		if err != nil {
			l.logger.Error().Err(err).Int32("level", v.number).Int64("offset", *next).
				Msg("delayed message not delivered, will be tried again")
			return 0, true
		}
		*next++
		v.passed(*next, end)
	}
	return 0, false
}

// passed notes progress that Settle is to hand on. end is where the delivered
// message ends in the log, 0 when there is none.
func (v *level) passed(next, end int64) {
	v.mu.Lock()
	v.next, v.end, v.unsettled = next, max(v.end, end), true
	v.mu.Unlock()
}

// untilDue is the time left. An entry that is due later than a message sent
// now would be was written under another clock, and is due at once.
func (l *Levels) untilDue(v *level, dueMs int64) time.Duration {
	nowMs := l.clock.Now().UnixMilli()
	if dueMs > nowMs+v.delay.Milliseconds() {
		return 0
	}
	return time.Duration(dueMs-nowMs) * time.Millisecond
}

// deliver stores the message again where it was meant for. A message that can
// never be delivered is dropped with a log line: it stays in the log, and
// those behind it must not wait for ever.
func (l *Levels) deliver(v *level, phyOffset int64) (end int64, err error) {
	m, err := l.log.Message(phyOffset)
	switch {
	case errors.Is(err, store.ErrNotFound):
		l.dropped(v, phyOffset, "it is gone")
		return 0, nil
	case err != nil:
		return 0, err
	}
	out, reason := delivered(m)
	if out == nil {
		l.dropped(v, phyOffset, reason)
		return 0, nil
	}
	receipt, err := l.log.Put(out)
	if errors.Is(err, store.ErrMessageIllegal) || errors.Is(err, store.ErrPropertiesTooLarge) {
		l.dropped(v, phyOffset, err.Error())
		return 0, nil
	}
	return receipt.EndOffset, err
}

func (l *Levels) dropped(v *level, phyOffset int64, reason string) {
	l.logger.Error().Int32("level", v.number).Int64("phyOffset", phyOffset).Str("reason", reason).
		Msg("delayed message cannot be delivered")
}

// delivered is the message as it enters its real queue. Its property text is
// kept whole, DELAY and REAL_TOPIC too: Java writes it so and clients read it.
// It goes straight into the log, so that DELAY does not delay it again.
func delivered(m *message.Message) (out *message.Message, reason string) {
	topic, queueID, err := m.RealTarget()
	if err != nil {
		return nil, err.Error()
	}
	if topic == message.HalfTopic || topic == message.ScheduleTopic || topic == message.TimerTopic {
		return nil, "its real topic is " + topic
	}
	return m.Again(topic, queueID), ""
}
