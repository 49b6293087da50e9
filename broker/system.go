// SPDX-License-Identifier: Apache-2.0

// The topics and groups that are there from the start, and the save of the tables.
// Java: TopicConfigManager.init, SubscriptionGroupManager.init.

package broker

import (
	"context"
	"time"

	"rocketd/broker/meta"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

const (
	benchmarkQueues = 1024
	scheduleQueues  = 18
	clusterQueues   = 16

	// Java 5.5.0 creates these two for its other way of keeping half messages, used or not.
	rocksHalfTopic   = "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC"
	rocksOpHalfTopic = "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC"
	checkpointTopic  = "CHECKPOINT_TOPIC"
)

// createSystemTables creates what is missing of the system's topics and groups. What exists stays
// as it is.
func (b *Broker) createSystemTables() error {
	if _, err := b.topics.EnsureAll(systemTopics(b.cfg.Load())); err != nil {
		return err
	}
	var groups []*protocol.GroupConfig
	for _, name := range []string{
		message.ToolsConsumerGroup, message.FilterServerGroup, message.SelfTestConsumerGroup, message.ONSHTTPProxyGroup,
		message.ONSAPIPullGroup, message.ONSAPIPermissionGroup, message.ONSAPIOwnerGroup, message.TransConsumerGroup,
	} {
		groups = append(groups, protocol.NewGroupConfig(name))
	}
	_, err := b.groups.EnsureAll(groups)
	return err
}

func systemTopics(cfg *Config) []*protocol.TopicConfig {
	const (
		plain   = protocol.PermRead | protocol.PermWrite
		inherit = plain | protocol.PermInherit
	)
	topic := func(name string, queues, perm int32) *protocol.TopicConfig {
		return protocol.NewTopicConfig(name, queues, queues, perm)
	}
	// The name server lists clusters and brokers as topics; sending to them can be switched off.
	own := func(enabled bool) int32 {
		if enabled {
			return inherit
		}
		return protocol.PermInherit
	}
	topics := []*protocol.TopicConfig{
		topic(message.SelfTestTopic, 1, plain),
		topic(message.BenchmarkTopic, benchmarkQueues, plain),
		topic(cfg.BrokerClusterName, clusterQueues, own(cfg.ClusterTopicEnable)),
		topic(cfg.BrokerName, 1, own(cfg.BrokerTopicEnable)),
		topic(message.OffsetMovedEventTopic, 1, plain),
		topic(message.ScheduleTopic, scheduleQueues, plain),
		topic(cfg.BrokerClusterName+message.ReplyTopicSuffix, 1, plain),
		topic(message.ReviveTopicPrefix+cfg.BrokerClusterName, cfg.ReviveQueueNum, plain),
		topic(message.SyncMemberTopicPrefix+cfg.BrokerName, 1, protocol.PermInherit),
		topic(message.HalfTopic, 1, plain),
		topic(message.OpHalfTopic, 1, plain),
		topic(rocksHalfTopic, 1, plain),
		topic(rocksOpHalfTopic, 1, plain),
	}
	if cfg.AutoCreateTopicEnable {
		topics = append(topics, topic(message.DefaultTopic, cfg.DefaultTopicQueueNums, inherit))
	}
	if cfg.TraceTopicEnable {
		topics = append(topics, topic(cfg.MsgTraceTopicName, 1, plain))
	}
	if cfg.TimerWheelEnable {
		topics = append(topics, topic(message.TimerTopic, 1, plain))
	}
	return topics
}

// isSystemTopic says whether a topic belongs to the broker, by a fixed name or by the names of
// this broker and its cluster.
func (b *Broker) isSystemTopic(name string) bool {
	cfg := b.cfg.Load()
	switch name {
	case cfg.BrokerClusterName, cfg.BrokerName, cfg.BrokerClusterName + message.ReplyTopicSuffix, rocksHalfTopic, rocksOpHalfTopic:
		return true
	}
	return message.IsSystemTopic(name)
}

// runTables saves the tables in their periods and once more at the end. Topics and groups are
// saved when they change; here only what a full disk kept from it.
func (b *Broker) runTables(ctx context.Context) error {
	cfg := b.cfg.Load()
	offsets := time.Duration(cfg.FlushConsumerOffsetInterval) * time.Millisecond
	return meta.Run(ctx, b.clock, b.log,
		meta.Job{Name: "offsets", Every: offsets, Table: b.offsets},
		meta.Job{Name: "delays", Every: time.Duration(cfg.FlushDelayOffsetInterval) * time.Millisecond, Table: delayProgress{b}},
		meta.Job{Name: "filters", Every: filtersSavedEvery, Table: b.filters},
		meta.Job{Name: "topics", Every: offsets, Table: b.topics},
		meta.Job{Name: "groups", Every: offsets, Table: b.groups})
}
