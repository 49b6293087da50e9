// SPDX-License-Identifier: Apache-2.0

// names_rows_test.go: the rows of what Brokers, clients and tools ask a NameServer.

package wire

import (
	"strings"

	"rocketd/protocol"
)

const brokerBody = `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1700000000000},"topicConfigTable":{` +
	`"{topic}":{"attributes":{},"order":false,"perm":6,"readQueueNums":2,"topicFilterType":"SINGLE_TAG","topicName":"{topic}","topicSysFlag":0,"writeQueueNums":3},` +
	`"{topic}_unit":{"attributes":{},"order":false,"perm":6,"readQueueNums":2,"topicFilterType":"SINGLE_TAG","topicName":"{topic}_unit","topicSysFlag":3,"writeQueueNums":3},` +
	`"{topic}_sub":{"attributes":{},"order":false,"perm":6,"readQueueNums":2,"topicFilterType":"SINGLE_TAG","topicName":"{topic}_sub","topicSysFlag":2,"writeQueueNums":3}}}}`

// staticRows register {topic} as a static one.
var staticRows = []row{
	{name: "static topic", body: mapped(`"{topic}":{"bname":"{broker}","currIdMap":{0:1,3:0},"dirty":false,"epoch":1700000000001,"scope":"__global__","topic":"{topic}","totalQueues":8}`)},
	{name: "static topic, keys quoted", body: mapped(`"{topic}":{"bname":"{broker}","currIdMap":{"0":1},"dirty":true,"epoch":3,"scope":"s","topic":"{topic}","totalQueues":8,"hostedQueues":{}}`)},
	{name: "static topic without queues", body: mapped(`"{topic}":{"bname":"{broker}","currIdMap":{},"dirty":false,"epoch":3,"scope":"__global__","topic":"{topic}","totalQueues":0}`)},
	{name: "no static topic", body: mapped(``)},
}

func mapped(entries string) *string {
	return new(strings.TrimSuffix(brokerBody, "}}") + `,"mappingDataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{` + entries + `}}}`)
}

// register enters a Broker with three topics. It goes with the test.
func register(p *pair, n *names) {
	p.t.Helper()
	p.must(toNames, protocol.RegisterBroker, n, brokerBody, "brokerName", "{broker}", "brokerAddr", "192.0.2.1:10911", "clusterName", "{cluster}",
		"haServerAddr", "192.0.2.1:10912", "brokerId", "0", "compressed", "false", "bodyCrc32", "0")
	leave(p, n)
}

// leave takes the Broker out when the test ends; others use the same Java NameServer.
func leave(p *pair, n *names) {
	request := n.requests(protocol.UnregisterBroker, pairs([]string{"brokerName", "{broker}", "brokerAddr", "192.0.2.1:10911", "clusterName", "{cluster}", "brokerId", "0"}), "")
	p.t.Cleanup(func() { p.ask(toNames, request, answerTime) })
}

// another registers a Broker of a new name.
func another(p *pair, n *names) {
	n.renew("topic", "broker", "cluster")
	register(p, n)
}

// putKey stores one entry of a new name.
func putKey(p *pair, n *names) {
	p.t.Helper()
	n.renew("key", "ns")
	p.must(toNames, protocol.PutKVConfig, n, "", "namespace", "{ns}", "key", "{key}", "value", "some value")
}

var (
	routeShown  = probe{to: toNames, code: protocol.GetRouteInfoByTopic, fields: []string{"topic", "{topic}", "acceptStandardJsonOnly", "true"}}
	memberShown = probe{to: toNames, code: protocol.GetBrokerMemberGroup, fields: []string{"clusterName", "{cluster}", "brokerName", "{broker}"}}
	keyShown    = probe{to: toNames, code: protocol.GetKVConfig, fields: []string{"namespace", "{ns}", "key", "{key}"}}
)

const ownTopics = `topicList$`

var routeRows = []*family{
	{code: protocol.GetRouteInfoByTopic, to: toNames, prepare: register, params: []param{text("topic", "{topic}"), boolean("acceptStandardJsonOnly", "true")}},
	{code: protocol.GetBrokerClusterInfo, to: toNames, prepare: register, own: `AddrTable$`},
	{code: protocol.GetAllTopicListFromNameServer, to: toNames, prepare: register, own: ownTopics},
	{code: protocol.GetTopicsByCluster, to: toNames, prepare: register, own: ownTopics, params: []param{text("cluster", "{cluster}")}},
	{code: protocol.GetSystemTopicListFromNS, to: toNames, prepare: register, own: ownTopics, varies: `brokerAddr`},
	{code: protocol.GetUnitTopicList, to: toNames, prepare: register, own: ownTopics},
	{code: protocol.GetHasUnitSubTopicList, to: toNames, prepare: register, own: ownTopics},
	{code: protocol.GetHasUnitSubUnunitTopicList, to: toNames, prepare: register, own: ownTopics},
	{
		code: protocol.DeleteTopicInNamesrv, to: toNames, each: another, after: []probe{routeShown},
		params: []param{text("topic", "{topic}"), text("clusterName", "{cluster}")},
	},
	{
		code: protocol.RegisterTopicInNamesrv, to: toNames, each: another, params: []param{text("topic", "{topic}_new")},
		body:  `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[{"brokerName":"{broker}","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}`,
		after: []probe{{to: toNames, code: protocol.GetRouteInfoByTopic, fields: []string{"topic", "{topic}_new"}}},
	},
}

var registerRows = []*family{
	{
		code: protocol.RegisterBroker, to: toNames, after: []probe{routeShown, memberShown}, body: brokerBody,
		each: func(p *pair, n *names) {
			n.renew("topic", "broker", "cluster")
			leave(p, n)
		},
		params: []param{text("brokerName", "{broker}"), text("brokerAddr", "192.0.2.1:10911"), text("clusterName", "{cluster}"), text("haServerAddr", "192.0.2.1:10912"),
			place("brokerId", "0"), {"heartbeatTimeoutMillis", "none", "60000"}, boolean("enableActingMaster", "false"), boolean("compressed", "false"), int32s("bodyCrc32", "0")},
		rows: staticRows,
		allow: []*rule{
			// Java keeps what it has done of such a registration before an exception, and its lists end there from then on.
			{rows: `^(brokerName|brokerAddr|clusterName) (missing|empty|long|huge)$|^without extFields$`, Allowance: Allowance{Differs, "ns-bounds", ""}, ours: protocol.SystemError, alone: true},
			{rows: `^haServerAddr (long|huge)$`, Allowance: Allowance{Differs, "ns-bounds", ""}, ours: protocol.SystemError},
		},
	},
	{
		code: protocol.UnregisterBroker, to: toNames, each: another, after: []probe{routeShown, memberShown},
		params: []param{text("brokerName", "{broker}"), text("brokerAddr", "192.0.2.1:10911"), {"clusterName", "none", "{cluster}"}, {"brokerId", "none", "0"}},
		rows:   []row{{name: "brokerId malformed", set: []string{"brokerId", "x"}}},
		allow: []*rule{
			// Java answers success and then fails at it, and at those that other Brokers have asked for meanwhile.
			{rows: `^without extFields$|^(clusterName|brokerId) missing$|^brokerId malformed$`, Allowance: Allowance{Differs, "missing-field", ""}, ours: protocol.SystemError, alone: true},
		},
	},
	{
		code: protocol.QueryDataVersion, to: toNames, prepare: register, body: `{"counter":7,"stateVersion":0,"timestamp":1700000000000}`,
		params: []param{text("brokerName", "{broker}"), text("brokerAddr", "192.0.2.1:10911"), text("clusterName", "{cluster}"), int64s("brokerId", "0")},
	},
	{
		code: protocol.BrokerHeartbeat, to: toNames, prepare: register,
		params: []param{text("clusterName", "{cluster}"), text("brokerAddr", "192.0.2.1:10911"), text("brokerName", "{broker}"), int64s("brokerId", "0")},
	},
	{
		code: protocol.GetBrokerMemberGroup, to: toNames, prepare: register, params: []param{text("clusterName", "{cluster}"), text("brokerName", "{broker}")},
		allow: []*rule{{rows: `^without extFields$| (missing|empty)$`, Allowance: Allowance{SameCode, "missing-field", `brokerMemberGroup\.(cluster|brokerName)$`}}},
	},
	{code: protocol.WipeWritePermOfBroker, to: toNames, each: another, after: []probe{routeShown}, params: []param{text("brokerName", "{broker}")}},
	{
		code: protocol.AddWritePermOfBroker, to: toNames, after: []probe{routeShown}, params: []param{text("brokerName", "{broker}")},
		each: func(p *pair, n *names) {
			another(p, n)
			p.must(toNames, protocol.WipeWritePermOfBroker, n, "", "brokerName", "{broker}")
		},
	},
	{
		code: protocol.PutKVConfig, to: toNames, after: []probe{keyShown}, each: func(_ *pair, n *names) { n.renew("key", "ns") },
		params: []param{text("namespace", "{ns}"), text("key", "{key}"), text("value", "some value")},
		allow:  []*rule{{rows: `^value (missing|empty)$`, Allowance: Allowance{Differs, "missing-field", ""}, ours: protocol.SystemError}},
	},
	{code: protocol.GetKVConfig, to: toNames, prepare: putKey, params: []param{text("namespace", "{ns}"), text("key", "{key}")}},
	{code: protocol.DeleteKVConfig, to: toNames, each: putKey, after: []probe{keyShown}, params: []param{text("namespace", "{ns}"), text("key", "{key}")}},
	{
		code: protocol.GetKVListByNamespace, to: toNames, prepare: putKey, own: `table$`, params: []param{text("namespace", "{ns}")},
		allow: []*rule{{rows: `^without extFields$|^namespace (missing|empty)$`, Allowance: Allowance{Differs, "missing-field", ""}, ours: protocol.SystemError}},
	},
	{
		code: protocol.UpdateNamesrvConfig, to: toNames, body: "orderMessageEnable=false\n",
		allow: []*rule{{rows: `^broken body$`, Allowance: Allowance{Differs, "config-allow-list", ""}, ours: protocol.NoPermission}},
	},
	{code: protocol.GetNamesrvConfig, to: toNames, allow: []*rule{{Allowance: Allowance{SameCode, "ns-config-list", `^body`}}}},
}
