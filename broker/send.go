// SPDX-License-Identifier: Apache-2.0

// SEND_MESSAGE(10), SEND_MESSAGE_V2(310), SEND_BATCH_MESSAGE(320). Sent by producers, and by
// consumers to %RETRY% topics when sending back failed. Java: SendMessageProcessor,
// AbstractSendMessageProcessor, HookUtils.
// Outcomes: Success; FlushDiskTimeout with the full header; SystemError, SystemBusy,
// MessageIllegal, ServiceNotAvailable, NoPermission, TopicNotExist, SubscriptionGroupNotExist,
// InvalidParameter.
// Deviations: an empty or torn body is MessageIllegal, where Java fails with a NullPointerException
// or a BufferUnderflowException.

package broker

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"rocketd/broker/txn"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store"
)

const startAcceptForm = "2006-01-02 15:04:05,000"

// send stores one message or a batch. It runs on the connection's reader, so
// whatever may block is detached, and the call is parked while it waits for the disk.
func (b *Broker) send(_ context.Context, c *remoting.Call, h *protocol.SendHeader) (*protocol.SendResult, error) {
	cfg := b.cfg.Load()
	c.SetField(protocol.ExtRegion, cfg.RegionID)
	c.SetField(protocol.ExtTraceOn, boolText(cfg.TraceOn))
	if err := b.checkSend(cfg, h); err != nil {
		return nil, err
	}
	if cfg.FlushDiskType == store.SyncFlush && b.durable.Full() {
		return nil, protocol.Errorf(protocol.SystemBusy, "[OVERLOAD]system busy, start flow control for a while")
	}
	topic, known := b.topics.Get(h.Topic)
	if !known || message.IsRetryTopic(h.Topic) || b.store.MayWait(storedBytes(c, h)) {
		return nil, remoting.Detach(func() (any, error) {
			topic, err := b.topicForSend(cfg, h)
			if err != nil {
				return nil, err
			}
			return b.sendTo(c, cfg, h, topic)
		})
	}
	return b.sendTo(c, cfg, h, topic)
}

// storedBytes is about as much as the store will write besides the heads of records. Messages of a batch grow more than
// others, each getting its topic and the broker's properties.
func storedBytes(c *remoting.Call, h *protocol.SendHeader) int {
	const growth = 16
	n := len(c.Request().Body) + len(h.Properties)
	if h.Batch {
		n *= growth
	}
	return n
}

// checkSend is the refusals that need no topic.
func (b *Broker) checkSend(cfg *Config, h *protocol.SendHeader) error {
	if cfg.StartAcceptSendRequestTimeMs > 0 && b.nowMs() < cfg.StartAcceptSendRequestTimeMs {
		return protocol.Errorf(protocol.SystemError, "broker unable to service, until %s",
			time.UnixMilli(cfg.StartAcceptSendRequestTimeMs).Format(startAcceptForm))
	}
	if cfg.BrokerPermission&protocol.PermWrite == 0 {
		if topic, ok := b.topics.Get(h.Topic); ok && topic.Order {
			return protocol.Errorf(protocol.NoPermission, "the broker[%s] sending message is forbidden", cfg.BrokerIP1)
		}
	}
	if err := message.ValidTopic(h.Topic); err != nil {
		return protocol.Errorf(protocol.InvalidParameter, "%v", err)
	}
	if message.IsForbiddenTopic(h.Topic) {
		return protocol.Errorf(protocol.NoPermission, "Sending message to topic[%s] is forbidden.", h.Topic)
	}
	return nil
}

// topicForSend returns a topic, made after the default topic that the client
// names when there is none yet. Only a default topic with the inherit bit is
// copied; autoCreateTopicEnable decides whether TBW102 is one.
func (b *Broker) topicForSend(cfg *Config, h *protocol.SendHeader) (*protocol.TopicConfig, error) {
	if topic, ok := b.topics.Get(h.Topic); ok {
		return topic, nil
	}
	fresh := b.inherited(cfg, h)
	if fresh == nil && message.IsRetryTopic(h.Topic) {
		fresh = protocol.NewTopicConfig(h.Topic, 1, 1, protocol.PermRead|protocol.PermWrite)
		fresh.TopicSysFlag = unitSysFlag(h.Topic, h.UnitMode)
	}
	if fresh == nil {
		return nil, protocol.Errorf(protocol.TopicNotExist, "topic[%s] not exist, apply first please!%s", h.Topic, faq)
	}
	return b.ensureTopic(fresh)
}

func (b *Broker) inherited(cfg *Config, h *protocol.SendHeader) *protocol.TopicConfig {
	model, ok := b.topics.Get(h.DefaultTopic)
	if !ok || model.Perm&protocol.PermInherit == 0 || h.DefaultTopic == message.DefaultTopic && !cfg.AutoCreateTopicEnable {
		return nil
	}
	queues := max(min(h.DefaultTopicQueueNums, model.WriteQueueNums), 0)
	fresh := protocol.NewTopicConfig(h.Topic, queues, queues, model.Perm&^protocol.PermInherit)
	fresh.TopicFilterType = model.TopicFilterType
	fresh.TopicSysFlag = unitSysFlag(h.Topic, h.UnitMode)
	return fresh
}

// unitSysFlag is the sysFlag of a topic made for a client in unit mode.
func unitSysFlag(topic string, unit bool) int32 {
	const isUnit, hasUnitSub = 1, 2
	switch {
	case !unit:
		return 0
	case message.IsRetryTopic(topic):
		return hasUnitSub
	}
	return isUnit
}

// ensureTopic creates a topic unless somebody was faster, and has the name
// servers told without waiting for them, as Java does.
func (b *Broker) ensureTopic(fresh *protocol.TopicConfig) (*protocol.TopicConfig, error) {
	if topic, ok := b.topics.Get(fresh.TopicName); ok {
		return topic, nil
	}
	created, err := b.topics.Ensure(fresh)
	if err != nil {
		return nil, err
	}
	if created {
		b.topicsChanged()
	}
	topic, ok := b.topics.Get(fresh.TopicName)
	if !ok {
		return nil, protocol.Errorf(protocol.SystemError, "topic[%s] not exist", fresh.TopicName)
	}
	return topic, nil
}

// sendQueue is the queue that is sent to: the client may leave the choice to the broker.
func (b *Broker) sendQueue(c *remoting.Call, h *protocol.SendHeader, topic *protocol.TopicConfig) (int32, error) {
	switch {
	case h.QueueID >= max(topic.ReadQueueNums, topic.WriteQueueNums):
		return 0, protocol.Errorf(protocol.InvalidParameter, "request queueId[%d] is illegal, %s Producer: %s", h.QueueID, topic, peerAddr(c))
	case h.QueueID < 0:
		return b.pick(topic.WriteQueueNums), nil
	}
	return h.QueueID, nil
}

// sendTo stores what is sent to a topic that exists.
func (b *Broker) sendTo(c *remoting.Call, cfg *Config, h *protocol.SendHeader, topic *protocol.TopicConfig) (*protocol.SendResult, error) {
	queueID, err := b.sendQueue(c, h, topic)
	if err != nil {
		return nil, err
	}
	if topic.Attributes[queueTypeAttribute] == batchQueueType {
		return nil, protocol.Errorf(protocol.MessageIllegal, "topic[%s] keeps batches whole (queue.type=%s), which is not supported", h.Topic, batchQueueType)
	}
	if h.Batch {
		return b.sendBatch(c, cfg, h, topic, queueID)
	}
	return b.sendOne(c, cfg, h, topic, queueID)
}

func (b *Broker) sendOne(c *remoting.Call, cfg *Config, h *protocol.SendHeader, topic *protocol.TopicConfig, queueID int32) (*protocol.SendResult, error) {
	p := readProps(h.Properties)
	m := message.Message{
		Topic: h.Topic, QueueID: queueID, Flag: h.Flag, SysFlag: h.SysFlag,
		BornTimestampMs: h.BornTimestampMs, BornHost: bornHost(c), StoreHost: b.storeHost,
		ReconsumeTimes: h.ReconsumeTimes, Body: c.Request().Body,
	}
	if message.IsRetryTopic(h.Topic) {
		dead, err := b.deadLetter(c, h)
		if err != nil {
			return nil, err
		}
		if dead {
			if topic, err = b.dlqTopic(h.Topic[len(message.RetryPrefix):]); err != nil {
				return nil, err
			}
			m.Topic, m.QueueID = topic.TopicName, 0
			p = readProps(message.SetProperty(p.text, message.PropDelay, "-1"))
		}
	}
	if topic.TopicFilterType == protocol.MultiTag {
		m.SysFlag |= message.FlagMultiTags
	}
	if topic.Attributes[cleanupPolicyAttribute] == compactionPolicy && strings.TrimSpace(p.keys) == "" {
		return nil, protocol.Errorf(protocol.MessageIllegal, "Required message key is missing")
	}
	if len(m.Body) == 0 || m.SysFlag&message.FlagInnerBatch != 0 || p.innerNum {
		return nil, b.illegal()
	}
	uniqKey := p.uniqKey
	m.Properties = b.storedProps(cfg, &p, &uniqKey)
	p.placeByKind(&m, topic)
	queueID = m.QueueID
	if err := b.redirect(&m, &p); err != nil {
		return nil, err
	}
	receipt, err := b.store.Put(&m)
	if err != nil {
		return nil, b.putOutcome(err)
	}
	b.stats.Put(m.Topic, 1, int64(receipt.Size))
	return b.whenDurable(c, cfg, p.noWait, receipt.EndOffset, &protocol.SendResult{
		MsgID: message.OffsetMsgID(m.StoreHost, receipt.PhyOffset), QueueID: queueID, QueueOffset: receipt.QueueOffset,
		TransactionID: uniqKey, RecallHandle: recallHandle(cfg.BrokerName, &m, uniqKey),
	})
}

// storedProps is the property text with what the broker adds, in one allocation.
func (b *Broker) storedProps(cfg *Config, p *sendProps, uniqKey *string) string {
	added := b.ownProps[0]
	if cfg.TraceOn {
		added = b.ownProps[1]
	}
	if *uniqKey != "" {
		return p.text + added
	}
	*uniqKey = b.uniq.next()
	return p.text + added + message.PropUniqKey + string(propNameEnd) + *uniqKey + string(propValueEnd)
}

// redirect sends a message that is not to be read yet where it waits.
func (b *Broker) redirect(m *message.Message, p *sendProps) error {
	level, err := p.delayLevel()
	if err != nil {
		return err
	}
	if p.tran && (m.ReconsumeTimes <= 0 || level <= 0) {
		if cfg := b.cfg.Load(); cfg.RejectTransactionMessage {
			return protocol.Errorf(protocol.NoPermission, "the broker[%s] sending transaction message is forbidden", cfg.BrokerIP1)
		}
		if level <= 0 && p.timer.asked() && !p.fired {
			if _, err := b.timerDue(&p.timer); err != nil {
				return err
			}
		}
		txn.Prepare(m)
		return nil // a delay begins with the commit
	}
	if tran := message.TranType(m.SysFlag); tran != message.TranNotType && tran != message.TranCommit {
		return nil
	}
	if level > 0 {
		b.delayBy(m, level, p.timer.asked())
		return nil
	}
	if p.timer.asked() && !p.fired && m.Topic != message.TimerTopic {
		return b.timeBy(m, &p.timer)
	}
	return nil
}

// delayBy lets a message wait in the queue of a delay level. A level wins over
// timer properties.
func (b *Broker) delayBy(m *message.Message, level int32, timer bool) {
	levels := int32(len(b.store.DelayLevels()))
	if levels == 0 {
		return
	}
	if level > levels {
		level = levels
		m.SetProperty(message.PropDelay, strconv.Itoa(int(level)))
	}
	if timer {
		for _, name := range [...]string{message.PropTimerDelaySec, message.PropTimerDelayMs, message.PropTimerDeliverMs} {
			m.RemoveProperty(name)
		}
	}
	m.WaitIn(message.ScheduleTopic, level-1)
}

// whenDurable is the answer of a send, which waits for the disk where the sender
// wants it. Then the call is not the handler's any more.
func (b *Broker) whenDurable(c *remoting.Call, cfg *Config, noWait bool, endOffset int64, result *protocol.SendResult) (*protocol.SendResult, error) {
	if cfg.FlushDiskType != store.SyncFlush || noWait {
		return result, nil
	}
	b.durable.Add(c, result, endOffset)
	b.store.RequestFlush()
	return nil, remoting.Parked
}

// addressed is a peer that keeps its address in the form that messages need.
type addressed interface{ RemoteAddrPort() netip.AddrPort }

// bornHost is the sender's address as the message keeps it.
func bornHost(c *remoting.Call) netip.AddrPort {
	if p, ok := c.Peer().(addressed); ok {
		return p.RemoteAddrPort()
	}
	return remoting.AddrPort(peerAddr(c))
}
