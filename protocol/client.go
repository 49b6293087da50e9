// SPDX-License-Identifier: Apache-2.0

// HEART_BEAT(34), UNREGISTER_CLIENT(35), GET_CONSUMER_LIST_BY_GROUP(38), NOTIFY_CONSUMER_IDS_CHANGED(40),
// CHECK_CLIENT_CONFIG(46), GET_CONSUMER_CONNECTION_LIST(203), GET_PRODUCER_CONNECTION_LIST(204). Java: HeartbeatData,
// ConsumerData, ProducerData, SubscriptionData, ConsumerConnection, ProducerConnection, Connection,
// CheckClientRequestBody and the header classes of those requests.

package protocol

// Values of ConsumerData.ConsumeType.
const (
	ConsumeActively  = "CONSUME_ACTIVELY"
	ConsumePassively = "CONSUME_PASSIVELY"
	ConsumePop       = "CONSUME_POP"
)

// Values of ConsumerData.MessageModel.
const (
	Broadcasting = "BROADCASTING"
	Clustering   = "CLUSTERING"
)

// Values of ConsumerData.ConsumeFromWhere; Java has three more, deprecated, which behave as the first.
const (
	ConsumeFromLastOffset  = "CONSUME_FROM_LAST_OFFSET"
	ConsumeFromFirstOffset = "CONSUME_FROM_FIRST_OFFSET"
	ConsumeFromTimestamp   = "CONSUME_FROM_TIMESTAMP"
)

// Values of SubscriptionData.ExpressionType; an empty one means ExpressionTag.
const (
	ExpressionTag   = "TAG"
	ExpressionSQL92 = "SQL92"
	SubscribeAll    = "*" // the SubString that subscribes to everything
)

// Heartbeat is the body of HEART_BEAT, sent every 30 s for all groups of a client. The header is an RPC.
type Heartbeat struct {
	ClientID             string         `json:"clientID"`
	ConsumerDataSet      []ConsumerData `json:"consumerDataSet"`
	HeartbeatFingerprint int32          `json:"heartbeatFingerprint"` // not 0: the second form of heartbeats
	ProducerDataSet      []ProducerData `json:"producerDataSet"`
	WithoutSub           bool           `json:"withoutSub"` // second form: keep the subscriptions known
}

type ProducerData struct {
	GroupName string `json:"groupName"`
}

type ConsumerData struct {
	ConsumeFromWhere    string             `json:"consumeFromWhere"`
	ConsumeType         string             `json:"consumeType"`
	GroupName           string             `json:"groupName"`
	MessageModel        string             `json:"messageModel"`
	SubscriptionDataSet []SubscriptionData `json:"subscriptionDataSet"`
	UnitMode            bool               `json:"unitMode"`
}

type SubscriptionData struct {
	ClassFilterMode bool     `json:"classFilterMode"`
	CodeSet         []int32  `json:"codeSet"` // hashes of the tags; the official Go client writes them as strings
	ExpressionType  string   `json:"expressionType"`
	SubString       string   `json:"subString"`
	SubVersion      int64    `json:"subVersion"` // milliseconds from Java, nanoseconds from Go: only compared
	TagsSet         []string `json:"tagsSet"`
	Topic           string   `json:"topic"`
}

type UnregisterClientHeader struct {
	ClientID      string `rmq:"clientID,required"`
	ProducerGroup string `rmq:"producerGroup,omitempty"`
	ConsumerGroup string `rmq:"consumerGroup,omitempty"`
	RPC
}

type ConsumerListHeader struct {
	ConsumerGroup string `rmq:"consumerGroup,required"`
	RPC
}

// ConsumerList answers ConsumerListHeader in the body.
type ConsumerList struct {
	ConsumerIDList []string `json:"consumerIdList"`
}

// NotifyConsumerIDsChangedHeader is sent one-way to every member of a group whose membership changed.
type NotifyConsumerIDsChangedHeader struct {
	ConsumerGroup string `rmq:"consumerGroup"`
	RPC
}

// CheckClientConfigBody is sent by consumers that filter by expression.
type CheckClientConfigBody struct {
	ClientID         string            `json:"clientId"`
	Group            string            `json:"group"`
	Namespace        string            `json:"namespace,omitempty"`
	SubscriptionData *SubscriptionData `json:"subscriptionData,omitempty"`
}

type ConsumerConnectionHeader struct {
	ConsumerGroup string `rmq:"consumerGroup,required"`
	RPC
}

// ConsumerConnection answers ConsumerConnectionHeader in the body.
type ConsumerConnection struct {
	ConnectionSet     []Connection                `json:"connectionSet"`
	ConsumeFromWhere  string                      `json:"consumeFromWhere,omitempty"`
	ConsumeType       string                      `json:"consumeType,omitempty"`
	MessageModel      string                      `json:"messageModel,omitempty"`
	SubscriptionTable map[string]SubscriptionData `json:"subscriptionTable"`
}

type ProducerConnectionHeader struct {
	ProducerGroup string `rmq:"producerGroup"`
	RPC
}

// ProducerConnection answers ProducerConnectionHeader in the body.
type ProducerConnection struct {
	ConnectionSet []Connection `json:"connectionSet"`
}

type Connection struct {
	ClientAddr string   `json:"clientAddr"`
	ClientID   string   `json:"clientId"`
	Language   Language `json:"language"`
	Version    int32    `json:"version"`
}

// ProducerTable answers GET_ALL_PRODUCER_INFO(328): producers by group.
type ProducerTable struct {
	Data map[string][]ProducerInfo `json:"data"`
}

type ProducerInfo struct {
	ClientID         string   `json:"clientId"`
	Language         Language `json:"language"`
	LastUpdateTimeMs int64    `json:"lastUpdateTimestamp"`
	RemoteIP         string   `json:"remoteIP"`
	Version          int32    `json:"version"`
}
