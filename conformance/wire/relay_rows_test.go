// SPDX-License-Identifier: Apache-2.0

// relay_rows_test.go: the rows of offset administration, of what a Broker passes on to a client, and of replies.

package wire

import (
	"strings"

	"rocketd/protocol"
)

// someOffset is a group without members that has consumed two of three messages.
func someOffset(p *pair, n *names) {
	threeMessages(p, n)
	p.must(toBroker, protocol.UpdateConsumerOffset, n, "", "consumerGroup", "{group}", "topic", "{topic}", "queueId", "0", "commitOffset", "2")
}

// anotherGroup is someOffset for a group of a new name.
func anotherGroup(p *pair, n *names) {
	n.renew("group")
	createGroup(p, n)
	p.must(toBroker, protocol.UpdateConsumerOffset, n, "", "consumerGroup", "{group}", "topic", "{topic}", "queueId", "0", "commitOffset", "2")
}

var offsetAdminRows = []*family{
	{code: protocol.GetEarliestMsgStoreTime, to: toBroker, prepare: threeMessages, params: []param{text("topic", "{topic}"), int32s("queueId", "0")}},
	{code: protocol.QueryConsumeTimeSpan, to: toBroker, prepare: someOffset, params: []param{text("topic", "{topic}"), text("group", "{group}")}, varies: `delayTime`},
	{
		code: protocol.QueryCorrectionOffset, to: toBroker, prepare: someOffset,
		params: []param{text("filterGroups", ""), text("compareGroup", "{group}"), text("topic", "{topic}")},
	},
	{
		code: protocol.CloneGroupOffset, to: toBroker, prepare: threeMessages, each: anotherGroup,
		params: []param{text("srcGroup", "{group}"), text("destGroup", "{group}_copy"), text("topic", "{topic}"), boolean("offline", "true")},
		after:  []probe{{to: toBroker, code: protocol.QueryConsumerOffset, fields: []string{"consumerGroup", "{group}_copy", "topic", "{topic}", "queueId", "0"}}},
		allow: []*rule{
			// Java stores offsets of a group without a name, and fails from then on where it takes such keys apart.
			{rows: `^destGroup (missing|empty)$`, Allowance: Allowance{Verb: Differs}, ours: protocol.Success, alone: true},
			{rows: `^without extFields$`, Allowance: Allowance{Differs, "missing-field", ""}, ours: protocol.Success},
			{rows: `^topic (missing|empty)$`, Allowance: Allowance{SameShape, "clone-all", `^ext\.offset$`}},
		},
	},
	{
		code: protocol.InvokeBrokerToResetOffset, to: toBroker, prepare: threeMessages, each: anotherGroup, after: []probe{committed},
		params: []param{text("topic", "{topic}"), text("group", "{group}"), int32s("queueId", "0"), int64s("offset", "1"), int64s("timestamp", "-1"), boolean("isForce", "true")},
		allow:  []*rule{{rows: `^queueId max$`, Allowance: Allowance{Differs, "offset-queue-bounds", ""}, ours: protocol.InvalidParameter}},
	},
	{
		code: protocol.InvokeBrokerToGetConsumerStatus, to: toBroker, prepare: someOffset,
		params: []param{text("topic", "{topic}"), text("group", "{group}"), text("clientAddr", "{client}")},
	},
	{
		code: protocol.GetConsumerRunningInfo, to: toBroker, prepare: someOffset,
		params: []param{text("consumerGroup", "{group}"), text("clientId", "{client}"), boolean("jstackEnable", "false")},
	},
	{
		code: protocol.ConsumeMessageDirectly, to: toBroker, prepare: someOffset,
		params: []param{text("consumerGroup", "{group}"), text("clientId", "{client}"), text("msgId", "{msgId}"), text("brokerName", "broker-a"), text("topic", "{topic}")},
	},
	{
		code: protocol.QueryAssignment, to: toBroker, prepare: oneConsumer,
		body: `{"clientId":"{client}","consumerGroup":"{group}","messageModel":"CLUSTERING","strategyName":"AVG","topic":"{topic}"}`,
		rows: []row{
			{name: "by circle", body: body(`{"clientId":"{client}","consumerGroup":"{group}","messageModel":"CLUSTERING","strategyName":"AVG_BY_CIRCLE","topic":"{topic}"}`)},
			{name: "broadcasting", body: body(`{"clientId":"{client}","consumerGroup":"{group}","messageModel":"BROADCASTING","strategyName":"AVG","topic":"{topic}"}`)},
			{name: "other strategy", body: body(`{"clientId":"{client}","consumerGroup":"{group}","messageModel":"CLUSTERING","strategyName":"MINE","topic":"{topic}"}`)},
			{name: "unknown topic", body: body(`{"clientId":"{client}","consumerGroup":"{group}","messageModel":"CLUSTERING","strategyName":"AVG","topic":"{own}none"}`)},
			{name: "unknown client", body: body(`{"clientId":"{own}none","consumerGroup":"{group}","messageModel":"CLUSTERING","strategyName":"AVG","topic":"{topic}"}`)},
		},
	},
}

func body(text string) *string { return &text }

var replyRules = []*rule{
	{rows: `^without body$`, Allowance: Allowance{Differs, "send-malformed", ""}, ours: protocol.MessageIllegal},
	{rows: `^(topic|b) (missing|empty)$`, Allowance: Allowance{Differs, "missing-field", ""}, ours: protocol.SystemError},
	{rows: `^(queueId|e|sysFlag|f|bornTimestamp|g|flag|h) (missing|empty)`, Allowance: Allowance{SameCode, "missing-field", `^(ext|remark)$`}},
}

func replyProps(list ...string) []string {
	return []string{"i", props(append(list, "REPLY_TO_CLIENT", "{client}")...)}
}

var replyKinds = []row{
	{name: "to nobody", set: []string{"i", props("CORRELATION_ID", "c")}},
	{name: "of another cluster", set: replyProps("CLUSTER", "other")},
	{name: "delayed", set: replyProps("DELAY", "1")},
	{name: "of a transaction", set: replyProps("TRAN_MSG", "true")},
	{name: "with a priority", set: replyProps("_SYS_MSG_PRIORITY_", "1")},
	{name: "lite", set: replyProps("__LITE_TOPIC", "child")},
	{name: "numbered", set: replyProps("INNER_NUM", "2")},
	{name: "compressed, not really", set: []string{"f", "1"}},
	{name: "inner batch", set: []string{"f", "192"}},
	{name: "batch", set: []string{"m", "true"}},
	{name: "to the schedule", set: []string{"b", "SCHEDULE_TOPIC_XXXX"}},
	{name: "of a new topic", set: []string{"b", "{own}replies"}},
	{name: "too many properties", set: []string{"i", propsOf(mostProperties + 1)}},
	{name: "most body", body: new(strings.Repeat("b", mostBody))},
	{name: "too much body", body: new(strings.Repeat("b", mostBody+1))},
}

// Nobody waits for these replies: the requests are judged, and the push is refused.
var replyRows = []*family{
	{
		code: protocol.SendReplyMessage, to: toBroker, prepare: topicAndGroup, body: "hello",
		params: []param{text("producerGroup", "{group}"), text("topic", "{topic}"), text("defaultTopic", "TBW102"), int32s("defaultTopicQueueNums", "4"),
			queue("queueId", "0"), int32s("sysFlag", "0"), int64s("bornTimestamp", "1700000000000"), int32s("flag", "0"),
			text("properties", "REPLY_TO_CLIENT\x01{client}\x02CORRELATION_ID\x01c\x02"), int32s("reconsumeTimes", "0"), boolean("unitMode", "false")},
		allow: replyRules, varies: `queueOffset`,
	},
	{
		code: protocol.SendReplyMessageV2, to: toBroker, prepare: topicAndGroup, body: "hello",
		params: []param{text("a", "{group}"), text("b", "{topic}"), text("c", "TBW102"), int32s("d", "4"), queue("e", "0"), int32s("f", "0"),
			int64s("g", "1700000000000"), int32s("h", "0"), text("i", "REPLY_TO_CLIENT\x01{client}\x02"), int32s("j", "0"), boolean("k", "false")},
		rows: replyKinds, allow: replyRules, varies: `queueOffset`,
	},
}
