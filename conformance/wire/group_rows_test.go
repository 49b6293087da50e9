// SPDX-License-Identifier: Apache-2.0

// group_rows_test.go: the rows of what tools ask a Broker about groups, their members and their queues.

package wire

import (
	"strings"

	"rocketd/protocol"
)

// twoConsumed is a group with a member that has consumed two of three messages.
func twoConsumed(p *pair, n *names) {
	someOffset(p, n)
	beat(p, n)
}

// filtering is twoConsumed with groups that filter {topic} by an expression: one that goes on, one whose expression is
// broken, one that changes to tags, and one whose expression has died when it comes back with tags.
func filtering(p *pair, n *names) {
	p.t.Helper()
	twoConsumed(p, n)
	come := func(group, expressionType, expression string, version string) {
		p.must(toBroker, protocol.HeartBeat, n, strings.NewReplacer(`"{group}"`, `"{`+group+`}"`, `"TAG"`, `"`+expressionType+`"`, `"A"`, `"`+expression+`"`, "[65]", "[]",
			`["A"]`, "[]", "1700000000000", version).Replace(heartbeat))
	}
	n.renew("sql", "broken", "turned", "died")
	come("sql", "SQL92", `a > 1 AND b = 'x/y<ü\"'`, "2")
	come("broken", "SQL92", "a >", "1")
	come("turned", "SQL92", "a IS NULL", "1")
	come("turned", "TAG", "*", "2")
	come("died", "SQL92", "a > 3", "1")
	elsewhere := strings.NewReplacer(`"{group}"`, `"{died}"`, `"topic":"{topic}"`, `"topic":"{own}none"`)
	p.must(toBroker, protocol.HeartBeat, n, elsewhere.Replace(heartbeat))
	come("died", "TAG", "B", "3")
}

var filterRows = []row{
	{name: "before the beginning", set: []string{"index", "-1"}},
	{name: "an expression", set: []string{"consumerGroup", "{sql}"}},
	{name: "broken expression", set: []string{"consumerGroup", "{broken}"}},
	{name: "tags after an expression", set: []string{"consumerGroup", "{turned}"}},
	{name: "dead expression", set: []string{"consumerGroup", "{died}"}},
}

var groupRows = []*family{
	{
		code: protocol.QueryConsumeQueue, to: toBroker, prepare: filtering, varies: `physicOffset`,
		params: []param{text("topic", "{topic}"), int32s("queueId", "0"), queue("index", "0"), int32s("count", "10"), text("consumerGroup", "{group}")},
		rows:   filterRows,
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
