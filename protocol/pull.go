// SPDX-License-Identifier: Apache-2.0

// PULL_MESSAGE(11), LITE_PULL_MESSAGE(361). Java: PullMessageRequestHeader, PullMessageResponseHeader, PullSysFlag,
// ForbiddenType.

package protocol

// Bits of PullHeader.SysFlag.
const (
	PullFlagCommitOffset int32 = 1 << 0
	PullFlagSuspend      int32 = 1 << 1
	PullFlagSubscription int32 = 1 << 2
	PullFlagClassFilter  int32 = 1 << 3
	PullFlagLite         int32 = 1 << 4
)

// Values of PullResult.ForbiddenType.
const (
	ForbiddenBroker       int32 = 1
	ForbiddenGroup        int32 = 2
	ForbiddenTopic        int32 = 3
	ForbiddenBroadcast    int32 = 4
	ForbiddenSubscription int32 = 5
)

// SourceProxyBroadcast is the value of PullHeader.RequestSource by which a Proxy pulls for a broadcasting client, whose id is
// in ProxyForwardClientID. Java: RequestSource.
const SourceProxyBroadcast int32 = 1

// PullHeader asks for messages of one queue.
type PullHeader struct {
	ConsumerGroup        string `rmq:"consumerGroup,required"`
	Topic                string `rmq:"topic,required"`
	LiteTopic            string `rmq:"liteTopic,omitempty"`
	QueueID              int32  `rmq:"queueId,required"`
	QueueOffset          int64  `rmq:"queueOffset,required"`
	MaxMsgNums           int32  `rmq:"maxMsgNums,required"`
	SysFlag              int32  `rmq:"sysFlag,required"`
	CommitOffset         int64  `rmq:"commitOffset"`
	SuspendTimeoutMs     int64  `rmq:"suspendTimeoutMillis"`
	Subscription         string `rmq:"subscription,omitempty"`
	SubVersion           int64  `rmq:"subVersion"`
	ExpressionType       string `rmq:"expressionType,omitempty"`
	MaxMsgBytes          *int32 `rmq:"maxMsgBytes"`
	RequestSource        *int32 `rmq:"requestSource"`
	ProxyForwardClientID string `rmq:"proxyFrowardClientId,omitempty"` // spelled so on the wire
	RPC
}

// PullResult answers a pull, found or not: clients read the four offsets unconditionally.
type PullResult struct {
	SuggestWhichBrokerID int64  `rmq:"suggestWhichBrokerId"`
	NextBeginOffset      int64  `rmq:"nextBeginOffset"`
	MinOffset            int64  `rmq:"minOffset"`
	MaxOffset            int64  `rmq:"maxOffset"`
	OffsetDelta          *int64 `rmq:"offsetDelta"`
	TopicSysFlag         *int32 `rmq:"topicSysFlag"`
	GroupSysFlag         *int32 `rmq:"groupSysFlag"`
	ForbiddenType        *int32 `rmq:"forbiddenType"`
}
