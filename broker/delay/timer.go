// SPDX-License-Identifier: Apache-2.0

// timer.go: messages for any time (TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS). They are stored in
// rmq_sys_wheel_timer with their time in TIMER_OUT_MS. The timer reads that queue and notes each message in the timer log
// and the wheel (timerenter.go), and stores it in its real queue when its time has come (timerfire.go).
// Delivery is at least once: progress is saved about once a second, when all that it stands for is on the disk.
// The files are Java's, and either server goes on where the other stopped. docs/format/timer.md. Java: TimerMessageStore.

package delay

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/store"
	"rocketd/store/vfs"
)

// TimerLog is what the timer needs of the store.
type TimerLog interface {
	Log
	Marks() store.Marks
	AwaitFlush(ctx context.Context, endOffset int64) error
}

// TimerConfig is what cannot change while the timer runs.
type TimerConfig struct {
	Root      string // the store's directory
	Precision time.Duration
	RollSlots int64 // a message for a time more slots away than these goes through the timer again
	FileSize  int64 // of a new timer log's files, in bytes
}

// TimerLimits are the settings that may change.
type TimerLimits struct {
	SaveEvery           time.Duration
	StopEnter, StopFire bool
}

// TimerDeps is the world around a Timer.
type TimerDeps struct {
	FS     vfs.FS
	Log    TimerLog
	Limits func() TimerLimits
	Clock  clockwork.Clock
	Logger zerolog.Logger
	// Entered counts the messages that are noted, Fired those that are delivered or put in again.
	Entered, Fired Counter
}

// Counter counts.
type Counter interface{ Add(n int64) }

// Timer delivers messages at the times that they ask for. The exported methods other than Open and Run may be called at
// any time.
type Timer struct {
	cfg         TimerConfig
	precisionMs int64
	fs          vfs.FS
	log         TimerLog
	limits      func() TimerLimits
	clock       clockwork.Clock
	logger      zerolog.Logger
	in, out     Counter
	kick        chan struct{} // an arrival; holds one

	// Of Open, then of Run alone.
	wheel       *wheel
	units       *timerLog
	readMs      int64              // everything due before is delivered
	next        int64              // offset of the queue that is entered next
	entered     map[int64]struct{} // places in the commit log that a start found in the timer log behind the saved progress
	again       int64              // offsets before it are read once more: what was due before deliveredMs has been delivered
	deliveredMs int64
	firing      *firing // the slot that is being delivered
	changed     bool    // since the progress was saved
	saved       timerCheck
	savedAt     time.Time

	lateMs    atomic.Int64
	unentered atomic.Int64
}

// NewTimer returns a timer. Open comes next.
func NewTimer(cfg TimerConfig, d TimerDeps) *Timer {
	precisionMs := cfg.Precision.Milliseconds()
	return &Timer{
		cfg: cfg, precisionMs: precisionMs, fs: d.FS, log: d.Log, limits: d.Limits, clock: d.Clock, logger: d.Logger,
		kick: make(chan struct{}, 1), wheel: newWheel(d.FS, path.Join(cfg.Root, "timerwheel"), precisionMs),
		entered: map[int64]struct{}{}, in: d.Entered, out: d.Fired,
	}
}

func (t *Timer) checkFile() string { return path.Join(t.cfg.Root, "config", "timercheck") }

// Arrive tells that a message entered the timer's queue. It never blocks.
func (t *Timer) Arrive() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// Waiting is how many messages are due at a time, as far as they have been entered, and in all.
func (t *Timer) Waiting(dueMs int64) (then, all int64) { return t.wheel.waiting(dueMs) }

// TimerState is what operators are shown.
type TimerState struct {
	Late      time.Duration // of deliveries
	Unentered int64         // messages
	Waiting   int64         // messages
}

// State is how the timer does.
func (t *Timer) State() TimerState {
	_, waiting := t.wheel.waiting(0)
	return TimerState{
		Late: time.Duration(t.lateMs.Load()) * time.Millisecond, Unentered: t.unentered.Load(), Waiting: waiting,
	}
}

// LeastTimerLogBytes is the size of the smallest file of a timer log.
const LeastTimerLogBytes = timerUnitBytes + timerBlankBytes

// blankSlots are slots of half a wheel that no message may be put away into.
const blankSlots = 60

// RollSlots is what timerRollWindowSlot comes to: as far as the wheel reaches when it is out of bounds, as in Java.
func RollSlots(configured int32) int32 {
	const most = wheelSlots/2 - blankSlots
	if configured < 2 || configured > most {
		return most
	}
	return configured
}

// errSync means that what was written may not be on the disk, whatever later calls say.
var errSync = errors.New("sync failed")

// Run delivers until ctx ends, and saves how far it is.
func (t *Timer) Run(ctx context.Context) error {
	retry := firstRetry
	for ctx.Err() == nil {
		wait, err := t.work(ctx)
		switch {
		case errors.Is(err, errSync):
			t.logger.Error().Err(err).Msg("timer messages wait until the broker is started again")
			<-ctx.Done()
			return nil
		case err != nil:
			t.logger.Error().Err(err).Msg("timer messages are late, will be tried again")
			wait, retry = retry, min(2*retry, lastRetry)
		default:
			retry = firstRetry
		}
		kick := t.kick
		if err != nil || t.limits().StopEnter {
			kick = nil
		}
		pause(ctx, t.clock, wait, kick)
	}
	if err := t.save(context.WithoutCancel(ctx)); err != nil {
		t.logger.Error().Err(err).Msg("the progress of the timer could not be saved")
	}
	return nil
}

// work does what can be done now, and returns how long nothing more can be.
func (t *Timer) work(ctx context.Context) (wait time.Duration, err error) {
	if err := t.units.flush(); err != nil {
		return 0, err
	}
	limits := t.limits()
	if !limits.StopFire {
		if err := t.fireDue(ctx); err != nil {
			return 0, err
		}
	}
	more := false
	if !limits.StopEnter {
		if more, err = t.enter(); err != nil {
			return 0, err
		}
	}
	if t.changed && t.clock.Since(t.savedAt) >= limits.SaveEvery {
		if err := t.save(ctx); err != nil {
			return 0, err
		}
	}
	if more {
		return 0, nil
	}
	return t.idle(limits), nil
}

// idle is the time until the next slot is due, or the progress is to be saved. While messages wait it is short, because
// the time of day may be set, and settings may change.
func (t *Timer) idle(limits TimerLimits) time.Duration {
	wait := time.Hour // what comes wakes
	now := t.clock.Now()
	if t.changed {
		wait = limits.SaveEvery - now.Sub(t.savedAt)
	}
	if dueMs, ok := t.wheel.next(); ok || limits.StopEnter {
		wait = min(wait, time.Second)
		if ok && !limits.StopFire {
			wait = min(wait, time.UnixMilli(dueMs+t.precisionMs).Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

// nowMs is the time in whole units of the precision. What is due before it is delivered.
func (t *Timer) nowMs() int64 { return t.floor(t.clock.Now().UnixMilli()) }

func (t *Timer) floor(ms int64) int64 { return ms - ms%t.precisionMs }

// save makes progress safe: first what it stands for, then itself.
func (t *Timer) save(ctx context.Context) error {
	if !t.changed {
		return nil
	}
	if err := t.units.flush(); err != nil {
		return err
	}
	state := timerCheck{readMs: t.readMs, logPos: t.units.tail, next: t.next, version: t.saved.version}
	if err := t.log.AwaitFlush(ctx, t.log.Marks().Appended); err != nil {
		return fmt.Errorf("the progress of the timer waits for the commit log: %w", err)
	}
	if err := t.units.sync(t.saved.logPos); err != nil {
		return err
	}
	if err := t.wheel.save(); err != nil {
		return err
	}
	if err := state.write(t.fs, t.checkFile()); err != nil {
		return err
	}
	t.saved, t.savedAt, t.changed = state, t.clock.Now(), false
	if len(t.units.bases) > 1 {
		return t.units.forget(t.wheel.oldest(state.logPos))
	}
	return nil
}

// Close closes the files. Run must be over.
func (t *Timer) Close() error {
	if t.units == nil {
		return nil
	}
	return errors.Join(t.units.close(), t.wheel.close())
}

// rolls says whether a message is due beyond the timer's reach, and when it is to be looked at then. When little of its
// time would be left, it goes half the way first.
func (t *Timer) rolls(dueMs, fromMs int64) (atMs int64, rolls bool) {
	reach := t.cfg.RollSlots * t.precisionMs
	switch beyond := dueMs - fromMs - reach; {
	case beyond < 0:
		return dueMs, false
	case beyond < t.cfg.RollSlots/3*t.precisionMs:
		return fromMs + t.cfg.RollSlots/2*t.precisionMs, true
	default:
		return fromMs + reach, true
	}
}
