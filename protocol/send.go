// SPDX-License-Identifier: Apache-2.0

// SEND_MESSAGE(10), SEND_MESSAGE_V2(310), SEND_BATCH_MESSAGE(320), SEND_REPLY_MESSAGE(324, 325),
// CONSUMER_SEND_MSG_BACK(36). Java: SendMessageRequestHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader,
// ConsumerSendMsgBackRequestHeader.

package protocol

// SendHeader asks to store a message, or a batch of them. The tags "rmq" are the long names of 10 and 324, the tags
// "v2" the letters of 310, 320 and 325.
type SendHeader struct {
	ProducerGroup         string `rmq:"producerGroup" v2:"a"`
	Topic                 string `rmq:"topic,required" v2:"b,required"`
	DefaultTopic          string `rmq:"defaultTopic" v2:"c"`
	DefaultTopicQueueNums int32  `rmq:"defaultTopicQueueNums" v2:"d"`
	QueueID               int32  `rmq:"queueId,required" v2:"e,required"`
	SysFlag               int32  `rmq:"sysFlag,required" v2:"f,required"`
	BornTimestampMs       int64  `rmq:"bornTimestamp,required" v2:"g,required"`
	Flag                  int32  `rmq:"flag,required" v2:"h,required"`
	Properties            string `rmq:"properties,omitempty" v2:"i,omitempty"`
	ReconsumeTimes        int32  `rmq:"reconsumeTimes" v2:"j"`
	UnitMode              bool   `rmq:"unitMode" v2:"k"`
	MaxReconsumeTimes     *int32 `rmq:"maxReconsumeTimes" v2:"l"` // absent differs from 0
	Batch                 bool   `rmq:"batch" v2:"m"`
	RPC
}

// SendResult answers a send, also when the message is stored but not yet flushed or replicated.
type SendResult struct {
	MsgID         string `rmq:"msgId"` // of a batch: the ids joined by commas
	QueueID       int32  `rmq:"queueId"`
	QueueOffset   int64  `rmq:"queueOffset"`
	TransactionID string `rmq:"transactionId,omitempty"`
	BatchUniqID   string `rmq:"batchUniqId,omitempty"`
	RecallHandle  string `rmq:"recallHandle,omitempty"`
}

// SendBackHeader returns a message that could not be consumed. Its answer has no header.
type SendBackHeader struct {
	PhyOffset         int64  `rmq:"offset,required"`
	Group             string `rmq:"group,required"`
	DelayLevel        int32  `rmq:"delayLevel,required"`
	OriginMsgID       string `rmq:"originMsgId,omitempty"`
	OriginTopic       string `rmq:"originTopic,omitempty"`
	UnitMode          bool   `rmq:"unitMode"`
	MaxReconsumeTimes *int32 `rmq:"maxReconsumeTimes"`
	RPC
}
