// SPDX-License-Identifier: Apache-2.0

// What a tool asks a broker and the broker its clients: INVOKE_BROKER_TO_RESET_OFFSET(222) and
// RESET_CONSUMER_CLIENT_OFFSET(220), INVOKE_BROKER_TO_GET_CONSUMER_STATUS(223) and GET_CONSUMER_STATUS_FROM_CLIENT(221),
// GET_CONSUMER_RUNNING_INFO(307), CONSUME_MESSAGE_DIRECTLY(309), PUSH_REPLY_MESSAGE_TO_CLIENT(326).
// Java: the header and body classes of those requests.

package protocol

// ResetOffsetHeader asks for a group's offsets of a topic to be set; QueueID -1 is all queues. Without an offset the
// time decides, a negative one meaning the end.
type ResetOffsetHeader struct {
	Topic       string `rmq:"topic,required"`
	Group       string `rmq:"group"`
	QueueID     *int32 `rmq:"queueId"` // absent: all
	TimestampMs int64  `rmq:"timestamp"`
	Offset      *int64 `rmq:"offset"` // absent or -1: by time
	IsForce     bool   `rmq:"isForce"`
	RPC
}

// ResetOffset is the answer's body, and that of RESET_CONSUMER_CLIENT_OFFSET.
type ResetOffset struct {
	OffsetTable map[MessageQueue]int64 `json:"offsetTable"`
}

// ResetOffsetForC is the same for clients in C++.
type ResetOffsetForC struct {
	OffsetTable []QueueOffsetForC `json:"offsetTable"`
}

type QueueOffsetForC struct {
	BrokerName string `json:"brokerName"`
	Offset     int64  `json:"offset"`
	QueueID    int32  `json:"queueId"`
	Topic      string `json:"topic"`
}

// ResetClientOffsetHeader tells a consumer of its new offsets, which are in the body.
type ResetClientOffsetHeader struct {
	Topic       string `rmq:"topic"`
	Group       string `rmq:"group"`
	QueueID     int32  `rmq:"queueId"`
	TimestampMs int64  `rmq:"timestamp"`
	IsForce     bool   `rmq:"isForce"`
}

// ConsumerStatusHeader asks how far the members of a group say they are.
type ConsumerStatusHeader struct {
	Topic      string `rmq:"topic"`
	Group      string `rmq:"group"`
	ClientAddr string `rmq:"clientAddr,omitempty"` // a client id; empty: all members
	RPC
}

// ClientStatusHeader asks one member the same.
type ClientStatusHeader struct {
	Topic string `rmq:"topic"`
	Group string `rmq:"group"`
}

// ClientStatus is a member's answer.
type ClientStatus struct {
	MessageQueueTable map[MessageQueue]int64 `json:"messageQueueTable"`
}

// ConsumerStatus is the broker's answer: the members' answers by client id.
type ConsumerStatus struct {
	ConsumerTable     map[string]map[MessageQueue]int64 `json:"consumerTable"`
	MessageQueueTable map[MessageQueue]int64            `json:"messageQueueTable"`
}

type ConsumerRunningInfoHeader struct {
	ConsumerGroup string `rmq:"consumerGroup"`
	ClientID      string `rmq:"clientId"`
	JstackEnable  bool   `rmq:"jstackEnable"`
	RPC
}

type ConsumeDirectlyHeader struct {
	ConsumerGroup string `rmq:"consumerGroup"`
	ClientID      string `rmq:"clientId"`
	MsgID         string `rmq:"msgId"`
	BrokerName    string `rmq:"brokerName"`
	Topic         string `rmq:"topic"`
	RPC
}

// PushReplyHeader brings a reply to the producer that waits for it; the body is the reply's.
type PushReplyHeader struct {
	ProducerGroup         string `rmq:"producerGroup"`
	Topic                 string `rmq:"topic"`
	DefaultTopic          string `rmq:"defaultTopic"`
	DefaultTopicQueueNums int32  `rmq:"defaultTopicQueueNums"`
	QueueID               int32  `rmq:"queueId"`
	SysFlag               int32  `rmq:"sysFlag"`
	BornTimestampMs       int64  `rmq:"bornTimestamp"`
	Flag                  int32  `rmq:"flag"`
	Properties            string `rmq:"properties"`
	ReconsumeTimes        int32  `rmq:"reconsumeTimes"`
	UnitMode              bool   `rmq:"unitMode"`
	BornHost              string `rmq:"bornHost"`
	StoreHost             string `rmq:"storeHost"`
	StoreTimestampMs      int64  `rmq:"storeTimestamp"`
}
