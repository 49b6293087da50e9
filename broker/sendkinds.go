// SPDX-License-Identifier: Apache-2.0

// sendkinds.go: what the kind of a message decides that its properties say: a priority its queue, a lite topic the light
// queue that it is noted for. Java: SendMessageProcessor.sendMessage, TopicMessageType, LiteUtil.
// Light queues are not served: the property stays with the message and is all that comes of it, as with Java's
// enableLmq=false and enableMultiDispatch=false.

package broker

import (
	"strconv"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

const (
	liteQueuePrefix  = "%LMQ%$"
	batchQueueType   = "BatchCQ"
	compactionPolicy = "COMPACTION"
)

// warnOfKind tells the operator of a topic that will not be what its attributes say.
func (b *Broker) warnOfKind(topic *protocol.TopicConfig) {
	switch {
	case topic.Attributes[queueTypeAttribute] == batchQueueType:
		b.log.Warn().Str("topic", topic.TopicName).Msg("whole batches are not kept: sends to this topic are refused")
	case topic.Attributes[cleanupPolicyAttribute] == compactionPolicy:
		b.log.Warn().Str("topic", topic.TopicName).Msg("nothing is compacted: all messages of this topic stay until their log file expires (fileReservedTime), then all go")
	}
}

// ofKind is false for every property of an ordinary message.
func (p *sendProps) ofKind() bool { return p.priority != "" || p.liteTopic != "" }

// placeByKind gives the message the queue and the properties that its kind asks for.
func (p *sendProps) placeByKind(m *message.Message, topic *protocol.TopicConfig) {
	if !p.ofKind() {
		return
	}
	if p.liteTopic != "" {
		m.SetProperty(message.PropInnerMultiDispatch, liteQueuePrefix+m.Topic+"$"+p.liteTopic)
	}
	priority, err := strconv.ParseInt(p.priority, 10, 32)
	switch {
	case err != nil || priority < 0: // it is only a property like others
	case p.otherKind:
		m.RemoveProperty(message.PropPriority)
	default:
		m.QueueID = max(min(int32(priority), topic.WriteQueueNums-1), 0)
	}
}
