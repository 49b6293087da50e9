// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
)

func TestTopicLists(t *testing.T) {
	f := newServer(t)
	list := topics("A", "B", "U", "S")
	list[2].TopicSysFlag = protocol.TopicFlagUnit | protocol.TopicFlagUnitSub
	list[3].TopicSysFlag = protocol.TopicFlagUnitSub
	f.mustRegister(broker{name: "b1", addr: "10.0.0.1:1", topics: list})
	f.mustRegister(broker{cluster: "D", name: "b2", addr: "10.0.0.2:1", topics: topics("A", "X")})
	require.Equal(t, []string{"A", "B", "S", "U", "X"}, f.topicList(protocol.GetAllTopicListFromNameServer, nil))
	require.Equal(t, []string{"A", "X"}, f.topicList(protocol.GetTopicsByCluster, map[string]string{"cluster": "D"}))
	require.Equal(t, `{"topicList":[]}`, string(f.must(protocol.GetTopicsByCluster, map[string]string{"cluster": "none"}, nil).Body))
	require.Equal(t, []string{"U"}, f.topicList(protocol.GetUnitTopicList, nil))
	require.Equal(t, []string{"S", "U"}, f.topicList(protocol.GetHasUnitSubTopicList, nil))
	require.Equal(t, []string{"S"}, f.topicList(protocol.GetHasUnitSubUnunitTopicList, nil))

	var system protocol.TopicList
	require.NoError(t, fastjson.Unmarshal(f.must(protocol.GetSystemTopicListFromNS, nil, nil).Body, &system))
	require.Equal(t, protocol.TopicList{BrokerAddr: "10.0.0.1:1", TopicList: []string{"C", "D", "b1", "b2"}}, system)
}

func TestListsSwitchedOff(t *testing.T) {
	f := newServer(t, func(c *Config) { c.EnableAllTopicList, c.EnableTopicList = false, false })
	for _, code := range []int32{
		protocol.GetAllTopicListFromNameServer, protocol.GetTopicsByCluster, protocol.GetUnitTopicList,
		protocol.GetHasUnitSubTopicList, protocol.GetHasUnitSubUnunitTopicList,
	} {
		answer := f.ask(code, map[string]string{"cluster": "C"}, nil)
		require.Equal(t, protocol.SystemError, answer.Code)
		require.Equal(t, "disable", answer.Remark)
	}
}

func TestDeleteTopic(t *testing.T) {
	f := newServer(t)
	f.mustRegister(broker{name: "b1", addr: "10.0.0.1:1", topics: topics("A", "B")})
	f.mustRegister(broker{cluster: "D", name: "b2", addr: "10.0.0.2:1", topics: topics("A", "B")})
	f.must(protocol.DeleteTopicInNamesrv, map[string]string{"topic": "A", "clusterName": "none"}, nil)
	require.Len(t, f.route("A").QueueDatas, 2)
	f.must(protocol.DeleteTopicInNamesrv, map[string]string{"topic": "A", "clusterName": "D"}, nil)
	require.Len(t, f.route("A").QueueDatas, 1)
	f.must(protocol.DeleteTopicInNamesrv, map[string]string{"topic": "B"}, nil)
	require.Nil(t, f.route("B"))
	f.must(protocol.DeleteTopicInNamesrv, map[string]string{"topic": "unknown"}, nil)
	require.Equal(t, 1, f.registry.pairs)
}

func TestRegisterTopic(t *testing.T) {
	f := newServer(t)
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1"})
	add := func(topic, body string) {
		f.must(protocol.RegisterTopicInNamesrv, map[string]string{"topic": topic}, []byte(body))
	}
	add("New", `{"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":1,"writeQueueNums":2}]}`)
	require.Equal(t, []protocol.QueueData{{BrokerName: "b", Perm: 6, ReadQueueNums: 1, WriteQueueNums: 2}}, f.route("New").QueueDatas)
	add("Strange", `{"queueDatas":[{"brokerName":"nobody","perm":6,"readQueueNums":1,"writeQueueNums":2}]}`)
	require.Nil(t, f.route("Strange"))
	add("Neg", `{"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":-1,"writeQueueNums":2}]}`)
	require.Nil(t, f.route("Neg"))
	add("a/b", `{"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":1,"writeQueueNums":2}]}`)
	require.Nil(t, f.route("a/b"))
	add("Empty", ``)
	require.Nil(t, f.route("Empty"))
}
