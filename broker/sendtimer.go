// SPDX-License-Identifier: Apache-2.0

// Messages for a time of their own (TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS), as they are sent. broker/delay
// delivers them. Java: HookUtils.transformTimerMessage, AbstractSendMessageProcessor.attachRecallHandle.

package broker

import (
	"strconv"
	"time"

	"rocketd/broker/delay"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store"
)

// timerProps are the properties that ask for a time; empty: not there.
type timerProps struct {
	delaySec, delayMs, deliverMs string // the first of them counts
	takesBack                    bool   // TIMER_DEL_UNIQKEY
}

func (p *timerProps) asked() bool { return p.delaySec != "" || p.delayMs != "" || p.deliverMs != "" }

// timeMs is the time that they ask for.
func (p *timerProps) timeMs(nowMs int64) (int64, error) {
	switch {
	case p.delaySec != "":
		n, err := strconv.ParseInt(p.delaySec, 10, 32)
		return nowMs + n*1000, err
	case p.delayMs != "":
		n, err := strconv.ParseInt(p.delayMs, 10, 32)
		return nowMs + n, err
	}
	return strconv.ParseInt(p.deliverMs, 10, 64)
}

// timerDue is the slot that a message waits for, 0 when its time has come already.
func (b *Broker) timerDue(p *timerProps) (dueMs int64, err error) {
	cfg := b.cfg.Load()
	if b.timer == nil {
		return 0, protocol.Errorf(protocol.SystemError, "accurate timer message is not enabled, timerWheelEnable is %t", cfg.TimerWheelEnable)
	}
	nowMs := b.nowMs()
	timeMs, err := p.timeMs(nowMs)
	past := err == nil && timeMs <= nowMs
	if err != nil || past && p.takesBack || !past && timeMs-nowMs > int64(cfg.TimerMaxDelaySec)*1000 {
		return 0, protocol.Errorf(protocol.MessageIllegal, "timer message illegal, the delay time should not be bigger than the max delay %dms; "+
			"or if set del msg, the delay time should be bigger than the current time", int64(cfg.TimerMaxDelaySec)*1000)
	}
	if past {
		return 0, nil
	}
	precisionMs := int64(cfg.TimerPrecisionMs)
	dueMs = (timeMs - 1) / precisionMs * precisionMs // the last slot that is over at the time: nothing comes too early
	if waiting, _ := b.timer.Waiting(dueMs); waiting > int64(cfg.TimerCongestNumEachSlot) {
		most := int64(cfg.TimerCongestNumEachSlot)
		return 0, protocol.Errorf(protocol.SystemError, "timer message is under flow control, max num limit is %d or the current value is greater than %d "+
			"and less than %d, trigger random flow control", 2*most, most, 2*most)
	}
	return dueMs, nil
}

// timeBy lets a message wait in the timer's queue, unless its time has come.
func (b *Broker) timeBy(m *message.Message, p *timerProps) error {
	dueMs, err := b.timerDue(p)
	if err != nil || dueMs == 0 {
		return err
	}
	m.SetProperty(message.PropTimerOutMs, strconv.FormatInt(dueMs, 10))
	m.WaitIn(message.TimerTopic, 0)
	return nil
}

// recallHandle is what a client needs to take a waiting message back; empty for a message that does not wait.
func recallHandle(brokerName string, m *message.Message, uniqKey string) string {
	if m.Topic != message.TimerTopic {
		return ""
	}
	text, _ := m.Property(message.PropTimerOutMs)
	dueMs, err := strconv.ParseInt(text, 10, 64)
	topic, ok := m.Property(message.PropRealTopic)
	if err != nil || !ok || message.IsRetryTopic(topic) {
		return ""
	}
	return protocol.RecallHandle{Topic: topic, BrokerName: brokerName, TimeText: strconv.FormatInt(dueMs+1, 10), UniqKey: uniqKey}.String()
}

// newTimer returns the timer of a broker that has one.
func (b *Broker) newTimer(cfg *Config, opened *store.Store) *delay.Timer {
	if !cfg.TimerWheelEnable {
		return nil
	}
	return delay.NewTimer(delay.TimerConfig{
		Root: cfg.StorePathRootDir, Precision: time.Duration(cfg.TimerPrecisionMs) * time.Millisecond,
		RollSlots: int64(delay.RollSlots(cfg.TimerRollWindowSlot)), FileSize: int64(cfg.MappedFileSizeTimerLog),
	}, delay.TimerDeps{
		FS: b.fs, Log: countedStore{opened, b.stats}, Entered: b.stats.TimerEntered, Fired: b.stats.TimerFired, Clock: b.clock, Logger: b.deps.Log.With().Str("part", "timer").Logger(),
		Limits: func() delay.TimerLimits {
			cfg := b.cfg.Load()
			return delay.TimerLimits{
				SaveEvery: time.Duration(max(cfg.TimerFlushIntervalMs, 1)) * time.Millisecond,
				StopEnter: cfg.TimerStopEnqueue, StopFire: cfg.TimerStopDequeue,
			}
		},
	})
}

// timerState is how the timer does, all zero without one.
func (b *Broker) timerState() (state delay.TimerState) {
	if b.timer != nil {
		state = b.timer.State()
	}
	return state
}
