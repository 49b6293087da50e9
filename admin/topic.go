// SPDX-License-Identifier: Apache-2.0

// topic.go: updateTopic, deleteTopic, topicList, topicRoute, topicStatus. Java: tools.command.topic.
// Codes: 17, 100, 101, 105, 106, 202, 206, 215, 216. topicList -c needs 300, which is not asked yet.
// Deviations: the rate that topicStatus prints is the brokers' sum (Java prints 0.0); brokers come sorted.

package admin

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rocketd/compat"
	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

const newTopicQueues = 8

func updateTopicCommand() *command {
	return &command{
		name: "updateTopic", class: "UpdateTopicSubCommand", text: "Update or create topic.", run: updateTopic,
		options: []option{
			{short: "b", long: "brokerAddr", arg: true, required: true, group: "where", text: "create topic to which broker"},
			{short: "c", long: "clusterName", arg: true, required: true, group: "where", text: "create topic to which cluster"},
			{short: "a", long: "attributes", arg: true, text: "attribute(+a=b,+c=d,-e)"},
			{short: "t", long: "topic", arg: true, required: true, text: "topic name"},
			{short: "r", long: "readQueueNums", arg: true, text: "set read queue nums"},
			{short: "w", long: "writeQueueNums", arg: true, text: "set write queue nums"},
			{short: "p", long: "perm", arg: true, text: "set topic's permission(2|4|6), intro[2:W 4:R; 6:RW]"},
			{short: "o", long: "order", arg: true, text: "set topic's order(true|false)"},
			{short: "u", long: "unit", arg: true, text: "is unit topic (true|false)"},
			{short: "s", long: "hasUnitSub", arg: true, text: "has unit sub (true|false)"},
		},
	}
}

func updateTopic(s *session, o given) error {
	cfg, err := topicOf(o)
	if err != nil {
		return err
	}
	if o.has("b") {
		return s.updateTopicAt(o.text("b"), cfg)
	}
	cluster := o.text("c")
	masters, err := s.masters(cluster)
	if err != nil {
		return err
	}
	for _, addr := range masters {
		if err := s.createTopic(addr, cfg); err != nil {
			return err
		}
		s.printf("create topic to %s success.\n", addr)
	}
	if cfg.Order {
		if err := s.orderInCluster(cluster, cfg); err != nil {
			return err
		}
	}
	s.printf("%s\n", cfg)
	return nil
}

// topicOf makes a topic's settings out of the options.
func topicOf(o given) (*protocol.TopicConfig, error) {
	cfg := protocol.NewTopicConfig(o.text("t"), newTopicQueues, newTopicQueues, protocol.PermRead|protocol.PermWrite)
	if o.has("a") {
		attributes, err := parseAttributes(o.text("a"))
		if err != nil {
			return nil, err
		}
		cfg.Attributes = attributes
	}
	for short, field := range map[string]*int32{"r": &cfg.ReadQueueNums, "w": &cfg.WriteQueueNums, "p": &cfg.Perm} {
		if o.has(short) {
			n, err := number(o.text(short))
			if err != nil {
				return nil, err
			}
			*field = n
		}
	}
	if compat.ParseBool(o.text("u")) {
		cfg.TopicSysFlag |= protocol.TopicFlagUnit
	}
	if compat.ParseBool(o.text("s")) {
		cfg.TopicSysFlag |= protocol.TopicFlagUnitSub
	}
	cfg.Order = compat.ParseBool(o.text("o"))
	return cfg, nil
}

// parseAttributes reads "+key=value,-key" into a map whose keys keep their signs.
func parseAttributes(text string) (map[string]string, error) {
	attributes := map[string]string{}
	if text == "" {
		return attributes, nil
	}
	for _, part := range strings.Split(text, ",") {
		key, value, assigned := strings.Cut(part, "=")
		switch {
		case assigned && !strings.Contains(key, "+"):
			return nil, javaError("RuntimeException", "add/alter attribute format is wrong: %s", key)
		case !assigned && !strings.Contains(key, "-"):
			return nil, javaError("RuntimeException", "delete attribute format is wrong: %s", key)
		}
		if _, twice := attributes[key]; twice {
			return nil, javaError("RuntimeException", "key duplication: %s", key)
		}
		attributes[key] = value
	}
	return attributes, nil
}

func (s *session) createTopic(addr string, cfg *protocol.TopicConfig) error {
	var attributes []string
	for _, key := range slices.Sorted(maps.Keys(cfg.Attributes)) {
		if value := cfg.Attributes[key]; value != "" {
			key += "=" + value
		}
		attributes = append(attributes, key)
	}
	answer, err := s.send(addr, request(protocol.UpdateAndCreateTopic, protocol.CreateTopicHeader{
		Topic: cfg.TopicName, DefaultTopic: message.DefaultTopic,
		ReadQueueNums: cfg.ReadQueueNums, WriteQueueNums: cfg.WriteQueueNums, Perm: cfg.Perm,
		TopicFilterType: cfg.TopicFilterType, TopicSysFlag: &cfg.TopicSysFlag, Order: cfg.Order,
		Attributes: strings.Join(attributes, ","),
	}))
	if err != nil {
		return err
	}
	if answer.Code != protocol.Success {
		return codedFailure(answer.Code, answer.Remark)
	}
	return nil
}

// updateTopicAt creates a topic on one broker. An ordered topic's queues on other brokers stay in its order
// configuration.
func (s *session) updateTopicAt(addr string, cfg *protocol.TopicConfig) error {
	if err := s.createTopic(addr, cfg); err != nil {
		return err
	}
	if cfg.Order {
		name, err := s.brokerAt(addr)
		if err != nil {
			return err
		}
		order := name + ":" + strconv.Itoa(int(cfg.WriteQueueNums))
		if err := s.mergeOrder(cfg.TopicName, name, order); err != nil {
			return err
		}
		s.printf("set broker orderConf. isOrder=%t, orderConf=[%s]\n", cfg.Order, order)
	}
	s.printf("create topic to %s success.\n", addr)
	s.printf("%s\n", cfg)
	return nil
}

// brokerAt returns the name of the broker with that address.
func (s *session) brokerAt(addr string) (string, error) {
	info, err := s.clusters()
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(info.BrokerAddrTable)) {
		for _, a := range info.BrokerAddrTable[name].BrokerAddrs {
			if a == addr {
				return name, nil
			}
		}
	}
	return "", javaError("Exception", "%s", strings.TrimPrefix(unknownCluster, "[error] "))
}

// mergeOrder sets one broker's part of a topic's order configuration.
func (s *session) mergeOrder(topic, broker, order string) error {
	parts := map[string]string{}
	answer, err := s.askNames(request(protocol.GetKVConfig, protocol.GetKVConfigHeader{Namespace: protocol.NamespaceOrderTopic, Key: topic}))
	if err != nil {
		s.complain(err) // there may be none yet
	} else if old, _ := answer.Field("value"); old != "" {
		for _, part := range strings.Split(old, ";") {
			name, _, _ := strings.Cut(part, ":")
			parts[name] = part
		}
	}
	parts[broker] = order
	var all []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		all = append(all, parts[name])
	}
	return s.putOrder(topic, strings.Join(all, ";"))
}

func (s *session) putOrder(topic, order string) error {
	return s.tellNames(request(protocol.PutKVConfig, protocol.PutKVConfigHeader{Namespace: protocol.NamespaceOrderTopic, Key: topic, Value: order}))
}

func (s *session) orderInCluster(cluster string, cfg *protocol.TopicConfig) error {
	info, err := s.clusters()
	if err != nil {
		return err
	}
	names := slices.Sorted(slices.Values(info.ClusterAddrTable[cluster]))
	if len(names) == 0 {
		return javaError("Exception", "%s", strings.TrimPrefix(unknownCluster, "[error] "))
	}
	for i, name := range names {
		names[i] = name + ":" + strconv.Itoa(int(cfg.WriteQueueNums))
	}
	order := strings.Join(names, ";")
	if err := s.putOrder(cfg.TopicName, order); err != nil {
		return err
	}
	s.printf("set cluster orderConf. isOrder=%t, orderConf=[%s]\n", cfg.Order, order)
	return nil
}

func deleteTopicCommand() *command {
	return &command{
		name: "deleteTopic", class: "DeleteTopicSubCommand", text: "Delete topic from broker and NameServer.", run: deleteTopic,
		options: []option{
			{short: "t", long: "topic", arg: true, required: true, text: "topic name"},
			{short: "c", long: "clusterName", arg: true, required: true, text: "delete topic from which cluster"},
		},
	}
}

func deleteTopic(s *session, o given) error {
	topic, cluster := o.text("t"), o.text("c")
	masters, err := s.masters(cluster)
	if err != nil {
		return err
	}
	for _, addr := range masters {
		answer, err := s.send(addr, request(protocol.DeleteTopicInBroker, protocol.DeleteTopicHeader{Topic: topic}))
		if err != nil {
			return err
		}
		if answer.Code != protocol.Success {
			return codedFailure(answer.Code, answer.Remark)
		}
	}
	s.printf("delete topic [%s] from cluster [%s] success.\n", topic, cluster)
	if err := s.tellNames(request(protocol.DeleteTopicInNamesrv, protocol.DeleteTopicInNamesrvHeader{Topic: topic, ClusterName: cluster})); err != nil {
		return err
	}
	s.printf("delete topic [%s] from NameServer success.\n", topic)
	return nil
}

func topicListCommand() *command {
	return &command{
		name: "topicList", class: "TopicListSubCommand", text: "Fetch all topic list from name server.", run: topicList,
		options: []option{{short: "c", long: "clusterModel", text: "clusterModel"}},
	}
}

func topicList(s *session, o given) error {
	if o.has("c") {
		return clientFailure("topicList -c needs QUERY_TOPIC_CONSUME_BY_WHO(300), which is not served yet.")
	}
	topics, err := s.allTopics()
	if err != nil {
		return err
	}
	for _, topic := range topics {
		s.printf("%s\n", topic)
	}
	return nil
}

func topicRouteCommand() *command {
	return &command{
		name: "topicRoute", class: "TopicRouteSubCommand", text: "Examine topic route info.", run: topicRoute,
		options: []option{
			{short: "t", long: "topic", arg: true, required: true, text: "topic name"},
			{short: "l", long: "list", text: "Use list format to print data"},
		},
	}
}

// quotedID is a broker id as our encoder prints it; Java prints it without quotes.
var quotedID = regexp.MustCompile(`(?m)^(\t+)"([0-9]+)":`)

func topicRoute(s *session, o given) error {
	route, err := s.route(o.text("t"))
	if err != nil {
		return err
	}
	if o.has("l") {
		s.listRoute(route)
		return nil
	}
	text, err := fastjson.MarshalPretty(route)
	if err != nil {
		return err
	}
	s.printf("%s\n", quotedID.ReplaceAll(text, []byte("$1$2:")))
	return nil
}

func (s *session) listRoute(route *protocol.TopicRoute) {
	const row = "%-45s %-32s %-50s %-10v %-11v %-5v\n"
	queues := map[string]protocol.QueueData{}
	for _, q := range route.QueueDatas {
		queues[q.BrokerName] = q
	}
	slices.SortFunc(route.BrokerDatas, func(a, b protocol.BrokerData) int { return strings.Compare(a.BrokerName, b.BrokerName) })
	s.printf(row, "#ClusterName", "#BrokerName", "#BrokerAddrs", "#ReadQueue", "#WriteQueue", "#Perm")
	var read, write int32
	for _, b := range route.BrokerDatas {
		q := queues[b.BrokerName]
		read += q.ReadQueueNums
		write += q.WriteQueueNums
		s.printf(row, b.Cluster, b.BrokerName, javaAddrs(b.BrokerAddrs), q.ReadQueueNums, q.WriteQueueNums, q.Perm)
	}
	s.printf("%s\n", strings.Repeat("-", 158))
	s.printf(row, "Total:", strconv.Itoa(len(queues)), "", read, write, "")
}

// javaAddrs prints broker addresses as Java prints a map.
func javaAddrs(addrs map[int64]string) string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(addrs)) {
		parts = append(parts, strconv.FormatInt(id, 10)+"="+addrs[id])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func topicStatusCommand() *command {
	return &command{
		name: "topicStatus", class: "TopicStatusSubCommand", text: "Examine topic Status info.", run: topicStatus,
		options: []option{
			{short: "t", long: "topic", arg: true, required: true, text: "topic name"},
			{short: "c", long: "cluster", arg: true, text: "cluster name or lmq parent topic, lmq is used to find the route."},
		},
	}
}

func topicStatus(s *session, o given) error {
	topic, routeOf := o.text("t"), o.text("t")
	if o.has("c") {
		routeOf = o.text("c")
	}
	route, err := s.route(routeOf)
	if err != nil {
		return err
	}
	all := protocol.TopicStats{OffsetTable: map[protocol.MessageQueue]protocol.TopicOffset{}}
	for _, b := range route.BrokerDatas {
		addr, ok := anyAddr(b)
		if !ok {
			continue
		}
		stats, err := decode[protocol.TopicStats](s.askBroker(addr, request(protocol.GetTopicStatsInfo, protocol.TopicStatsHeader{Topic: topic})))
		if err != nil {
			return err
		}
		maps.Copy(all.OffsetTable, stats.OffsetTable)
		all.TopicPutTPS += stats.TopicPutTPS
	}
	if len(all.OffsetTable) == 0 && !o.has("c") {
		return clientFailure("Not found the topic stats info")
	}
	s.printf("%-32s  %-4s  %-20s  %-20s    %s\n", "#Broker Name", "#QID", "#Min Offset", "#Max Offset", "#Last Updated")
	for _, mq := range sortQueues(all.OffsetTable) {
		offsets := all.OffsetTable[mq]
		updated := ""
		if offsets.LastUpdateTimestampMs > 0 {
			updated = moment(offsets.LastUpdateTimestampMs, "2006-01-02 15:04:05,000")
		}
		s.printf("%-32s  %-4d  %-20d  %-20d    %s\n", front(mq.BrokerName, 32), mq.QueueID, offsets.MinOffset, offsets.MaxOffset, updated)
	}
	s.printf("\nTopic Put TPS: %s\n", javaDouble(all.TopicPutTPS))
	return nil
}
