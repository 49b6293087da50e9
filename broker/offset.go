// SPDX-License-Identifier: Apache-2.0

// QUERY_CONSUMER_OFFSET(14), UPDATE_CONSUMER_OFFSET(15). Sent by consumers and tools.
// Java: ConsumerManageProcessor.
// Outcomes: Success, QueryNotFound; Success, SubscriptionGroupNotExist, TopicNotExist, InvalidParameter.
// Deviation: a queue id that no topic can have is refused, where Java stores an offset for it.

package broker

import (
	"context"

	"rocketd/protocol"
	"rocketd/remoting"
)

// storedOffset is protocol.QueryConsumerOffsetResult where there may be no offset: Java's answer
// then has a header with nothing in it.
type storedOffset struct {
	Offset *int64 `rmq:"offset"`
}

// queryConsumerOffset answers how far a group has consumed. A group that has no offset yet starts
// at 0 when the queue is so young that its first message is still in memory; else the client
// decides where to start.
func (b *Broker) queryConsumerOffset(_ context.Context, c *remoting.Call, req *protocol.QueryConsumerOffsetHeader) (*storedOffset, error) {
	if offset, ok := b.offsets.Query(req.ConsumerGroup, req.Topic, req.QueueID); ok && offset >= 0 {
		return &storedOffset{Offset: &offset}, nil
	}
	if c.Inline() {
		return nil, remoting.OffReader // the queue's first unit may not be in memory
	}
	switch {
	case req.SetZeroIfNotFound != nil && !*req.SetZeroIfNotFound:
		c.Outcome(protocol.QueryNotFound, "Not found, do not set to zero, maybe this group boot first")
	case b.startsInMemory(req.Topic, req.QueueID):
		return &storedOffset{Offset: new(int64)}, nil
	default:
		c.Outcome(protocol.QueryNotFound, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first")
	}
	return &storedOffset{}, nil
}

func (b *Broker) startsInMemory(topic string, queueID int32) bool {
	if first, _, ok := b.store.QueueRange(topic, queueID); !ok || first > 0 {
		return false
	}
	phyOffset, _, _, ok := b.store.TagsCodeAt(topic, queueID, 0)
	return ok && b.store.InMemory(phyOffset)
}

// updateConsumerOffset stores how far a group has consumed. Any offset is taken, as in Java: one
// behind the stored one is a reset by the client, a negative one reads as none.
func (b *Broker) updateConsumerOffset(_ context.Context, c *remoting.Call, req *protocol.UpdateConsumerOffsetHeader) (*protocol.Empty, error) {
	answer := &protocol.Empty{}
	if _, ok := b.groups.Get(req.ConsumerGroup); !ok {
		return answer, protocol.Errorf(protocol.SubscriptionGroupNotExist, "Group %s not exist!", req.ConsumerGroup)
	}
	if _, ok := b.topics.Get(req.Topic); !ok {
		return answer, protocol.Errorf(protocol.TopicNotExist, "Topic %s not exist!", req.Topic)
	}
	if _, ok := c.Request().Field("queueId"); !ok {
		return answer, protocol.Errorf(protocol.InvalidParameter, "QueueId is null, topic is %s", req.Topic)
	}
	if _, ok := c.Request().Field("commitOffset"); !ok {
		return answer, protocol.Errorf(protocol.InvalidParameter, "Offset is null, topic is %s", req.Topic)
	}
	if req.QueueID < 0 || req.QueueID >= maxTopicQueues {
		return answer, protocol.Errorf(protocol.InvalidParameter, "QueueId %d is illegal, topic is %s", req.QueueID, req.Topic)
	}
	if _, pending := b.offsets.PendingReset(req.ConsumerGroup, req.Topic, req.QueueID); pending {
		c.Outcome(protocol.Success, "Offset has been previously reset")
		return answer, nil
	}
	b.offsets.Commit(req.ConsumerGroup, req.Topic, req.QueueID, req.CommitOffset)
	return answer, nil
}
