// SPDX-License-Identifier: Apache-2.0

// group_rows_test.go: the rows of what tools ask a Broker about groups, their members and their queues.

package wire

import "rocketd/protocol"

// twoConsumed is a group with a member that has consumed two of three messages.
func twoConsumed(p *pair, n *names) {
	someOffset(p, n)
	beat(p, n)
}

var groupRows = []*family{
	{
		code: protocol.QueryConsumeQueue, to: toBroker, prepare: twoConsumed, varies: `physicOffset`,
		params: []param{text("topic", "{topic}"), int32s("queueId", "0"), queue("index", "0"), int32s("count", "10"), text("consumerGroup", "{group}")},
		rows:   []row{{name: "before the beginning", set: []string{"index", "-1"}}},
		allow:  []*rule{{rows: `^topic empty$`, Allowance: Allowance{Differs, "phantom-queues", ""}, ours: protocol.SystemError}},
	},
	{
		code: protocol.DeleteSubscriptionGroup, to: toBroker, prepare: createTopic, after: []probe{groupShown, committed},
		each: func(p *pair, n *names) {
			n.renew("group")
			createGroup(p, n)
			p.must(toBroker, protocol.UpdateConsumerOffset, n, "", "consumerGroup", "{group}", "topic", "{topic}", "queueId", "0", "commitOffset", "0")
		},
		params: []param{text("groupName", "{group}"), boolean("cleanOffset", "true")},
	},
	{
		code: protocol.UpdateAndGetGroupForbidden, to: toBroker, prepare: topicAndGroup,
		params: []param{text("group", "{group}"), text("topic", "{topic}"), boolean("readable", "false")},
		allow: []*rule{
			{rows: `^(group|topic) (long|huge|odd)$`, Allowance: Allowance{Differs, "forbidden-names", ""}, ours: protocol.InvalidParameter, alone: true},
			{rows: `^(group|topic) empty$`, Allowance: Allowance{Differs, "forbidden-names", ""}, ours: protocol.InvalidParameter},
		},
	},
	{code: protocol.GetBrokerConsumeStats, to: toBroker, prepare: twoConsumed, hidden: `consumeStatsList`, varies: `total|brokerAddr`, params: []param{{"isOrder", "none", "false"}}},
	{code: protocol.GetProducerConnectionList, to: toBroker, prepare: twoConsumed, params: []param{text("producerGroup", "{group}")}},
	{code: protocol.GetAllProducerInfo, to: toBroker, prepare: twoConsumed, own: `data$`},
	{code: protocol.QueryTopicConsumeByWho, to: toBroker, prepare: twoConsumed, params: []param{text("topic", "{topic}")}},
	{code: protocol.QueryTopicsByConsumer, to: toBroker, prepare: twoConsumed, params: []param{text("group", "{group}")}},
	{code: protocol.QuerySubscriptionByConsumer, to: toBroker, prepare: twoConsumed, params: []param{text("group", "{group}"), text("topic", "{topic}")}},
	{code: protocol.GetSystemTopicListFromBroker, to: toBroker},
}
