// SPDX-License-Identifier: Apache-2.0

// QUERY_CONSUME_QUEUE(321). Java: QueryConsumeQueueRequestHeader, QueryConsumeQueueResponseBody, ConsumeQueueData,
// ConsumeQueueExt.CqExtUnit.

package protocol

// ConsumeQueueHeader asks for units of a queue from an offset on, and what a group's filter says to them.
type ConsumeQueueHeader struct {
	Topic         string `rmq:"topic"`
	QueueID       int32  `rmq:"queueId"`
	Index         int64  `rmq:"index"`
	Count         int32  `rmq:"count"`
	ConsumerGroup string `rmq:"consumerGroup,omitempty"`
	RPC
}

type ConsumeQueueUnits struct {
	FilterData       string             `json:"filterData,omitempty"` // the group's filter as pretty-printed JSON
	MaxQueueIndex    int64              `json:"maxQueueIndex"`
	MinQueueIndex    int64              `json:"minQueueIndex"`
	QueueData        []ConsumeQueueUnit `json:"queueData,omitzero"`
	SubscriptionData *SubscriptionData  `json:"subscriptionData,omitempty"`
}

type ConsumeQueueUnit struct {
	BitMap         string `json:"bitMap,omitempty"` // of the extension: zeros and ones, the highest bit first
	Eval           bool   `json:"eval"`             // the group's filter takes the extension
	ExtendDataJSON string `json:"extendDataJson,omitempty"`
	Msg            string `json:"msg,omitempty"`
	PhysicOffset   int64  `json:"physicOffset"`
	PhysicSize     int32  `json:"physicSize"`
	TagsCode       int64  `json:"tagsCode"`
}

// ConsumeQueueExtension is what ExtendDataJSON holds.
type ConsumeQueueExtension struct {
	FilterBitMap     []int8 `json:"filterBitMap,omitempty"`
	StoreTimestampMs int64  `json:"msgStoreTime"`
	SizeBytes        int32  `json:"size"` // of the unit in the file
	TagsCode         int64  `json:"tagsCode"`
}
