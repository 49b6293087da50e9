// SPDX-License-Identifier: Apache-2.0

// client_rows_test.go: the rows of what a Broker is asked about clients and their groups.

package wire

import (
	"strconv"
	"strings"

	"rocketd/protocol"
)

const heartbeat = `{"clientID":"{client}","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"{group}",` +
	`"messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[65],"expressionType":"TAG","subString":"A","subVersion":1700000000000,"tagsSet":["A"],` +
	`"topic":"{topic}"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"{group}"}],"withoutSub":false}`

func beat(p *pair, n *names) {
	p.t.Helper()
	p.must(toBroker, protocol.HeartBeat, n, heartbeat)
}

func oneConsumer(p *pair, n *names) {
	threeMessages(p, n)
	beat(p, n)
}

const lockBody = `{"clientId":"{client}","consumerGroup":"{group}","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"{topic}"},{"brokerName":"broker-a","queueId":1,"topic":"{topic}"}],"onlyThisBroker":false}`

func locksOf(client, queues string) string {
	return `{"clientId":"` + client + `","consumerGroup":"{group}","mqSet":[` + queues + `],"onlyThisBroker":false}`
}

func lockOf(topic, broker, id string) string {
	return `{"brokerName":"` + broker + `","queueId":` + id + `,"topic":"` + topic + `"}`
}

var (
	queue0, queue1 = lockOf("{topic}", "broker-a", "0"), lockOf("{topic}", "broker-a", "1")

	// lockRows are also sent as unlocks.
	lockRows = []row{
		{name: "same queue twice", body: new(locksOf("{client}", queue0+","+queue0))},
		{name: "queues of nobody", body: new(locksOf("{client}", lockOf("{own}none", "broker-a", "0")+","+lockOf("{topic}", "broker-b", "0")))},
		{name: "queues that are none", body: new(locksOf("{client}", lockOf("{topic}", "broker-a", "-1")+","+lockOf("{topic}", "broker-a", "2147483647")))},
		{name: "no queues", body: new(locksOf("{client}", ""))},
		{name: "another client", body: new(locksOf("{client}_other", queue0+","+queue1))},
		{name: "many queues", body: new(locksOf("{client}", manyQueues(10_000)))},
	}
)

func manyQueues(n int) string {
	queues := make([]string, n)
	for i := range queues {
		queues[i] = lockOf("{topic}", "broker-a", strconv.Itoa(i))
	}
	return strings.Join(queues, ",")
}

// heldByARival leaves the second queue of {topic} with another client, which unlocks the first one twice, while an
// unlock of ours does nothing to it.
func heldByARival(p *pair, n *names) {
	p.t.Helper()
	n.renew("group")
	p.must(toBroker, protocol.LockBatchMQ, n, locksOf("{client}_rival", queue0+","+queue1))
	p.must(toBroker, protocol.UnlockBatchMQ, n, locksOf("{client}_rival", queue0))
	p.must(toBroker, protocol.UnlockBatchMQ, n, locksOf("{client}_rival", queue0))
	p.must(toBroker, protocol.UnlockBatchMQ, n, locksOf("{client}", queue0+","+queue1))
}

// manySubscriptions is a heartbeat of one group that has subscribed to n topics.
func manySubscriptions(n int) string {
	subscriptions := make([]string, n)
	for i := range subscriptions {
		subscriptions[i] = `{"codeSet":[],"subString":"*","subVersion":1,"tagsSet":[],"topic":"{topic}` + strconv.Itoa(i) + `"}`
	}
	return `{"clientID":"{client}","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"{group}",` +
		`"messageModel":"CLUSTERING","subscriptionDataSet":[` + strings.Join(subscriptions, ",") + `],"unitMode":false}],"producerDataSet":[]}`
}

var heartbeatRows = []row{
	{name: "many subscriptions", body: new(manySubscriptions(10_000))},
	{name: "no subscriptions", body: new(manySubscriptions(0))},
	{name: "no groups", body: new(`{"clientID":"{client}","consumerDataSet":[],"producerDataSet":[]}`)},
	{name: "no client", body: new(strings.Replace(heartbeat, `"clientID":"{client}",`, "", 1)), unprobed: true},
	{name: "null client", body: new(strings.Replace(heartbeat, `"{client}"`, "null", 1)), unprobed: true},
	{name: "empty client", body: new(strings.Replace(heartbeat, `"{client}"`, `""`, 1))},
	{name: "long client", body: new(strings.Replace(heartbeat, `"{client}"`, `"{client}`+strings.Repeat("c", 5000)+`"`, 1))},
	{name: "client of control characters", body: new(strings.Replace(heartbeat, `"{client}"`, `"{client}\u0000\n\u0001"`, 1))},
	{name: "unknown model", body: new(strings.Replace(heartbeat, "CLUSTERING", "SHARED", 1))},
	{name: "unknown type", body: new(strings.Replace(heartbeat, "CONSUME_PASSIVELY", "CONSUME_NEVER", 1))},
	{name: "no model", body: new(strings.Replace(heartbeat, `"messageModel":"CLUSTERING",`, "", 1))},
	{name: "no topic", body: new(strings.Replace(heartbeat, `"topic":"{topic}"`, `"topic":null`, 1))},
	{name: "empty topic", body: new(strings.Replace(heartbeat, `"topic":"{topic}"`, `"topic":""`, 1))},
	{name: "empty group", body: new(strings.ReplaceAll(heartbeat, `"{group}"`, `""`))},
	{name: "no such topic", body: new(strings.Replace(heartbeat, `"topic":"{topic}"`, `"topic":"{own}none"`, 1))},
	{name: "odd topic", body: new(strings.Replace(heartbeat, `"topic":"{topic}"`, `"topic":"../a"`, 1))},
	{name: "null subscriptions", body: new(strings.Replace(manySubscriptions(0), "[]", "null", 1))},
	{name: "groups that are none", body: new(`{"clientID":"{client}","consumerDataSet":[null],"producerDataSet":[null]}`)},
	{name: "broken expression", body: new(strings.Replace(heartbeat, `"expressionType":"TAG","subString":"A"`, `"expressionType":"SQL92","subString":"a >"`, 1))},
	{name: "unknown expression type", body: new(strings.Replace(heartbeat, `"expressionType":"TAG"`, `"expressionType":"XPATH"`, 1))},
	{name: "the same group twice", body: new(strings.Replace(manySubscriptions(1), `"producerDataSet":[]`, `"producerDataSet":[{"groupName":"{group}"},{"groupName":"{group}"}]`, 1))},
}

func checked(expressionType, expression string) *string {
	return new(`{"clientId":"{client}","group":"{group}","subscriptionData":{"classFilterMode":false,"codeSet":[],"expressionType":` + expressionType +
		`,"subString":` + expression + `,"subVersion":1,"tagsSet":[],"topic":"{topic}"}}`)
}

var checkedRows = []row{
	{name: "an expression", body: checked(`"SQL92"`, `"a > 1 and b is null"`)},
	{name: "broken expression", body: checked(`"SQL92"`, `"a >"`)},
	{name: "empty expression", body: checked(`"SQL92"`, `""`)},
	{name: "no type", body: checked("null", `"A"`)},
	{name: "empty type", body: checked(`""`, `"A"`)},
	{name: "unknown type", body: checked(`"XPATH"`, `"A"`)},
	{name: "no subscription", body: new(`{"clientId":"{client}","group":"{group}","subscriptionData":null}`)},
}

var members = probe{to: toBroker, code: protocol.GetConsumerListByGroup, fields: []string{"consumerGroup", "{group}"}}

var clientRows = []*family{
	{
		code: protocol.HeartBeat, to: toBroker, prepare: createTopic, each: func(_ *pair, n *names) { n.renew("group", "client") },
		body: heartbeat, after: []probe{members}, rows: heartbeatRows,
		allow: []*rule{
			// Java lists such a group under the topic without a name, and such a producer as of the group without one, from then on.
			{rows: `^empty (topic|group)$`, Allowance: Allowance{Differs, "heartbeat-checks", ""}, ours: protocol.SystemError, alone: true},
			{rows: `^(no|null|empty) (client|group)$|^no topic$|^groups that are none$`, Allowance: Allowance{Differs, "heartbeat-checks", ""}, ours: protocol.SystemError},
			{rows: `^long client$`, Allowance: Allowance{Differs, "heartbeat-checks", ""}, ours: protocol.InvalidParameter},
			{rows: `^null subscriptions$`, Allowance: Allowance{Differs, "heartbeat-checks", ""}, ours: protocol.Success},
		},
	},
	{
		code: protocol.UnregisterClient, to: toBroker, prepare: oneConsumer, each: beat, after: []probe{members},
		params: []param{text("clientID", "{client}"), text("producerGroup", "{group}"), text("consumerGroup", "{group}")},
		allow:  []*rule{{rows: `^without extFields$`, Allowance: Allowance{Differs, "missing-field", ""}, ours: protocol.SystemError}},
	},
	{code: protocol.GetConsumerListByGroup, to: toBroker, prepare: oneConsumer, params: []param{text("consumerGroup", "{group}")}},
	{
		code: protocol.CheckClientConfig, to: toBroker, prepare: topicAndGroup, rows: checkedRows,
		allow: []*rule{{rows: `^(broken|empty) expression$|^unknown type$`, Allowance: Allowance{SameShape, "filter-errors", `^remark$`}}},
		body:  `{"clientId":"{client}","group":"{group}","namespace":"","subscriptionData":{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1,"tagsSet":[],"topic":"{topic}"}}`,
	},
	{code: protocol.LockBatchMQ, to: toBroker, prepare: createTopic, each: heldByARival, body: lockBody, rows: lockRows},
	{
		code: protocol.UnlockBatchMQ, to: toBroker, prepare: createTopic, body: lockBody, rows: lockRows,
		each: func(p *pair, n *names) { p.must(toBroker, protocol.LockBatchMQ, n, lockBody) },
	},
	{code: protocol.GetConsumerConnectionList, to: toBroker, prepare: oneConsumer, params: []param{text("consumerGroup", "{group}")}},
	{
		code: protocol.GetConsumeStats, to: toBroker, prepare: oneConsumer,
		params: []param{text("consumerGroup", "{group}"), text("topic", "{topic}"), text("topicList", "")},
	},
}
