// SPDX-License-Identifier: Apache-2.0

package delay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"rocketd/protocol/message"
	"rocketd/store"
)

// firing is a slot whose time has come.
type firing struct {
	rest    []unit              // what is left of it, in the order in which the messages came
	deleted map[string]struct{} // TIMER_DEL_UNIQKEY of those that take messages back
}

// fireDue delivers what is due. A slot that has begun is finished, also when ctx ends: what comes after a restart would
// be delivered twice.
func (t *Timer) fireDue(ctx context.Context) error {
	for {
		now := t.nowMs()
		dueMs, ok := t.wheel.next()
		if !ok || dueMs >= now {
			t.readMs = max(t.readMs, now)
			t.lateMs.Store(0)
			return nil
		}
		if ctx.Err() != nil && t.firing == nil {
			return nil
		}
		t.readMs = max(t.readMs, dueMs)
		t.lateMs.Store(now - t.precisionMs - dueMs)
		if err := t.fire(dueMs); err != nil {
			return err
		}
		t.wheel.done()
		t.readMs, t.changed, t.firing = max(t.readMs, dueMs+t.precisionMs), true, nil
	}
}

// fire delivers the earliest slot, or what an error has left of it.
func (t *Timer) fire(dueMs int64) error {
	if t.firing == nil {
		began, err := t.begin(dueMs)
		if err != nil {
			return err
		}
		t.firing = began
	}
	for f := t.firing; len(f.rest) > 0; f.rest = f.rest[1:] {
		if err := t.fireUnit(&f.rest[0], f.deleted); err != nil {
			return err
		}
	}
	return nil
}

// begin gathers what a slot leads to.
func (t *Timer) begin(dueMs int64) (*firing, error) {
	f := &firing{}
	for pos := t.wheel.last(dueMs); pos >= 0; {
		u, err := t.units.read(pos)
		if errors.Is(err, errNoUnit) || err == nil && t.floor(u.dueMs()) != dueMs {
			t.logger.Error().Int64("position", pos).Int64("dueMs", dueMs).Msg("the timer log has no unit where the wheel says: messages of this time may be missing")
			break
		}
		if err != nil {
			return nil, err
		}
		if u.magic&(unitDelete|unitRoll) == unitDelete {
			if err := t.takeBack(f, &u); err != nil {
				return nil, err
			}
		} else {
			f.rest = append(f.rest, u)
		}
		pos = u.prev
	}
	slices.Reverse(f.rest)
	return f, nil
}

// takeBack notes which message is not to be delivered.
func (t *Timer) takeBack(f *firing, u *unit) error {
	m, err := t.log.Message(u.phyOffset)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.deleted == nil {
		f.deleted = map[string]struct{}{}
	}
	key, _ := m.Property(message.PropTimerDelUniqKey)
	f.deleted[key] = struct{}{}
	return nil
}

func (t *Timer) fireUnit(u *unit, deleted map[string]struct{}) error {
	m, err := t.log.Message(u.phyOffset)
	switch {
	case errors.Is(err, store.ErrNotFound):
		t.lost(u.phyOffset, "it is gone")
		return nil
	case err != nil:
		return err
	case u.magic&unitRoll != 0:
		return t.roll(m, u.writeMs)
	}
	if takenBack(m, deleted) {
		return nil
	}
	return t.deliver(m, u.writeMs)
}

// takenBack says whether a message is among the deleted, by its unique key or, as before 5.5.0 and with
// appendTopicForTimerDeleteKey=true, by its topic, '+' and that.
func takenBack(m *message.Message, deleted map[string]struct{}) bool {
	if deleted == nil {
		return false
	}
	topic, _ := m.Property(message.PropRealTopic)
	_, byKey := deleted[m.UniqKey()]
	_, byBoth := deleted[topic+"+"+m.UniqKey()]
	return byKey || byBoth
}

// roll puts a message into the timer's queue again.
func (t *Timer) roll(m *message.Message, enteredMs int64) error {
	again := m.Again(message.TimerTopic, 0)
	text, _ := m.Property(message.PropTimerRollTimes)
	rolls, _ := strconv.Atoi(text) // 0 for none
	again.SetProperty(message.PropTimerEnqueueMs, strconv.FormatInt(enteredMs, 10))
	again.SetProperty(message.PropTimerRollTimes, strconv.Itoa(rolls+1))
	return t.put(again, m.PhyOffset)
}

// deliver stores a message in its real queue, unless it only takes back another.
func (t *Timer) deliver(m *message.Message, enteredMs int64) error {
	if _, deletes := m.Property(message.PropTimerDelUniqKey); deletes {
		return nil
	}
	out, reason := delivered(m)
	if out == nil {
		t.lost(m.PhyOffset, reason)
		return nil
	}
	out.SetProperty(message.PropTimerEnqueueMs, strconv.FormatInt(enteredMs, 10))
	return t.put(out, m.PhyOffset)
}

func (t *Timer) put(m *message.Message, phyOffset int64) error {
	m.SetProperty(message.PropTimerDequeueMs, strconv.FormatInt(t.clock.Now().UnixMilli(), 10))
	_, err := t.log.Put(m)
	if errors.Is(err, store.ErrMessageIllegal) || errors.Is(err, store.ErrPropertiesTooLarge) {
		t.lost(phyOffset, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("timer message at %d: %w", phyOffset, err)
	}
	t.changed = true
	t.out.Add(1)
	return nil
}
