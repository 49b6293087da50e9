// SPDX-License-Identifier: Apache-2.0

// QUERY_CONSUMER_OFFSET(14), UPDATE_CONSUMER_OFFSET(15), SEARCH_OFFSET_BY_TIMESTAMP(29), GET_MAX_OFFSET(30),
// GET_MIN_OFFSET(31), GET_EARLIEST_MSG_STORETIME(32), GET_ALL_CONSUMER_OFFSET(43). Java: the header classes of those
// names, BoundaryType, ConsumerOffsetSerializeWrapper.

package protocol

// Values of SearchOffsetHeader.BoundaryType, compared without case; absent means BoundaryLower.
const (
	BoundaryLower = "LOWER"
	BoundaryUpper = "UPPER"
)

type QueryConsumerOffsetHeader struct {
	ConsumerGroup     string `rmq:"consumerGroup"`
	Topic             string `rmq:"topic,required"`
	QueueID           int32  `rmq:"queueId,required"`
	SetZeroIfNotFound *bool  `rmq:"setZeroIfNotFound"`
	RPC
}

type QueryConsumerOffsetResult struct {
	Offset int64 `rmq:"offset"`
}

type UpdateConsumerOffsetHeader struct {
	ConsumerGroup string `rmq:"consumerGroup"`
	Topic         string `rmq:"topic,required"`
	QueueID       int32  `rmq:"queueId"`
	CommitOffset  int64  `rmq:"commitOffset"`
	RPC
}

type SearchOffsetHeader struct {
	Topic        string `rmq:"topic,required"`
	LiteTopic    string `rmq:"liteTopic,omitempty"`
	QueueID      int32  `rmq:"queueId,required"`
	TimestampMs  int64  `rmq:"timestamp,required"`
	BoundaryType string `rmq:"boundaryType,omitempty"`
	RPC
}

type SearchOffsetResult struct {
	Offset int64 `rmq:"offset"`
}

type GetMaxOffsetHeader struct {
	Topic     string `rmq:"topic,required"`
	QueueID   int32  `rmq:"queueId,required"`
	Committed *bool  `rmq:"committed"` // absent means true
	RPC
}

type GetMaxOffsetResult struct {
	Offset int64 `rmq:"offset"`
}

type GetMinOffsetHeader struct {
	Topic   string `rmq:"topic,required"`
	QueueID int32  `rmq:"queueId,required"`
	RPC
}

type GetMinOffsetResult struct {
	Offset int64 `rmq:"offset"`
}

type EarliestStoreTimeHeader struct {
	Topic   string `rmq:"topic,required"`
	QueueID int32  `rmq:"queueId,required"`
	RPC
}

type EarliestStoreTimeResult struct {
	TimestampMs int64 `rmq:"timestamp"`
}

// ConsumerOffsets is the body of GET_ALL_CONSUMER_OFFSET; the keys are topic@group and queue id.
type ConsumerOffsets struct {
	DataVersion DataVersion                `json:"dataVersion"`
	OffsetTable map[string]map[int32]int64 `json:"offsetTable"`
}

// ConsumeTimeSpanHeader, QUERY_CONSUME_TIME_SPAN(303).
type ConsumeTimeSpanHeader struct {
	Topic string `rmq:"topic,required"`
	Group string `rmq:"group"`
	RPC
}

type ConsumeTimeSpans struct {
	ConsumeTimeSpanSet []QueueTimeSpan `json:"consumeTimeSpanSet"`
}

// QueueTimeSpan says between which times a queue's messages were stored, and of which time the group has consumed. The
// texts are the same times as Java prints them.
type QueueTimeSpan struct {
	ConsumeTimeStampMs int64        `json:"consumeTimeStamp"`
	ConsumeTimeText    string       `json:"consumeTimeStampStr"`
	DelayTimeMs        int64        `json:"delayTime"`
	MaxTimeStampMs     int64        `json:"maxTimeStamp"`
	MaxTimeText        string       `json:"maxTimeStampStr"`
	MessageQueue       MessageQueue `json:"messageQueue"`
	MinTimeStampMs     int64        `json:"minTimeStamp"`
	MinTimeText        string       `json:"minTimeStampStr"`
}

// CorrectionOffsetHeader, QUERY_CORRECTION_OFFSET(308).
type CorrectionOffsetHeader struct {
	FilterGroups string `rmq:"filterGroups,omitempty"` // separated by commas
	CompareGroup string `rmq:"compareGroup"`
	Topic        string `rmq:"topic,required"`
	RPC
}

type CorrectionOffsets struct {
	CorrectionOffsets map[int32]int64 `json:"correctionOffsets"`
}

// CloneOffsetHeader, CLONE_GROUP_OFFSET(314).
type CloneOffsetHeader struct {
	SrcGroup  string `rmq:"srcGroup"`
	DestGroup string `rmq:"destGroup"`
	Topic     string `rmq:"topic,omitempty"`
	Offline   bool   `rmq:"offline"`
	RPC
}
