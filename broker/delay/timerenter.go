// SPDX-License-Identifier: Apache-2.0

package delay

import (
	"errors"
	"fmt"
	"strconv"

	"rocketd/compat"
	"rocketd/protocol/message"
	"rocketd/store"
)

// enterAtOnce is how many messages are entered before the timer looks at what is due.
const enterAtOnce = 1024

// enter notes what is new in the timer's queue. It says whether there is more.
func (t *Timer) enter() (more bool, err error) {
	low, high, _ := t.log.QueueRange(message.TimerTopic, 0)
	if moved := min(max(t.next, low), high); moved != t.next {
		t.logger.Warn().Int64("offset", t.next).Int64("corrected", moved).Msg("the timer went on at another offset of its queue")
		t.next, t.changed = moved, true
	}
	for n := 0; n < enterAtOnce && t.next < high && err == nil; n++ {
		if err = t.enterAt(t.next); err == nil {
			t.next++
			t.changed = true
		}
	}
	t.unentered.Store(high - t.next)
	if t.next == high {
		clear(t.entered)
	}
	if err == nil {
		err = t.units.flush()
	}
	return err == nil && t.next < high, err
}

func (t *Timer) enterAt(offset int64) error {
	phyOffset, size, _, ok := t.log.TagsCodeAt(message.TimerTopic, 0, offset)
	if !ok {
		return fmt.Errorf("offset %d of %s cannot be read", offset, message.TimerTopic)
	}
	if _, known := t.entered[phyOffset]; known {
		delete(t.entered, phyOffset)
		return nil
	}
	m, err := t.log.Message(phyOffset)
	if errors.Is(err, store.ErrNotFound) {
		t.lost(phyOffset, "it is gone")
		return nil
	}
	if err != nil {
		return err
	}
	text, _ := m.Property(message.PropTimerOutMs)
	dueMs, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.lost(phyOffset, fmt.Sprintf("its time is %q", text))
		return nil
	}
	now := max(t.nowMs(), t.readMs)
	if t.next < t.again && dueMs < t.deliveredMs {
		return nil
	}
	if dueMs < now {
		return t.deliver(m, t.clock.Now().UnixMilli())
	}
	return t.note(m, phyOffset, size, dueMs, now)
}

// note enters a message in the timer log and the wheel.
func (t *Timer) note(m *message.Message, phyOffset int64, size int32, dueMs, now int64) error {
	atMs, rolls := t.rolls(dueMs, now)
	u := unit{
		prev: t.wheel.last(atMs), magic: unitDefault, writeMs: now, delayMs: int32(atMs - now),
		phyOffset: phyOffset, size: size,
	}
	if rolls {
		u.magic |= unitRoll
	}
	if _, deletes := m.Property(message.PropTimerDelUniqKey); deletes {
		u.magic |= unitDelete
	}
	topic, _ := m.Property(message.PropRealTopic)
	u.topicHash = compat.HashString(topic)
	pos, err := t.units.append(&u)
	if err != nil {
		return err
	}
	t.wheel.add(&u, pos)
	t.in.Add(1)
	return nil
}

// lost tells of a message that will never be delivered. It stays in the log, and those behind it must not wait for ever.
func (t *Timer) lost(phyOffset int64, reason string) {
	t.logger.Error().Int64("phyOffset", phyOffset).Str("reason", reason).Msg("timer message cannot be delivered")
}
