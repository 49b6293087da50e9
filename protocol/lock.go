// SPDX-License-Identifier: Apache-2.0

// LOCK_BATCH_MQ(41), UNLOCK_BATCH_MQ(42). Java: MessageQueue, LockBatchRequestBody, UnlockBatchRequestBody,
// LockBatchResponseBody. Both requests may carry an RPC header.

package protocol

// MessageQueue names one queue. It is a map key in many bodies, where fastjson prints it as an inline object.
type MessageQueue struct {
	BrokerName string `json:"brokerName"`
	QueueID    int32  `json:"queueId"`
	Topic      string `json:"topic"`
}

// LockBatch is the body of both requests.
type LockBatch struct {
	ClientID       string         `json:"clientId"`
	ConsumerGroup  string         `json:"consumerGroup"`
	MQSet          []MessageQueue `json:"mqSet"`
	OnlyThisBroker bool           `json:"onlyThisBroker"`
}

// LockBatchResult answers a lock request with the queues that the client holds now; an unlock has no body.
type LockBatchResult struct {
	LockOKMQSet []MessageQueue `json:"lockOKMQSet"`
}
