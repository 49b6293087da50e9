// SPDX-License-Identifier: Apache-2.0

// sendbatch.go: the batch form of a send, which the header decides and not the
// code. Java: SendMessageProcessor.sendBatchMessage.

package broker

import (
	"cmp"
	"strings"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

// sendBatch stores the messages of a batch, all or none. Each keeps its own
// properties as they are; those of the header say whether to wait, and may not
// ask for what a batch cannot have.
func (b *Broker) sendBatch(c *remoting.Call, cfg *Config, h *protocol.SendHeader, topic *protocol.TopicConfig, queueID int32) (*protocol.SendResult, error) {
	if len(h.Topic) > message.MaxTopicBytes {
		return nil, protocol.Errorf(protocol.MessageIllegal, "message topic length too long %d", len(h.Topic))
	}
	if message.IsRetryTopic(h.Topic) {
		return nil, protocol.Errorf(protocol.MessageIllegal, "batch request does not support retry group %s", h.Topic)
	}
	p := readProps(h.Properties)
	if level, err := p.delayLevel(); err != nil || level > 0 || p.innerNum || message.TranType(h.SysFlag) != message.TranNotType {
		return nil, cmp.Or(err, b.illegal())
	}
	template := message.Message{
		Topic: h.Topic, QueueID: queueID, SysFlag: h.SysFlag,
		BornTimestampMs: h.BornTimestampMs, BornHost: bornHost(c), StoreHost: b.storeHost, ReconsumeTimes: h.ReconsumeTimes,
	}
	if topic.TopicFilterType == protocol.MultiTag {
		template.SysFlag |= message.FlagMultiTags
	}
	ms, err := b.splitBatch(c.Request().Body, template, cfg.MaxMessageSize)
	if err != nil {
		return nil, err
	}
	receipts, err := b.store.PutBatch(ms)
	if err != nil {
		return nil, b.putOutcome(err)
	}
	bytes := int64(0)
	ids := make([]string, len(receipts))
	for i, r := range receipts {
		ids[i] = message.OffsetMsgID(b.storeHost, r.PhyOffset)
		bytes += int64(r.Size)
	}
	b.stats.Put(h.Topic, int64(len(receipts)), bytes)
	return b.whenDurable(c, cfg, p.noWait, receipts[len(receipts)-1].EndOffset, &protocol.SendResult{
		MsgID: strings.Join(ids, ","), QueueID: queueID, QueueOffset: receipts[0].QueueOffset, TransactionID: p.uniqKey,
	})
}

// splitBatch takes a body apart. It gives up as soon as the records would
// exceed what a batch may be, so that tiny items cannot make a huge list.
func (b *Broker) splitBatch(body []byte, template message.Message, maxBytes int) ([]message.Message, error) {
	if len(body) == 0 || len(body) > maxBytes || template.SysFlag&message.FlagInnerBatch != 0 {
		return nil, b.illegal()
	}
	var ms []message.Message
	recordBytes := 0
	err := message.DecodeBatch(body, func(flag int32, body []byte, props string) error {
		recordBytes += message.MinRecordBytes + len(template.Topic) + len(body) + len(props)
		if recordBytes > maxBytes {
			return b.illegal()
		}
		m := template
		m.Flag, m.Body, m.Properties = flag, body, props
		ms = append(ms, m)
		return nil
	})
	if err != nil {
		return nil, b.illegal()
	}
	return ms, nil
}
