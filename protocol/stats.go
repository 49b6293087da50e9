// SPDX-License-Identifier: Apache-2.0

// GET_TOPIC_STATS_INFO(202), GET_CONSUME_STATS(208), GET_BROKER_RUNTIME_INFO(28), VIEW_BROKER_STATS_DATA(315).
// Java: TopicStatsTable, TopicOffset, ConsumeStats, BrokerStatsData, OffsetWrapper, KVTable and the header classes of those requests.

package protocol

type TopicStatsHeader struct {
	Topic string `rmq:"topic,required"`
	RPC
}

// TopicStats answers TopicStatsHeader in the body.
type TopicStats struct {
	OffsetTable map[MessageQueue]TopicOffset `json:"offsetTable"`
	TopicPutTPS float64                      `json:"topicPutTps"`
}

type TopicOffset struct {
	LastUpdateTimestampMs int64 `json:"lastUpdateTimestamp"`
	MaxOffset             int64 `json:"maxOffset"`
	MinOffset             int64 `json:"minOffset"`
}

type ConsumeStatsHeader struct {
	ConsumerGroup string `rmq:"consumerGroup,required"`
	Topic         string `rmq:"topic,omitempty"`
	TopicList     string `rmq:"topicList,omitempty"` // separated by semicolons
	RPC
}

// ConsumeStats answers ConsumeStatsHeader in the body.
type ConsumeStats struct {
	ConsumeTPS  float64                        `json:"consumeTps"`
	OffsetTable map[MessageQueue]ConsumeOffset `json:"offsetTable"`
}

type ConsumeOffset struct {
	BrokerOffset    int64 `json:"brokerOffset"`
	ConsumerOffset  int64 `json:"consumerOffset"`
	LastTimestampMs int64 `json:"lastTimestamp"`
	PullOffset      int64 `json:"pullOffset"`
}

// ViewStatsHeader, VIEW_BROKER_STATS_DATA(315): a name such as TOPIC_PUT_NUMS, and what it is of.
type ViewStatsHeader struct {
	StatsName string `rmq:"statsName,required"`
	StatsKey  string `rmq:"statsKey,required"`
}

// StatsData answers ViewStatsHeader in the body.
type StatsData struct {
	StatsDay    StatsItem `json:"statsDay"`
	StatsHour   StatsItem `json:"statsHour"`
	StatsMinute StatsItem `json:"statsMinute"`
}

// StatsItem is what was counted in a span of time.
type StatsItem struct {
	Sum       int64   `json:"sum"`
	PerSecond float64 `json:"tps"`
	PerCall   float64 `json:"avgpt"`
}

// KVTable is a body of plain text pairs, among others of GET_BROKER_RUNTIME_INFO, which has no header.
type KVTable struct {
	Table map[string]string `json:"table"`
}

// BrokerConsumeStatsHeader, GET_BROKER_CONSUME_STATS(317): all groups, or only their ordered topics.
type BrokerConsumeStatsHeader struct {
	IsOrder bool `rmq:"isOrder"`
}

// BrokerConsumeStats lists the statistics of each topic of each group.
type BrokerConsumeStats struct {
	BrokerAddr        string                      `json:"brokerAddr"`
	ConsumeStatsList  []map[string][]ConsumeStats `json:"consumeStatsList"`
	TotalDiff         int64                       `json:"totalDiff"`
	TotalInflightDiff int64                       `json:"totalInflightDiff"`
}
