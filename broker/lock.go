// SPDX-License-Identifier: Apache-2.0

// LOCK_BATCH_MQ(41), UNLOCK_BATCH_MQ(42). Sent by orderly consumers, for the queues that they
// are to consume alone. Java: AdminBrokerProcessor, RebalanceLockManager.
// Outcomes: Success; SystemError without a readable body; InvalidParameter for too many queues.

package broker

import (
	"context"
	"slices"

	"rocketd/protocol"
	"rocketd/remoting"
)

// maxLockedQueues bounds the queues of one request: each costs some microseconds of the connection's reader and, where it
// is locked, memory for a minute.
const maxLockedQueues = 65_536

func (b *Broker) lockBatch(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	body, err := lockRequest(c)
	if err != nil {
		return nil, err
	}
	held := b.locks.TryLockBatch(body.ConsumerGroup, body.ClientID, body.MQSet)
	return nil, answerJSON(c, protocol.LockBatchResult{LockOKMQSet: held})
}

func (b *Broker) unlockBatch(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	body, err := lockRequest(c)
	if err != nil {
		return nil, err
	}
	b.locks.Unlock(body.ConsumerGroup, body.ClientID, body.MQSet)
	return nil, nil
}

func lockRequest(c *remoting.Call) (*protocol.LockBatch, error) {
	body := new(protocol.LockBatch)
	if err := requestJSON(c, body); err != nil {
		return nil, err
	}
	if len(body.MQSet) > maxLockedQueues {
		return nil, protocol.Errorf(protocol.InvalidParameter, "%d queues are too many for one request, at most %d are allowed", len(body.MQSet), maxLockedQueues)
	}
	body.MQSet = distinct(body.MQSet)
	return body, nil
}

// distinct makes a set of a list.
func distinct(queues []protocol.MessageQueue) []protocol.MessageQueue {
	seen := make(map[protocol.MessageQueue]bool, len(queues))
	return slices.DeleteFunc(queues, func(q protocol.MessageQueue) bool {
		was := seen[q]
		seen[q] = true
		return was
	})
}
