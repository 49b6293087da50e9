// SPDX-License-Identifier: Apache-2.0

// DELETE_EXPIRED_COMMITLOG(329), CLEAN_EXPIRED_CONSUMEQUEUE(306),
// CLEAN_UNUSED_TOPIC(316). Sent by mqadmin deleteExpiredCommitLog, cleanExpiredCQ
// and cleanUnusedTopic. Java: AdminBrokerProcessor. Outcomes: Success; 306 and
// 316 are over with the answer, 329 lets the next cleanings work at any hour.
// Deviations: LEDGER clean-queues.

package broker

import (
	"context"
	"strings"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

func (b *Broker) deleteExpiredCommitLog(_ context.Context, _ *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	b.store.DeleteExpired()
	return nil, nil
}

func (b *Broker) cleanExpiredQueues(_ context.Context, _ *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	err := b.store.CleanQueues(func(topic string, queueID int32) bool {
		cfg, ok := b.topics.Get(topic)
		return !b.keptWithoutTopic(topic) && (!ok || queueID >= max(cfg.ReadQueueNums, cfg.WriteQueueNums))
	})
	return nil, err
}

func (b *Broker) cleanUnusedTopics(_ context.Context, _ *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	for _, topic := range b.store.Topics() {
		if _, ok := b.topics.Get(topic); ok || b.keptWithoutTopic(topic) {
			continue
		}
		if err := b.store.DeleteTopic(topic); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// keptWithoutTopic says that a topic's queues stay though the topic table may
// not have it: system topics, and light queues, which never stand there.
func (b *Broker) keptWithoutTopic(topic string) bool {
	return b.isSystemTopic(topic) || strings.HasPrefix(topic, message.LMQPrefix)
}
