// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// Answers that exceptions of the tools carry.
const (
	noPermission      = 16
	topicNotExist     = 17
	queryNotFound     = 22
	consumerNotOnline = 206
)

const patienceMs = 10_000 // of the tools' calls that take a limit

// startAdmin starts the client that mqadmin's commands are made of.
func (j *client) startAdmin() *object {
	j.t.Helper()
	return j.newClient(adminClass, fields{"adminExtGroup": j.unique("admin")}).start()
}

type topicConfig struct {
	TopicName       string `json:"topicName"`
	ReadQueueNums   int32  `json:"readQueueNums"`
	WriteQueueNums  int32  `json:"writeQueueNums"`
	Perm            int32  `json:"perm"`
	TopicFilterType string `json:"topicFilterType"`
	Order           bool   `json:"order"`
}

type routeData struct {
	OrderTopicConf string
	BrokerDatas    []struct {
		BrokerName, Cluster string
		BrokerAddrs         map[string]string
	}
	QueueDatas []struct {
		BrokerName                          string
		ReadQueueNums, WriteQueueNums, Perm int32
	}
}

func TestAdminTopics(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		admin, topic, broker := j.startAdmin(), j.unique("topic"), j.c.Broker.Addr
		admin.fails(topicNotExist, "examineTopicRouteInfo", topic)
		want := topicConfig{topic, 3, 2, 6, "SINGLE_TAG", false}
		admin.call(nil, "createAndUpdateTopicConfig", broker, want)
		require.NoError(t, j.c.WaitRoute(topic))

		var route routeData
		admin.call(&route, "examineTopicRouteInfo", topic)
		require.Len(t, route.BrokerDatas, 1)
		require.Equal(t, "broker-a", route.BrokerDatas[0].BrokerName)
		require.Equal(t, "DefaultCluster", route.BrokerDatas[0].Cluster)
		require.Equal(t, map[string]string{"0": broker}, route.BrokerDatas[0].BrokerAddrs)
		require.Len(t, route.QueueDatas, 1)
		require.EqualValues(t, 3, route.QueueDatas[0].ReadQueueNums)
		require.EqualValues(t, 2, route.QueueDatas[0].WriteQueueNums)
		require.EqualValues(t, 6, route.QueueDatas[0].Perm)

		var one topicConfig
		admin.call(&one, "examineTopicConfig", broker, topic)
		require.Equal(t, want, one)
		var table struct{ TopicConfigTable map[string]topicConfig }
		admin.call(&table, "getAllTopicConfig", broker, patienceMs)
		require.Equal(t, want, table.TopicConfigTable[topic])
		require.Contains(t, table.TopicConfigTable, "TBW102")
		var list struct{ TopicList []string }
		admin.call(&list, "fetchAllTopicList")
		require.Contains(t, list.TopicList, topic)
		admin.call(&list, "fetchTopicsByCLuster", "DefaultCluster")
		require.Contains(t, list.TopicList, topic)

		want.ReadQueueNums, want.WriteQueueNums = 4, 4
		admin.call(nil, "createAndUpdateTopicConfig", broker, want)
		eventually(t, "the wider route", func() bool {
			queues, err := j.c.Queues(topic)
			return err == nil && queues == 4
		})

		admin.call(nil, "deleteTopicInBroker", []string{broker}, topic)
		args := []any{"DefaultCluster", topic}
		if j.version == "4.9.8" {
			slices.Reverse(args) // the releases do not agree in the order
		}
		admin.call(nil, "deleteTopicInNameServer", append([]any{[]string{j.c.Names.Addr}}, args...)...)
		admin.fails(topicNotExist, "examineTopicRouteInfo", topic)
	})
}

func TestAdminTopicStats(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		admin, topic, p := j.startAdmin(), j.newTopic(2), j.startProducer(nil)
		p.send("sync", newMessages(topic, 0, 20))
		require.Len(t, j.stored(topic, 20), 20)
		var stats struct {
			OffsetTable map[string]struct{ MinOffset, MaxOffset, LastUpdateTimestamp int64 }
		}
		admin.call(&stats, "examineTopicStats", topic)
		require.Len(t, stats.OffsetTable, 2)
		for key, s := range stats.OffsetTable {
			var q queue
			require.NoError(t, json.Unmarshal([]byte(key), &q))
			require.Equal(t, queue{topic, "broker-a", q.QueueID}, q)
			require.Zero(t, s.MinOffset)
			require.EqualValues(t, 10, s.MaxOffset)
			require.Positive(t, s.LastUpdateTimestamp)
		}
	})
}

type groupConfig struct {
	GroupName     string `json:"groupName"`
	ConsumeEnable bool   `json:"consumeEnable"`
	RetryMaxTimes int32  `json:"retryMaxTimes"`
}

func TestAdminGroups(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		admin, group, broker := j.startAdmin(), j.unique("group"), j.c.Broker.Addr
		want := groupConfig{group, true, 3}
		admin.call(nil, "createAndUpdateSubscriptionGroupConfig", broker, want)
		var one groupConfig
		admin.call(&one, "examineSubscriptionGroupConfig", broker, group)
		require.Equal(t, want, one)
		var table struct{ SubscriptionGroupTable map[string]groupConfig }
		admin.call(&table, "getAllSubscriptionGroup", broker, patienceMs)
		require.Equal(t, want, table.SubscriptionGroupTable[group])
		admin.call(&table, "getUserSubscriptionGroup", broker, patienceMs)
		require.Equal(t, want, table.SubscriptionGroupTable[group])

		// A group that may not consume is refused.
		want.ConsumeEnable = false
		admin.call(nil, "createAndUpdateSubscriptionGroupConfig", broker, want)
		puller := j.newClient(pullClass, fields{"consumerGroup": group}).start()
		puller.fails(noPermission, "pull", queue{j.newTopic(1), "broker-a", 0}, "*", 0, 32)
	})
}

// The lists came with 5.x.
func TestAdminLists(t *testing.T) {
	each(t, forms[1:], func(t *testing.T, j *client) {
		admin, broker := j.startAdmin(), j.c.Broker.Addr
		var topics []topicConfig
		var groups []groupConfig
		for range 3 {
			topics = append(topics, topicConfig{j.unique("topic"), 2, 2, 6, "SINGLE_TAG", false})
			groups = append(groups, groupConfig{j.unique("group"), true, 5})
		}
		admin.call(nil, "createAndUpdateTopicConfigList", broker, topics)
		admin.call(nil, "createAndUpdateSubscriptionGroupConfigList", broker, groups)
		for i := range topics {
			var topic topicConfig
			admin.call(&topic, "examineTopicConfig", broker, topics[i].TopicName)
			require.Equal(t, topics[i], topic)
			var group groupConfig
			admin.call(&group, "examineSubscriptionGroupConfig", broker, groups[i].GroupName)
			require.Equal(t, groups[i], group)
		}
	})
}

func TestAdminConsumers(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 20
		admin, topic, group, p := j.startAdmin(), j.newTopic(2), j.unique("group"), j.startProducer(nil)
		p.send("sync", newMessages(topic, 0, count))
		got := j.startConsumer(group, topic, options{})
		require.NoError(t, j.c.WaitRoute("%RETRY%"+group), "where the tools look for the group's brokers")
		var connection struct {
			ConnectionSet []struct {
				ClientID, ClientAddr, Language string
				Version                        int32
			}
			SubscriptionTable                           map[string]struct{ Topic, SubString string }
			ConsumeType, MessageModel, ConsumeFromWhere string
		}
		admin.call(&connection, "examineConsumerConnectionInfo", group)
		require.Len(t, connection.ConnectionSet, 1)
		require.Equal(t, "JAVA", connection.ConnectionSet[0].Language)
		require.Contains(t, connection.ConnectionSet[0].ClientAddr, "127.0.0.1:")
		require.Equal(t, "CONSUME_PASSIVELY", connection.ConsumeType)
		require.Equal(t, "CLUSTERING", connection.MessageModel)
		require.Equal(t, "CONSUME_FROM_FIRST_OFFSET", connection.ConsumeFromWhere)
		require.Equal(t, "*", connection.SubscriptionTable[topic].SubString)
		require.Contains(t, connection.SubscriptionTable, "%RETRY%"+group)
		admin.fails(topicNotExist, "examineConsumerConnectionInfo", j.unique("group"))

		eventually(t, "all messages", func() bool { return got.different() == count })
		got.call(nil, "shutdown")
		admin.fails(consumerNotOnline, "examineConsumerConnectionInfo", group)
		q := queue{topic, "broker-a", 1}
		admin.call(nil, "updateConsumeOffset", j.c.Broker.Addr, group, q, 4)
		var stats struct {
			OffsetTable map[string]struct{ BrokerOffset, ConsumerOffset int64 }
		}
		admin.call(&stats, "examineConsumeStats", group, topic)
		key := javaKey(t, stats.OffsetTable, q)
		require.EqualValues(t, count/2, stats.OffsetTable[key].BrokerOffset)
		require.EqualValues(t, 4, stats.OffsetTable[key].ConsumerOffset)
	})
}

// javaKey finds a queue among a map's keys, which hold its members in an order of their own.
func javaKey[V any](t *testing.T, table map[string]V, want queue) string {
	for key := range table {
		var q queue
		require.NoError(t, json.Unmarshal([]byte(key), &q))
		if q == want {
			return key
		}
	}
	require.Fail(t, "no such queue", "%v among %v", want, table)
	return ""
}

func TestAdminCluster(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		admin, broker := j.startAdmin(), j.c.Broker.Addr
		var info struct {
			BrokerAddrTable map[string]struct {
				BrokerName, Cluster string
				BrokerAddrs         map[string]string
			}
			ClusterAddrTable map[string][]string
		}
		admin.call(&info, "examineBrokerClusterInfo")
		require.Equal(t, map[string][]string{"DefaultCluster": {"broker-a"}}, info.ClusterAddrTable)
		require.Equal(t, map[string]string{"0": broker}, info.BrokerAddrTable["broker-a"].BrokerAddrs)

		var runtime struct{ Table map[string]string }
		admin.call(&runtime, "fetchBrokerRuntimeStats", broker)
		for _, key := range []string{
			"bootTimestamp", "runtime", "brokerVersionDesc", "msgPutTotalTodayNow", "msgGetTotalTodayNow", "putTps", "getTransferredTps",
			"commitLogMinOffset", "commitLogMaxOffset", "commitLogDiskRatio", "earliestMessageTimeStamp",
		} {
			require.NotEmpty(t, runtime.Table[key], key)
		}
	})
}

// configuring is held while a shared server has another configuration.
var configuring sync.Mutex

func TestAdminConfiguration(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		admin, broker, names := j.startAdmin(), j.c.Broker.Addr, []string{j.c.Names.Addr}
		configuring.Lock()
		defer configuring.Unlock()
		brokerValue := func(key string) string {
			var properties map[string]string
			admin.call(&properties, "getBrokerConfig", broker)
			require.Equal(t, "broker-a", properties["brokerName"])
			return properties[key]
		}
		const hot = "shortPollingTimeMills"
		before := brokerValue(hot)
		admin.call(nil, "updateBrokerConfig", broker, map[string]string{hot: "900"})
		require.Equal(t, "900", brokerValue(hot))
		admin.call(nil, "updateBrokerConfig", broker, map[string]string{hot: before})

		namesValue := func(key string) string {
			var properties map[string]map[string]string
			admin.call(&properties, "getNameServerConfig", names)
			return properties[names[0]][key]
		}
		const switched = "orderMessageEnable"
		require.Equal(t, "false", namesValue(switched))
		admin.call(nil, "updateNameServerConfig", map[string]string{switched: "true"}, names)
		require.Equal(t, "true", namesValue(switched))
		admin.call(nil, "updateNameServerConfig", map[string]string{switched: "false"}, names)
	})
}

func TestAdminKeyValues(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		admin, space := j.startAdmin(), j.unique("space")
		admin.call(nil, "createAndUpdateKvConfig", space, "a key", "a value, ß")
		admin.call(nil, "createAndUpdateKvConfig", space, "another", "2")
		var value string
		admin.call(&value, "getKVConfig", space, "a key")
		require.Equal(t, "a value, ß", value)
		var list struct{ Table map[string]string }
		admin.call(&list, "getKVListByNamespace", space)
		require.Equal(t, map[string]string{"a key": "a value, ß", "another": "2"}, list.Table)
		admin.call(nil, "deleteKvConfig", space, "a key")
		admin.fails(queryNotFound, "getKVConfig", space, "a key")
	})
}

// The queues that an application orders by are named at the NameServer.
func TestAdminOrderConfiguration(t *testing.T) {
	eachAlone(t, releases[1:], target.Options{}, func(t *testing.T, j *client) {
		admin, topic := j.startAdmin(), j.newTopic(2)
		admin.call(nil, "updateNameServerConfig", map[string]string{"orderMessageEnable": "true"}, []string{j.c.Names.Addr})
		admin.call(nil, "createOrUpdateOrderConf", topic, "broker-a:2", false)
		var route routeData
		admin.call(&route, "examineTopicRouteInfo", topic)
		require.Equal(t, "broker-a:2", route.OrderTopicConf)
	})
}

func TestAdminWritePermission(t *testing.T) {
	eachAlone(t, releases, target.Options{}, func(t *testing.T, j *client) {
		admin, topic := j.startAdmin(), j.newTopic(2)
		perm := func() int32 {
			var route routeData
			admin.call(&route, "examineTopicRouteInfo", topic)
			return route.QueueDatas[0].Perm
		}
		var topics int
		admin.call(&topics, "wipeWritePermOfBroker", j.c.Names.Addr, "broker-a")
		require.Positive(t, topics)
		require.EqualValues(t, 4, perm())
		admin.call(&topics, "addWritePermOfBroker", j.c.Names.Addr, "broker-a")
		require.Positive(t, topics)
		require.EqualValues(t, 6, perm())
	})
}
