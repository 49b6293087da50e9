// SPDX-License-Identifier: Apache-2.0

// INVOKE_BROKER_TO_RESET_OFFSET(222). Sent by tools. Java: AdminBrokerProcessor.resetOffset, Broker2Client.resetOffset.
// With useServerSideResetOffset, the default, the offset is set here and each queue's next pull is told (code 21). Without
// it, as in 4.x, the members of the group are told (220) and commit the offset themselves.
// Outcomes: Success with the new offsets; TopicNotExist, SubscriptionGroupNotExist; SystemError for an offset outside the
// queue, and in the 4.x way for a group without offsets or with clients that are too old; ConsumerNotOnline.

package broker

import (
	"context"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/store"
)

func (b *Broker) resetOffset(_ context.Context, c *remoting.Call, h *protocol.ResetOffsetHeader) (*protocol.Empty, error) {
	reset := b.resetByPush
	if b.cfg.Load().UseServerSideResetOffset {
		reset = b.resetHere
	}
	table, err := reset(c, h)
	if err != nil {
		return nil, err
	}
	return nil, answerJSON(c, protocol.ResetOffset{OffsetTable: table})
}

func (b *Broker) resetHere(_ *remoting.Call, h *protocol.ResetOffsetHeader) (map[protocol.MessageQueue]int64, error) {
	if b.cfg.Load().BrokerRole == store.Slave {
		return nil, protocol.Errorf(protocol.SystemError, "Can not reset offset in slave broker")
	}
	topic, ok := b.topics.Get(h.Topic)
	if !ok {
		return nil, protocol.Errorf(protocol.TopicNotExist, "Topic %s does not exist", h.Topic)
	}
	if _, ok := b.groups.Get(h.Group); !ok {
		return nil, protocol.Errorf(protocol.SubscriptionGroupNotExist, "Group %s does not exist", h.Group)
	}
	offsets, err := b.resetTargets(h, topic)
	if err != nil {
		return nil, err
	}
	table := make(map[protocol.MessageQueue]int64, len(offsets))
	for queueID, offset := range offsets {
		b.offsets.AssignReset(h.Group, h.Topic, queueID, offset)
		table[b.messageQueue(h.Topic, queueID)] = offset
	}
	return table, nil
}

// resetTargets is where each queue that is meant is set to.
func (b *Broker) resetTargets(h *protocol.ResetOffsetHeader, topic *protocol.TopicConfig) (map[int32]int64, error) {
	if h.QueueID == nil || *h.QueueID < 0 {
		offsets := map[int32]int64{}
		for id := range clampQueues(topic.ReadQueueNums) {
			offset, err := b.offsetAt(h.Topic, id, h.TimestampMs)
			if err != nil {
				return nil, err
			}
			offsets[id] = offset
		}
		if len(offsets) == 0 {
			return nil, protocol.Errorf(protocol.SystemError, "No queues to reset.")
		}
		return offsets, nil
	}
	if *h.QueueID >= maxTopicQueues {
		return nil, protocol.Errorf(protocol.InvalidParameter, "queueId %d is illegal, topic is %s", *h.QueueID, h.Topic)
	}
	if h.Offset == nil || *h.Offset == -1 {
		offset, err := b.offsetAt(h.Topic, *h.QueueID, h.TimestampMs)
		return map[int32]int64{*h.QueueID: offset}, err
	}
	first, end, _ := b.store.QueueRange(h.Topic, *h.QueueID)
	if first, end = max(first, 0), max(end, 0); *h.Offset < first || *h.Offset > end+1 {
		return nil, protocol.Errorf(protocol.SystemError, "Target offset %d not in consume queue range [%d-%d]", *h.Offset, first, end)
	}
	return map[int32]int64{*h.QueueID: *h.Offset}, nil
}

// offsetAt is the offset of the first message stored at a time or later; of a negative time, the end.
func (b *Broker) offsetAt(topic string, queueID int32, timeMs int64) (int64, error) {
	if timeMs < 0 {
		_, end, _ := b.store.QueueRange(topic, queueID)
		return max(end, 0), nil
	}
	offset, err := b.store.OffsetByTime(topic, queueID, timeMs, false)
	return max(offset, 0), err
}

func (b *Broker) resetByPush(c *remoting.Call, h *protocol.ResetOffsetHeader) (map[protocol.MessageQueue]int64, error) {
	table, err := b.pushTargets(h)
	if err != nil {
		return nil, err
	}
	group, ok := b.consumers.Group(h.Group)
	if !ok {
		return nil, protocol.Errorf(protocol.ConsumerNotOnline, "Consumer not online, so can not reset online, Group: %s Topic: %s Timestamp: %d",
			h.Group, h.Topic, h.TimestampMs)
	}
	req := protocol.NewRequest(protocol.ResetConsumerClientOffset, &protocol.ResetClientOffsetHeader{
		Topic: h.Topic, Group: h.Group, QueueID: -1, TimestampMs: h.TimestampMs,
	})
	if req.Body, err = resetBody(table, c.Request().Language == protocol.LangCPP); err != nil {
		return nil, err
	}
	for _, client := range group.Channels() {
		if err := supportsReset(client); err != nil {
			return nil, err
		}
		if err := client.Peer.Oneway(req); err != nil {
			b.log.Warn().Err(err).Str("group", h.Group).Str("client", client.ClientID).Msg("consumer could not be told of its new offsets")
		}
	}
	return table, nil
}

// pushTargets is where each queue is set to in the 4.x way: forward only by force.
func (b *Broker) pushTargets(h *protocol.ResetOffsetHeader) (map[protocol.MessageQueue]int64, error) {
	topic, ok := b.topics.Get(h.Topic)
	if !ok {
		return nil, protocol.Errorf(protocol.SystemError, "[reset-offset] reset offset failed, no topic in this broker. topic=%s", h.Topic)
	}
	table := map[protocol.MessageQueue]int64{}
	for id := range clampQueues(topic.WriteQueueNums) {
		consumed, ok := b.offsets.Query(h.Group, h.Topic, id)
		if !ok || consumed < 0 {
			return nil, protocol.Errorf(protocol.SystemError, "THe consumer group <%s> not exist", h.Group)
		}
		target, err := b.offsetAt(h.Topic, id, h.TimestampMs)
		if err != nil {
			return nil, err
		}
		if !h.IsForce {
			target = min(target, consumed)
		}
		table[b.messageQueue(h.Topic, id)] = target
	}
	return table, nil
}

// resetBody prints the new offsets for the clients. Those in C++ are known by the tool's language.
func resetBody(table map[protocol.MessageQueue]int64, forC bool) ([]byte, error) {
	if !forC {
		return fastjson.Marshal(protocol.ResetOffset{OffsetTable: table})
	}
	var list protocol.ResetOffsetForC
	for mq, offset := range table {
		list.OffsetTable = append(list.OffsetTable, protocol.QueueOffsetForC{BrokerName: mq.BrokerName, Offset: offset, QueueID: mq.QueueID, Topic: mq.Topic})
	}
	return fastjson.Marshal(list)
}
