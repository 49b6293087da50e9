// SPDX-License-Identifier: Apache-2.0

// CONSUMER_SEND_MSG_BACK(36). Sent by consumers that could not consume a message. Java:
// AbstractSendMessageProcessor.consumerSendMsgBack, SendMessageProcessor.handleRetryAndDLQ.
// Outcomes: Success; SubscriptionGroupNotExist, NoPermission; SystemError when there is no message
// at the offset or it cannot be stored.
// Deviation: with SYNC_FLUSH the answer waits for the disk, because the consumer forgets the
// original as soon as it has the answer.

package broker

import (
	"context"
	"errors"
	"strconv"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store"
)

const (
	// maxReconsumeSince is the client version (V3_4_9) from which the header's own limit counts.
	maxReconsumeSince = 121
	// firstRetryLevel is the delay level of the first retry; each further one is a level higher.
	firstRetryLevel = 3
	dlqQueues       = 1
)

func (b *Broker) sendBack(ctx context.Context, c *remoting.Call, h *protocol.SendBackHeader) (*protocol.Empty, error) {
	cfg := b.cfg.Load()
	group, ok := b.findGroup(h.Group)
	if !ok {
		return nil, groupNotExist(h.Group)
	}
	if cfg.BrokerPermission&protocol.PermWrite == 0 {
		return nil, protocol.Errorf(protocol.NoPermission, "the broker[%s] sending message is forbidden", cfg.BrokerIP1)
	}
	if group.RetryQueueNums <= 0 {
		return nil, nil
	}
	retry, err := b.retryTopic(h, group)
	if err != nil {
		return nil, err
	}
	m, err := b.store.Message(h.PhyOffset)
	if errors.Is(err, store.ErrNotFound) {
		return nil, protocol.Errorf(protocol.SystemError, "look message by offset failed, %d", h.PhyOffset)
	}
	if err != nil {
		return nil, err
	}
	origin := m.Topic
	back, err := b.returned(m, retry, group, h, maxReconsume(c, group, h.MaxReconsumeTimes))
	if err != nil {
		return nil, err
	}
	receipt, err := b.store.Put(back)
	if err != nil {
		return nil, b.putOutcome(err)
	}
	b.stats.Put(back.Topic, 1, int64(receipt.Size))
	b.stats.SentBack(origin, h.Group)
	if cfg.FlushDiskType == store.SyncFlush {
		if err := b.store.AwaitFlush(ctx, receipt.EndOffset); err != nil {
			c.Outcome(protocol.FlushDiskTimeout, "") // the message is stored
		}
	}
	return nil, nil
}

func (b *Broker) retryTopic(h *protocol.SendBackHeader, group *protocol.GroupConfig) (*protocol.TopicConfig, error) {
	fresh := protocol.NewTopicConfig(message.RetryTopic(h.Group), group.RetryQueueNums, group.RetryQueueNums, protocol.PermRead|protocol.PermWrite)
	fresh.TopicSysFlag = unitSysFlag(fresh.TopicName, h.UnitMode)
	topic, err := b.ensureTopic(fresh)
	if err != nil {
		return nil, err
	}
	if topic.Perm&protocol.PermWrite == 0 {
		return nil, protocol.Errorf(protocol.NoPermission, "the topic[%s] sending message is forbidden", topic.TopicName)
	}
	return topic, nil
}

// returned is the message that stands for m from now on: delayed for the retry
// topic, or a dead letter.
func (b *Broker) returned(m *message.Message, retry *protocol.TopicConfig, group *protocol.GroupConfig, h *protocol.SendBackHeader, limit int32) (*message.Message, error) {
	back := &message.Message{
		Topic: retry.TopicName, QueueID: b.pick(group.RetryQueueNums), Flag: m.Flag, SysFlag: m.SysFlag,
		BornTimestampMs: m.BornTimestampMs, BornHost: m.BornHost, StoreHost: b.storeHost,
		ReconsumeTimes: m.ReconsumeTimes + 1, Body: m.Body, Properties: m.Properties,
	}
	if _, ok := m.Property(message.PropRetryTopic); !ok {
		back.SetProperty(message.PropRetryTopic, m.Topic)
	}
	if _, ok := m.Property(message.PropOriginMessageID); !ok {
		back.SetProperty(message.PropOriginMessageID, message.OffsetMsgID(m.StoreHost, m.PhyOffset))
	}
	back.SetProperty(message.PropWait, "false")

	if h.DelayLevel < 0 || m.ReconsumeTimes >= limit {
		dlq, err := b.dlqTopic(h.Group)
		if err != nil {
			return nil, err
		}
		back.Topic, back.QueueID = dlq.TopicName, 0
		back.SetProperty(message.PropDelay, "0")
		return back, nil
	}
	level := h.DelayLevel
	if level == 0 {
		level = firstRetryLevel + m.ReconsumeTimes
	}
	back.SetProperty(message.PropDelay, strconv.Itoa(int(level)))
	if level > 0 {
		b.delayBy(back, level, true)
	}
	return back, nil
}

// deadLetter says whether a message sent to a retry topic has been tried often
// enough. In a group that holds queue locks, which consumes in order, it has:
// trying it later would break the order.
func (b *Broker) deadLetter(c *remoting.Call, h *protocol.SendHeader) (bool, error) {
	name := h.Topic[len(message.RetryPrefix):]
	group, ok := b.findGroup(name)
	if !ok {
		return false, groupNotExist(name)
	}
	return b.locks.HeldByAny(name) || h.ReconsumeTimes > maxReconsume(c, group, h.MaxReconsumeTimes), nil
}

// maxReconsume is how often a message may be tried again: the group's limit, or
// the client's own.
func maxReconsume(c *remoting.Call, group *protocol.GroupConfig, own *int32) int32 {
	if own != nil && c.Request().Version >= maxReconsumeSince {
		return *own
	}
	return group.RetryMaxTimes
}

func (b *Broker) dlqTopic(group string) (*protocol.TopicConfig, error) {
	return b.ensureTopic(protocol.NewTopicConfig(message.DLQTopic(group), dlqQueues, dlqQueues, protocol.PermRead|protocol.PermWrite))
}

func groupNotExist(group string) error {
	return protocol.Errorf(protocol.SubscriptionGroupNotExist, "subscription group not exist, %s %s", group, faq)
}
