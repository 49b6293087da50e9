// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/compat/fastjson"
	"rocketd/protocol"
)

func mapping(brokerName, topic string, queues int) fastjson.Raw {
	var ids []string
	for i := range queues {
		ids = append(ids, strconv.Quote(strconv.Itoa(i))+":"+strconv.Itoa(i))
	}
	return fastjson.Raw(fmt.Sprintf(`{"bname":%q,"currIdMap":{%s},"dirty":false,"epoch":7,"scope":"__global__","topic":%q,"totalQueues":%d}`,
		brokerName, strings.Join(ids, ","), topic, queues))
}

// registerMapped registers a broker with mappings, given by topic.
func (f *fixture) registerMapped(b broker, mappings map[string]fastjson.Raw) {
	f.t.Helper()
	table := map[string]*protocol.TopicConfig{}
	for _, topic := range b.topics {
		table[topic.TopicName] = topic
	}
	body, err := fastjson.Marshal(protocol.RegisterBrokerBody{TopicConfigSerializeWrapper: protocol.TopicConfigTable{
		DataVersion: b.version, TopicConfigTable: table, TopicQueueMappingInfoMap: mappings,
	}})
	require.NoError(f.t, err)
	answer := f.askAs(f.peer, compat.Version, protocol.RegisterBroker, b.header(), body)
	require.Equal(f.t, protocol.Success, answer.Code, answer.Remark)
}

// Routes carry the mapping of each broker that serves a static topic, as long as it does.
func TestMappingsStandInRoutes(t *testing.T) {
	f := newServer(t)
	a := broker{name: "a", addr: "10.0.0.1:1", topics: topics("S", "T")}
	b := broker{name: "b", addr: "10.0.0.2:1", topics: topics("S", "T")}
	f.registerMapped(a, map[string]fastjson.Raw{"S": mapping("a", "S", 2)})
	f.registerMapped(b, map[string]fastjson.Raw{"S": mapping("b", "S", 3), "T": mapping("c", "T", 1), "U": mapping("b", "U", 1)})
	require.Nil(t, f.route("T").Mappings, "another's mapping is not taken")
	require.Nil(t, f.route("U"))
	route := f.route("S")
	require.Len(t, route.Mappings, 2)
	require.Equal(t, &protocol.TopicQueueMapping{
		BrokerName: "a", CurrIDMap: map[int32]int32{0: 0, 1: 1}, Epoch: 7, Scope: "__global__", Topic: "S", TotalQueues: 2,
	}, route.Mappings["a"])

	const oldClient = 400 // reads numbers as keys without quotes only
	answer := f.askAs(f.peer, oldClient, protocol.GetRouteInfoByTopic, map[string]string{"topic": "S"}, nil)
	require.Contains(t, string(answer.Body), `"currIdMap":{0:0,1:1}`)

	f.must(protocol.UnregisterBroker, b.header(), nil)
	require.Len(t, f.route("S").Mappings, 1)
	f.must(protocol.UnregisterBroker, a.header(), nil)
	require.Empty(t, f.registry.mappings)
	require.Zero(t, f.registry.mapped)
}

// What mappings hold together is bounded, whoever registers them.
func TestMappingsAreBounded(t *testing.T) {
	f := newServer(t)
	names := make([]string, maxMappedQueues/maxQueueNums+1)
	mappings := map[string]fastjson.Raw{}
	for i := range names {
		names[i] = fmt.Sprint("S", i)
		mappings[names[i]] = mapping("a", names[i], maxQueueNums)
	}
	a := broker{name: "a", addr: "10.0.0.1:1", topics: topics(names...)}
	f.registerMapped(a, mappings)
	require.LessOrEqual(t, f.registry.mapped, maxMappedQueues)
	require.NotEmpty(t, f.registry.mappings)
	before := f.registry.mapped
	a.version.Counter++
	f.registerMapped(a, mappings)
	require.Equal(t, before, f.registry.mapped)
	a.version.Counter++
	f.registerMapped(a, map[string]fastjson.Raw{"S1": mapping("a", "S1", maxQueueNums+1)})
	require.Equal(t, before, f.registry.mapped)
}
