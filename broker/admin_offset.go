// SPDX-License-Identifier: Apache-2.0

// GET_EARLIEST_MSG_STORETIME(32), QUERY_CONSUME_TIME_SPAN(303), QUERY_CORRECTION_OFFSET(308), CLONE_GROUP_OFFSET(314).
// Sent by tools. Java: AdminBrokerProcessor, ConsumerOffsetManager.
// Outcomes: Success; 303: TopicNotExist.
// Deviation: 308 leaves the groups that it is to look past as they are, where Java deletes their offsets.

package broker

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"rocketd/protocol"
	"rocketd/remoting"
)

func (b *Broker) earliestStoreTime(_ context.Context, _ *remoting.Call, h *protocol.EarliestStoreTimeHeader) (*protocol.EarliestStoreTimeResult, error) {
	return &protocol.EarliestStoreTimeResult{TimestampMs: b.firstStoreTime(h.Topic, h.QueueID)}, nil
}

// firstStoreTime is when a queue's first message was stored, -1 for a queue without one.
func (b *Broker) firstStoreTime(topic string, queueID int32) int64 {
	first, _, ok := b.store.QueueRange(topic, queueID)
	if !ok {
		return -1
	}
	return b.storeTime(topic, queueID, first, -1)
}

func (b *Broker) consumeTimeSpan(_ context.Context, c *remoting.Call, h *protocol.ConsumeTimeSpanHeader) (*protocol.Empty, error) {
	topic, ok := b.topics.Get(h.Topic)
	if !ok {
		return nil, protocol.Errorf(protocol.TopicNotExist, "topic[%s] not exist", h.Topic)
	}
	spans := []protocol.QueueTimeSpan{}
	for id := range clampQueues(topic.WriteQueueNums) {
		spans = append(spans, b.queueTimeSpan(h, id))
	}
	return nil, answerJSON(c, protocol.ConsumeTimeSpans{ConsumeTimeSpanSet: spans})
}

func (b *Broker) queueTimeSpan(h *protocol.ConsumeTimeSpanHeader, queueID int32) protocol.QueueTimeSpan {
	_, end, _ := b.store.QueueRange(h.Topic, queueID)
	span := protocol.QueueTimeSpan{
		MessageQueue:   b.messageQueue(h.Topic, queueID),
		MinTimeStampMs: b.firstStoreTime(h.Topic, queueID),
		MaxTimeStampMs: b.storeTime(h.Topic, queueID, end-1, -1),
	}
	consumed, ok := b.offsets.Query(h.Group, h.Topic, queueID)
	if !ok {
		consumed = -1
	}
	span.ConsumeTimeStampMs = span.MinTimeStampMs
	if consumed > 0 {
		span.ConsumeTimeStampMs = b.storeTime(h.Topic, queueID, consumed-1, -1)
	}
	if consumed < max(end, 0) {
		span.DelayTimeMs = b.nowMs() - b.storeTime(h.Topic, queueID, consumed, -1)
	}
	span.MinTimeText, span.MaxTimeText, span.ConsumeTimeText = javaTime(span.MinTimeStampMs), javaTime(span.MaxTimeStampMs), javaTime(span.ConsumeTimeStampMs)
	return span
}

// javaTime prints a time as Java's UtilAll.YYYY_MM_DD_HH_MM_SS_SSS does.
func javaTime(ms int64) string {
	return strings.Replace(time.UnixMilli(ms).Format("2006-01-02#15:04:05.000"), ".", ":", 1)
}

// correctionOffset answers, by queue, the least offset of all groups of a topic, or the greatest number where it is
// beyond what the compared group has.
func (b *Broker) correctionOffset(_ context.Context, c *remoting.Call, h *protocol.CorrectionOffsetHeader) (*protocol.Empty, error) {
	least := map[int32]int64{}
	skipped := strings.Split(h.FilterGroups, ",")
	for _, name := range b.offsets.GroupsOf(h.Topic) {
		if slices.Contains(skipped, strings.TrimSuffix(name, broadcastSuffix)) {
			continue
		}
		for queueID, offset := range b.offsets.QueryAll(name, h.Topic) {
			first, _, _ := b.store.QueueRange(h.Topic, queueID)
			if offset < first {
				continue
			}
			if other, ok := least[queueID]; !ok || offset < other {
				least[queueID] = offset
			}
		}
	}
	for queueID, offset := range b.offsets.QueryAll(h.CompareGroup, h.Topic) {
		if other, ok := least[queueID]; !ok || other > offset {
			least[queueID] = math.MaxInt64
		}
	}
	return nil, answerJSON(c, protocol.CorrectionOffsets{CorrectionOffsets: least})
}

// cloneOffset gives a group the offsets of another one.
func (b *Broker) cloneOffset(_ context.Context, _ *remoting.Call, h *protocol.CloneOffsetHeader) (*protocol.Empty, error) {
	topics := []string{h.Topic}
	if strings.TrimSpace(h.Topic) == "" {
		topics = b.offsets.TopicsOf(h.SrcGroup)
	}
	for _, topic := range topics {
		if _, ok := b.topics.Get(topic); !ok || !h.Offline && b.unsubscribed(h.SrcGroup, topic) {
			b.log.Warn().Str("topic", topic).Str("group", h.SrcGroup).Msg("offsets are not cloned: the topic is gone or not subscribed to")
			continue
		}
		for queueID, offset := range b.offsets.QueryAll(h.SrcGroup, topic) {
			b.offsets.Commit(h.DestGroup, topic, queueID, offset)
		}
	}
	return nil, nil
}
