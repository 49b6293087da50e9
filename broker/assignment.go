// SPDX-License-Identifier: Apache-2.0

// QUERY_ASSIGNMENT(400). Sent by 5.x consumers that let the broker share the queues out. Java: QueryAssignmentProcessor,
// AllocateMessageQueueAveragely, AllocateMessageQueueAveragelyByCircle.
// Outcomes: Success with the member's queues, none when the member is unknown, and no list at all when topic, group or
// strategy is: the client then keeps what it has.
// Deviation: the mode is always PULL, as POP is not served.

package broker

import (
	"context"
	"slices"

	"rocketd/protocol"
	"rocketd/remoting"
)

func (b *Broker) queryAssignment(_ context.Context, c *remoting.Call, _ *protocol.RPC) (*protocol.Empty, error) {
	body := new(protocol.AssignmentRequest)
	if err := requestJSON(c, body); err != nil {
		return nil, err
	}
	mine := b.assign(body)
	var answer protocol.Assignments
	if mine != nil {
		answer.MessageQueueAssignments = []protocol.Assignment{}
	}
	for _, mq := range mine {
		answer.MessageQueueAssignments = append(answer.MessageQueueAssignments, protocol.Assignment{MessageQueue: mq, Mode: "PULL"})
	}
	return nil, answerJSON(c, answer)
}

// assign returns a member's queues; nil where nothing is known that could be shared out.
func (b *Broker) assign(body *protocol.AssignmentRequest) []protocol.MessageQueue {
	topic, ok := b.topics.Get(body.Topic)
	if !ok || topic.Perm&protocol.PermRead == 0 {
		return nil
	}
	queues := make([]protocol.MessageQueue, clampQueues(topic.ReadQueueNums))
	for id := range queues {
		queues[id] = b.messageQueue(body.Topic, int32(id))
	}
	if body.MessageModel == protocol.Broadcasting {
		return queues
	}
	group, ok := b.consumers.Group(body.ConsumerGroup)
	if !ok {
		return nil
	}
	members := group.ClientIDs()
	place := slices.Index(members, body.ClientID)
	if place < 0 {
		return []protocol.MessageQueue{}
	}
	switch body.StrategyName {
	case "AVG":
		return averagely(queues, place, len(members))
	case "AVG_BY_CIRCLE":
		return byCircle(queues, place, len(members))
	}
	return nil
}

// averagely gives each member a run of neighbours; the first ones get one more where it does not come out even.
func averagely(queues []protocol.MessageQueue, place, members int) []protocol.MessageQueue {
	share, more := len(queues)/members, len(queues)%members
	start := place*share + min(place, more)
	if place < more {
		share++
	}
	return queues[start : start+share]
}

func byCircle(queues []protocol.MessageQueue, place, members int) []protocol.MessageQueue {
	mine := []protocol.MessageQueue{}
	for i := place; i < len(queues); i += members {
		mine = append(mine, queues[i])
	}
	return mine
}
