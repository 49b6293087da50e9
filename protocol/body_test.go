// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
)

// bodyRoundTrip decodes a body into a T and encodes it again.
func bodyRoundTrip[T any](t *testing.T, body string) string {
	v := new(T)
	require.NoError(t, fastjson.Unmarshal([]byte(body), v), body)
	again, err := fastjson.Marshal(v)
	require.NoError(t, err)
	back := new(T)
	require.NoError(t, fastjson.Unmarshal(again, back))
	require.Equal(t, v, back)
	return string(again)
}

// TestGoldenBodies: what Java sent comes out again with the same members.
func TestGoldenBodies(t *testing.T) {
	cases := []struct {
		code      int32
		kind      string
		roundTrip func(*testing.T, string) string
	}{
		{HeartBeat, "request", bodyRoundTrip[Heartbeat]},
		{GetConsumerListByGroup, "response", bodyRoundTrip[ConsumerList]},
		{LockBatchMQ, "request", bodyRoundTrip[LockBatch]},
		{LockBatchMQ, "response", bodyRoundTrip[LockBatchResult]},
		{CheckClientConfig, "request", bodyRoundTrip[CheckClientConfigBody]},
		{GetRouteInfoByTopic, "response", bodyRoundTrip[TopicRoute]},
		{GetAllTopicListFromNameServer, "response", bodyRoundTrip[TopicList]},
		{UpdateAndCreateSubscriptionGroup, "request", bodyRoundTrip[GroupConfig]},
		{GetAllSubscriptionGroupConfig, "response", bodyRoundTrip[GroupConfigTable]},
		{GetAllTopicConfig, "response", bodyRoundTrip[TopicConfigTable]},
		{GetTopicConfig, "response", bodyRoundTrip[TopicConfig]},
		{GetBrokerRuntimeInfo, "response", bodyRoundTrip[KVTable]},
	}
	for _, tc := range cases {
		body := findGolden(t, tc.code, tc.kind)
		require.JSONEq(t, body, tc.roundTrip(t, body), "%s of %s", tc.kind, RequestName(tc.code))
	}
}

// The dialect cannot be compared as JSON: keys without quotes and keys that are objects.
func TestGoldenDialect(t *testing.T) {
	cluster := findGolden(t, GetBrokerClusterInfo, "response")
	require.Contains(t, cluster, `{0:"127.0.0.1:10911"}`)
	require.JSONEq(t, `{"brokerAddrTable":{"broker-a":{"brokerAddrs":{"0":"127.0.0.1:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}}`,
		bodyRoundTrip[ClusterInfo](t, cluster))

	var stats TopicStats
	require.NoError(t, fastjson.Unmarshal([]byte(findGolden(t, GetTopicStatsInfo, "response")), &stats))
	queue := MessageQueue{BrokerName: "broker-a", QueueID: 3, Topic: "TopicTest"}
	require.Len(t, stats.OffsetTable, 4)
	require.Equal(t, TopicOffset{LastUpdateTimestampMs: 1795405378223, MaxOffset: 339}, stats.OffsetTable[queue])
	one, err := fastjson.Marshal(&TopicStats{OffsetTable: map[MessageQueue]TopicOffset{queue: {MaxOffset: 339}}})
	require.NoError(t, err)
	require.Equal(t, `{"offsetTable":{{"brokerName":"broker-a","queueId":3,"topic":"TopicTest"}:{"lastUpdateTimestamp":0,"maxOffset":339,"minOffset":0}},"topicPutTps":0.0}`, string(one))

	consumed, err := fastjson.Marshal(&ConsumeStats{OffsetTable: map[MessageQueue]ConsumeOffset{queue: {BrokerOffset: 9, ConsumerOffset: 7, LastTimestampMs: 5}}})
	require.NoError(t, err)
	require.Equal(t, `{"consumeTps":0.0,"offsetTable":{{"brokerName":"broker-a","queueId":3,"topic":"TopicTest"}:{"brokerOffset":9,"consumerOffset":7,"lastTimestamp":5,"pullOffset":0}}}`, string(consumed))
	bodyRoundTrip[ConsumeStats](t, findGolden(t, GetConsumeStats, "response"))
}

// The official Go client writes the hashes of tags as text.
func TestHeartbeatFromGo(t *testing.T) {
	var h Heartbeat
	require.NoError(t, fastjson.Unmarshal([]byte(`{"clientID":"10.0.0.1@7","producerDataSet":[],"consumerDataSet":[{"groupName":"G","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"classFilterMode":false,"topic":"T","subString":"a || b","tagsSet":["a","b"],"codeSet":["97","-98"],"subVersion":1795405188094000000,"expressionType":"TAG"}],"unitMode":false}]}`), &h))
	require.Equal(t, []ConsumerData{{
		ConsumeFromWhere: ConsumeFromFirstOffset, ConsumeType: ConsumePassively, GroupName: "G", MessageModel: Clustering,
		SubscriptionDataSet: []SubscriptionData{{CodeSet: []int32{97, -98}, ExpressionType: ExpressionTag, SubString: "a || b",
			SubVersion: 1795405188094000000, TagsSet: []string{"a", "b"}, Topic: "T"}},
	}}, h.ConsumerDataSet)
}

func TestTopicRouteEncode(t *testing.T) {
	body := findGolden(t, GetRouteInfoByTopic, "response")
	var route TopicRoute
	require.NoError(t, fastjson.Unmarshal([]byte(body), &route))
	text, err := route.Encode(true)
	require.NoError(t, err)
	require.Equal(t, body, string(text), "as Java wrote it")

	order := `b"a:4`
	route = TopicRoute{
		BrokerDatas: []BrokerData{{BrokerAddrs: map[int64]string{10: "c", 0: "a", 2: "b"}, BrokerName: "b1", Cluster: "c", EnableActingMaster: true, ZoneName: "z"},
			{BrokerName: "b2", Cluster: "c"}},
		FilterServerTable: map[string][]string{"a": {"x", "y"}, "b": nil},
		OrderTopicConf:    &order,
		QueueDatas:        []QueueData{{BrokerName: "b1", Perm: 6, ReadQueueNums: 4, TopicSysFlag: 1, WriteQueueNums: 8}, {}},
	}
	text, err = route.Encode(false)
	require.NoError(t, err)
	require.Equal(t, `{"brokerDatas":[{"brokerAddrs":{0:"a",2:"b",10:"c"},"brokerName":"b1","cluster":"c","enableActingMaster":true,"zoneName":"z"},{"brokerAddrs":{},"brokerName":"b2","cluster":"c","enableActingMaster":false}],"filterServerTable":{"a":["x","y"],"b":[]},"orderTopicConf":"b\"a:4","queueDatas":[{"brokerName":"b1","perm":6,"readQueueNums":4,"topicSysFlag":1,"writeQueueNums":8},{"brokerName":"","perm":0,"readQueueNums":0,"topicSysFlag":0,"writeQueueNums":0}]}`, string(text))

	standard, err := route.Encode(true)
	require.NoError(t, err)
	require.True(t, json.Valid(standard))
	for _, form := range [][]byte{text, standard} {
		var back TopicRoute
		require.NoError(t, fastjson.Unmarshal(form, &back))
		again, err := back.Encode(true)
		require.NoError(t, err)
		require.Equal(t, string(standard), string(again))
	}

	text, err = (&TopicRoute{}).Encode(true)
	require.NoError(t, err)
	require.Equal(t, `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[]}`, string(text))
}

func TestTopicConfig(t *testing.T) {
	topic := NewTopicConfig("T", 8, 8, PermRead|PermWrite)
	require.Equal(t, "TopicConfig [topicName=T, readQueueNums=8, writeQueueNums=8, perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}]", topic.String())
	topic.Attributes = map[string]string{"message.type": "FIFO", "cleanup.policy": "DELETE"}
	require.Contains(t, topic.String(), "attributes={cleanup.policy=DELETE, message.type=FIFO}]")
	for perm, want := range map[int32]string{0: "---", PermRead: "R--", PermWrite: "-W-", 7: "RWX", PermPriority: "---"} {
		require.Equal(t, want, PermString(perm))
	}
	// What is missing has Java's defaults.
	var partly TopicConfig
	require.NoError(t, fastjson.Unmarshal([]byte(`{"perm":2,"topicName":"P"}`), &partly))
	require.Equal(t, NewTopicConfig("P", 16, 16, PermWrite), &partly)
	require.Error(t, fastjson.Unmarshal([]byte(`{"perm":{}}`), &partly))
}

func TestGroupConfig(t *testing.T) {
	text, err := fastjson.Marshal(NewGroupConfig("G"))
	require.NoError(t, err)
	require.Equal(t, `{"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,"consumeFromMinEnable":true,"consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"G","groupRetryPolicy":{"type":"CUSTOMIZED"},"groupSysFlag":0,"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,"whichBrokerWhenConsumeSlowly":1}`, string(text))
	var group GroupConfig
	require.NoError(t, fastjson.Unmarshal([]byte(`{"groupName":"G","consumeEnable":false,"groupRetryPolicy":{"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":1,"max":2,"multiplier":3}}}`), &group))
	want := NewGroupConfig("G")
	want.ConsumeEnable = false
	want.GroupRetryPolicy = &RetryPolicy{Type: RetryExponential, ExponentialRetryPolicy: &ExponentialRetry{InitialMs: 1, MaxMs: 2, Multiplier: 3}}
	require.Equal(t, want, &group)
	require.Error(t, fastjson.Unmarshal([]byte(`{"retryMaxTimes":"many"}`), &group))
}

// What a policy leaves out has Java's defaults, and comes back as Java prints it.
func TestRetryPolicy(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:              `{"type":"CUSTOMIZED"}`,
		`{"type":null}`:   `{}`,
		`{"type":"LINE"}`: `{}`,
		`{"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":7}}`: `{"exponentialRetryPolicy":{"initial":7,"max":7200000,"multiplier":2},"type":"EXPONENTIAL"}`,
		`{"customizedRetryPolicy":{"next":[]}}`:                         `{"customizedRetryPolicy":{"next":[]},"type":"CUSTOMIZED"}`,
		`{"customizedRetryPolicy":{"next":null}}`:                       `{"customizedRetryPolicy":{},"type":"CUSTOMIZED"}`,
		`{"customizedRetryPolicy":{}}`: `{"customizedRetryPolicy":{"next":[1000,5000,10000,30000,60000,120000,180000,240000,300000,` +
			`360000,420000,480000,540000,600000,1200000,1800000,3600000,7200000]},"type":"CUSTOMIZED"}`,
	} {
		var policy RetryPolicy
		require.NoError(t, fastjson.Unmarshal([]byte(text), &policy), text)
		printed, err := fastjson.Marshal(&policy)
		require.NoError(t, err)
		require.Equal(t, want, string(printed), text)
	}
}

func TestConnectionLanguage(t *testing.T) {
	body := `{"connectionSet":[{"clientAddr":"10.0.0.1:5","clientId":"c","language":"GO","version":317}]}`
	require.JSONEq(t, body, bodyRoundTrip[ProducerConnection](t, body))
	var c Connection
	require.NoError(t, fastjson.Unmarshal([]byte(`{"language":"COBOL"}`), &c))
	require.Equal(t, LangUnknown, c.Language)
	require.NoError(t, fastjson.Unmarshal([]byte(`{"language":null}`), &c))
}

func TestDataVersion(t *testing.T) {
	v := DataVersion{Counter: 1, StateVersion: 2, TimestampMs: 3}
	require.Equal(t, DataVersion{Counter: 2, StateVersion: 4, TimestampMs: 9}, v.Next(9, 4))
}
