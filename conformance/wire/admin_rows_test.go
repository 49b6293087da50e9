// SPDX-License-Identifier: Apache-2.0

// admin_rows_test.go: the rows of what tools ask a Broker.

package wire

import (
	"slices"

	"rocketd/protocol"
)

var (
	topicShown = probe{to: toBroker, code: protocol.GetTopicConfig, fields: []string{"topic", "{topic}"}}
	groupShown = probe{to: toBroker, code: protocol.GetSubscriptionGroupConfig, fields: []string{"group", "{group}"}}
)

func newTopicName(_ *pair, n *names) { n.renew("topic") }
func newGroupName(_ *pair, n *names) { n.renew("group") }

var adminRows = []*family{
	{
		code: protocol.UpdateAndCreateTopic, to: toBroker, each: newTopicName, after: []probe{topicShown},
		params: []param{text("topic", "{topic}"), text("defaultTopic", "TBW102"), int32s("readQueueNums", "2"), int32s("writeQueueNums", "2"), int32s("perm", "6"),
			text("topicFilterType", "SINGLE_TAG"), int32s("topicSysFlag", "0"), boolean("order", "false"), text("attributes", ""), boolean("force", "false")},
		rows: attributeRows,
		allow: []*rule{{rows: `^attribute of an equals sign$`, Allowance: Allowance{SameShape, "panic-text", `^remark$`}},
			{rows: `QueueNums (-1|0|min|max)$|^perm (-1|min|max)$`, Allowance: Allowance{Differs, "queue-count-bounds", ""}, ours: protocol.InvalidParameter}},
	},
	{
		code: protocol.UpdateAndCreateTopicList, to: toBroker, each: newTopicName, after: []probe{topicShown},
		body: `{"topicConfigList":[{"attributes":{},"order":false,"perm":6,"readQueueNums":2,"topicFilterType":"SINGLE_TAG","topicName":"{topic}","topicSysFlag":0,"writeQueueNums":3}]}`,
	},
	{
		// Which topics a page holds depends on what else there is, so that only without one ours are looked for.
		code: protocol.GetAllTopicConfig, to: toBroker, prepare: createTopic, own: `topicConfigTable$`, varies: `totalTopicNum|counter`,
		rows: pageRows("topicSeq", "maxTopicNum"),
	},
	{code: protocol.GetTopicStatsInfo, to: toBroker, prepare: threeMessages, params: []param{text("topic", "{topic}")}},
	{
		code: protocol.DeleteTopicInBroker, to: toBroker, after: []probe{topicShown}, params: []param{text("topic", "{topic}")},
		each: func(p *pair, n *names) {
			n.renew("topic")
			createTopic(p, n)
		},
		allow: []*rule{{rows: `^topic (long|huge|odd)$`, Allowance: Allowance{Differs, "delete-name", ""}, ours: protocol.InvalidParameter}},
	},
	{code: protocol.GetTopicConfig, to: toBroker, prepare: createTopic, params: []param{text("topic", "{topic}"), boolean("lo", "false")}},
	{
		code: protocol.UpdateAndCreateSubscriptionGroup, to: toBroker, each: newGroupName, after: []probe{groupShown},
		body:  `{"consumeEnable":true,"groupName":"{group}","retryMaxTimes":5}`,
		rows:  slices.Concat(groupAttributes, retryPolicies),
		allow: []*rule{{rows: `^without body$`, Allowance: Allowance{Differs, "no-body", ""}, ours: protocol.SystemError}},
	},
	{
		code: protocol.UpdateAndCreateSubscriptionGroupList, to: toBroker, each: newGroupName, after: []probe{groupShown},
		body: `{"groupConfigList":[{"groupName":"{group}","retryMaxTimes":5}]}`,
	},
	{
		code: protocol.GetAllSubscriptionGroupConfig, to: toBroker, prepare: createGroup, own: `(subscriptionGroup|forbidden)Table$`, varies: `totalGroupNum|counter`,
		rows: pageRows("groupSeq", "maxGroupNum"),
	},
	{code: protocol.GetSubscriptionGroupConfig, to: toBroker, prepare: createGroup, params: []param{text("group", "{group}")}},
	{
		code: protocol.UpdateBrokerConfig, to: toBroker, body: "traceTopicEnable=false\n",
		allow: []*rule{{rows: `^(good|unknown field|without extFields|broken body)$`, Allowance: Allowance{Differs, "config-allow-list", ""}, ours: protocol.NoPermission}},
	},
	{
		code: protocol.GetBrokerConfig, to: toBroker, varies: `ext\.version`,
		allow: []*rule{{Allowance: Allowance{SameCode, "broker-config-list", `^body`}}},
	},
	{code: protocol.CleanExpiredConsumeQueue, to: toBroker},
	{code: protocol.CleanUnusedTopic, to: toBroker},
	{code: protocol.DeleteExpiredCommitLog, to: toBroker},
	{
		// The figures are those of the last snapshot, which each takes at its own time.
		code: protocol.ViewBrokerStatsData, to: toBroker, prepare: threeMessages, varies: `^body\.stats`,
		params: []param{text("statsName", "TOPIC_PUT_NUMS"), text("statsKey", "{topic}")},
		rows: []row{
			{name: "bytes", set: []string{"statsName", "TOPIC_PUT_SIZE"}},
			{name: "a group that got nothing", set: []string{"statsName", "GROUP_GET_NUMS", "statsKey", "{topic}@{group}"}},
			{name: "a group that sent nothing back", set: []string{"statsName", "SNDBCK_PUT_NUMS", "statsKey", "{topic}@{group}"}},
			{name: "the broker", set: []string{"statsName", "BROKER_PUT_NUMS", "statsKey", "DefaultCluster"}},
			{name: "another cluster", set: []string{"statsName", "BROKER_PUT_NUMS", "statsKey", "{group}"}},
			{name: "latencies", set: []string{"statsName", "TOPIC_PUT_LATENCY", "statsKey", "0@{topic}"}},
		},
		allow: []*rule{{rows: `^latencies$`, Allowance: Allowance{Differs, "stats-names", ""}, ours: protocol.SystemError}},
	},
	{
		code: protocol.GetBrokerRuntimeInfo, to: toBroker, varies: `^body\.table\.`, hidden: `scheduleMessageOffset_`,
		allow: []*rule{{Allowance: Allowance{SameCode, "runtime-4x", `getTransferedTps$`}}},
	},
}

// pageRows ask for pages that hold none of our names.
func pageRows(seq, most string) []row {
	return []row{
		{name: "page without an end", set: []string{"dataVersion", "", seq, "9999999", most, "-1"}},
		{name: "page of none", set: []string{seq, "0", most, "0"}},
		{name: "page without a beginning", set: []string{most, "10"}},
		{name: "beginning x malformed", set: []string{seq, "x"}},
		{name: "size x malformed", set: []string{seq, "0", most, "x"}},
	}
}
