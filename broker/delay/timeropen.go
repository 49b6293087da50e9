// SPDX-License-Identifier: Apache-2.0

package delay

import (
	"errors"
	"fmt"
	"path"

	"rocketd/protocol/message"
	"rocketd/store"
)

// longestAway is how late messages may be that a timer without saved progress still delivers, in milliseconds.
const longestAway = 7 * 24 * 60 * 60 * 1000

// furthestAhead is how far ahead of the clock saved progress may be, in milliseconds: clocks are set back, but not so far.
const furthestAhead = 24 * 60 * 60 * 1000

// Open goes on where the timer stopped, be it killed or Java's. The wheel may know more than the saved progress says,
// but no unit that was not durable then; the timer log may have units behind it, which are entered in the wheel again.
// What has no unit is read from the queue once more; that is all of it when the timer log is not there. Errors name the
// file.
func (t *Timer) Open() error {
	saved, ok, err := readTimerCheck(t.fs, t.checkFile())
	if err != nil {
		return fmt.Errorf("%s: %w", t.checkFile(), err)
	}
	if t.units, err = openTimerLog(t.fs, path.Join(t.cfg.Root, "timerlog"), t.cfg.FileSize); err != nil {
		return err
	}
	t.saved, t.next, t.readMs = saved, saved.next, saved.readMs
	if ok = ok && saved.readMs <= t.nowMs()+furthestAhead; !ok {
		t.readMs = max(t.nowMs()-longestAway, 0)
	}
	if len(t.units.bases) > 0 {
		if err := t.recover(ok && saved.logPos >= t.units.begin() && saved.logPos <= t.units.end()); err != nil {
			return fmt.Errorf("%s: %w", t.units.dir, err)
		}
	}
	if tail := t.units.tail; tail < saved.logPos {
		t.logger.Warn().Int64("end", tail).Int64("saved", saved.logPos).Msg("the timer log has lost its end, and the timer reads its queue once more")
		t.saved.logPos, t.next, t.again = tail, 0, saved.next
	}
	t.deliveredMs = t.readMs
	t.readMs = min(t.readMs, t.nowMs())
	return nil
}

// recover finds the timer log's tail and the slots. Progress that is known spares reading all of the log.
func (t *Timer) recover(known bool) error {
	if known {
		trusted, err := t.wheel.load(t.readMs)
		if err != nil {
			return err
		}
		known = trusted
	}
	from := t.units.begin()
	if known {
		from = t.saved.logPos
	}
	tail, err := t.units.walk(from, func(pos int64, u *unit) bool {
		if _, twice := t.entered[u.phyOffset]; twice || pos >= t.saved.logPos && !t.stands(u) {
			return false
		}
		t.entered[u.phyOffset] = struct{}{}
		t.reenter(pos, u)
		return true
	})
	if err != nil {
		return err
	}
	if err := t.units.cut(tail); err != nil {
		return err
	}
	if err := t.lookBack(min(t.saved.logPos, tail)); err != nil {
		return err
	}
	if !known || t.agree() {
		return nil
	}
	t.logger.Warn().Str("file", t.wheel.name).Msg("the timer wheel does not agree with the timer log and is made again from it")
	t.wheel.reset()
	clear(t.entered)
	return t.recover(false)
}

func (t *Timer) reenter(pos int64, u *unit) {
	if u.dueMs() >= t.readMs {
		t.wheel.add(u, pos)
		t.changed = true
	}
}

// stands says whether the message of a unit is in the commit log: it may have been lost where its unit was not.
func (t *Timer) stands(u *unit) bool {
	m, err := t.log.Message(u.phyOffset)
	return err == nil && m.Topic == message.TimerTopic
}

// lookBack finds units before a position whose messages the queue's saved offset does not count: Java saves the last
// offset that it has entered, or an earlier one, and not the next.
func (t *Timer) lookBack(pos int64) error {
	for pos -= timerUnitBytes; t.units.holds(pos); pos -= timerUnitBytes {
		u, err := t.units.read(pos)
		if errors.Is(err, errNoUnit) {
			return nil
		}
		if err != nil {
			return err
		}
		m, err := t.log.Message(u.phyOffset)
		if errors.Is(err, store.ErrNotFound) || err == nil && (m.Topic != message.TimerTopic || m.QueueOffset < t.next) {
			return nil
		}
		if err != nil {
			return err
		}
		t.entered[u.phyOffset] = struct{}{}
	}
	return nil
}

// agree says whether each slot leads to units of its time.
func (t *Timer) agree() bool {
	for time, s := range t.wheel.slots {
		if u, err := t.units.read(s.last); err != nil || u.dueMs()/t.precisionMs != time {
			return false
		}
	}
	return true
}
