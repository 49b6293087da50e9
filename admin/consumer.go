// SPDX-License-Identifier: Apache-2.0

// consumer.go: consumerProgress. Java: ConsumerProgressSubCommand. Codes: 105, 203, 206, 208.
// The option -s true needs 307, which is not asked yet.
// Deviations: groups come sorted; static topics are not looked into.

package admin

import (
	"maps"
	"strings"
	"time"

	"rocketd/compat"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// statsTimeout is longer than that of other requests: a broker reads a record of each queue for its answer.
const statsTimeout = 15 * time.Second

func consumerProgressCommand() *command {
	return &command{
		name: "consumerProgress", class: "ConsumerProgressSubCommand", text: "Query consumer's progress, speed.", run: consumerProgress,
		options: []option{
			{short: "g", long: "groupName", arg: true, text: "consumer group name"},
			{short: "t", long: "topicName", arg: true, text: "topic name"},
			{short: "s", long: "showClientIP", arg: true, text: "Show Client IP per Queue"},
			{short: "c", long: "cluster", arg: true, text: "Cluster name or lmq parent topic, lmq is used to find the route."},
		},
	}
}

func consumerProgress(s *session, o given) error {
	s.timeout = statsTimeout
	if !o.has("g") {
		return s.allGroups()
	}
	if strings.EqualFold(o["s"], "true") {
		return clientFailure("consumerProgress -s needs GET_CONSUMER_RUNNING_INFO(307), which is not served yet.")
	}
	cluster := ""
	if o.has("t") {
		cluster = o.text("c")
	}
	stats, err := s.consumeStats(cluster, o.text("g"), o.text("t"))
	if err != nil {
		return err
	}
	s.printf("%-64s  %-32s  %-4s  %-20s  %-20s  %-20s %-20s%s\n",
		"#Topic", "#Broker Name", "#QID", "#Broker Offset", "#Consumer Offset", "#Diff", "#Inflight", "#LastTime")
	var behind, inflight int64
	for _, mq := range sortQueues(stats.OffsetTable) {
		at := stats.OffsetTable[mq]
		behind += at.BrokerOffset - at.ConsumerOffset
		inflight += at.PullOffset - at.ConsumerOffset
		last := "N/A"
		if at.LastTimestampMs != 0 {
			last = moment(at.LastTimestampMs, time.DateTime)
		}
		s.printf("%-64s  %-32s  %-4d  %-20d  %-20d  %-20d %-20d %s\n", front(mq.Topic, 64), front(mq.BrokerName, 32), mq.QueueID,
			at.BrokerOffset, at.ConsumerOffset, at.BrokerOffset-at.ConsumerOffset, at.PullOffset-at.ConsumerOffset, last)
	}
	s.printf("\nConsume TPS: %.2f\nConsume Diff Total: %d\nConsume Inflight Total: %d\n", stats.ConsumeTPS, behind, inflight)
	return nil
}

// consumeStats asks all brokers that serve a group how far it is. An empty topic means all topics.
func (s *session) consumeStats(cluster, group, topic string) (*protocol.ConsumeStats, error) {
	routes := []string{message.RetryTopic(group)}
	if topic != "" {
		routes = append(routes, topic, message.RetryTopic(group+"_"+topic))
	}
	if cluster != "" && (strings.HasPrefix(topic, message.LMQPrefix) || topic == message.TimerTopic) {
		routes = append(routes, cluster)
	}
	var route *protocol.TopicRoute
	var err error
	for _, name := range routes {
		if route, err = s.route(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	all := &protocol.ConsumeStats{OffsetTable: map[protocol.MessageQueue]protocol.ConsumeOffset{}}
	for _, b := range route.BrokerDatas {
		addr, ok := anyAddr(b)
		if !ok {
			continue
		}
		stats, err := decode[protocol.ConsumeStats](s.askBroker(addr, request(protocol.GetConsumeStats, protocol.ConsumeStatsHeader{ConsumerGroup: group, Topic: topic})))
		if err != nil {
			return nil, err
		}
		maps.Copy(all.OffsetTable, stats.OffsetTable)
		all.ConsumeTPS += stats.ConsumeTPS
	}
	if len(all.OffsetTable) > 0 {
		return all, nil
	}
	const nothing = "Not found the consumer group consume stats, because return offset table is empty, "
	connection, err := s.consumers(group)
	switch {
	case err != nil:
		return nil, codedFailure(protocol.ConsumerNotOnline, nothing+"maybe the consumer not online")
	case connection.MessageModel == "BROADCASTING":
		return nil, codedFailure(protocol.BroadcastConsumption, nothing+"the consumer is under the broadcast mode")
	}
	return all, nil
}

// consumers asks a broker who is online of a group.
func (s *session) consumers(group string) (*protocol.ConsumerConnection, error) {
	route, err := s.route(message.RetryTopic(group))
	if err != nil {
		return nil, err
	}
	for _, b := range route.BrokerDatas {
		addr, ok := anyAddr(b)
		if !ok {
			continue
		}
		connection, err := decode[protocol.ConsumerConnection](s.askBroker(addr, request(protocol.GetConsumerConnectionList, protocol.ConsumerConnectionHeader{ConsumerGroup: group})))
		if err != nil {
			return nil, err
		}
		if len(connection.ConnectionSet) > 0 {
			return connection, nil
		}
	}
	return nil, codedFailure(protocol.ConsumerNotOnline, "Not found the consumer group connection")
}

// allGroups prints a line for each group that has a retry topic.
func (s *session) allGroups() error {
	s.printf("%-64s  %-6s  %-24s %-5s  %-14s  %-7s  %s\n", "#Group", "#Count", "#Version", "#Type", "#Model", "#TPS", "#Diff Total")
	topics, err := s.allTopics()
	if err != nil {
		return err
	}
	for _, topic := range topics {
		if message.IsRetryTopic(topic) {
			s.showGroup(groupOfRetryTopic(topic))
		}
	}
	return nil
}

func (s *session) showGroup(group string) {
	var rate int32
	var behind int64
	if stats, err := s.consumeStats("", group, ""); err == nil {
		rate = int32(stats.ConsumeTPS)
		for _, at := range stats.OffsetTable {
			behind += at.BrokerOffset - at.ConsumerOffset
		}
	}
	count, version, kind, model := 0, "OFFLINE", "", ""
	if c, err := s.consumers(group); err == nil {
		count = len(c.ConnectionSet)
		lowest := c.ConnectionSet[0].Version
		for _, client := range c.ConnectionSet {
			lowest = min(lowest, client.Version)
		}
		version, kind = compat.VersionName(lowest), "PUSH"
		switch c.ConsumeType {
		case "CONSUME_ACTIVELY":
			kind = "PULL"
		case "CONSUME_PASSIVELY":
			model = c.MessageModel
		}
	}
	s.printf("%-64s  %-6d  %-24s %-5s  %-14s  %-7d  %d\n", front(group, 64), count, version, kind, model, rate, behind)
}
