// SPDX-License-Identifier: Apache-2.0

// client_rows_test.go: the rows of what a Broker is asked about clients and their groups.

package wire

import "rocketd/protocol"

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

var members = probe{to: toBroker, code: protocol.GetConsumerListByGroup, fields: []string{"consumerGroup", "{group}"}}

var clientRows = []*family{
	{
		code: protocol.HeartBeat, to: toBroker, prepare: createTopic, each: func(_ *pair, n *names) { n.renew("group", "client") },
		body: heartbeat, after: []probe{members},
	},
	{
		code: protocol.UnregisterClient, to: toBroker, prepare: oneConsumer, each: beat, after: []probe{members},
		params: []param{text("clientID", "{client}"), text("producerGroup", "{group}"), text("consumerGroup", "{group}")},
		allow:  []*rule{{rows: `^without extFields$`, Allowance: Allowance{Differs, "missing-field", ""}, ours: protocol.SystemError}},
	},
	{code: protocol.GetConsumerListByGroup, to: toBroker, prepare: oneConsumer, params: []param{text("consumerGroup", "{group}")}},
	{
		code: protocol.CheckClientConfig, to: toBroker, prepare: topicAndGroup,
		body: `{"clientId":"{client}","group":"{group}","namespace":"","subscriptionData":{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1,"tagsSet":[],"topic":"{topic}"}}`,
	},
	{code: protocol.LockBatchMQ, to: toBroker, prepare: createTopic, each: func(_ *pair, n *names) { n.renew("group") }, body: lockBody},
	{
		code: protocol.UnlockBatchMQ, to: toBroker, prepare: createTopic, body: lockBody,
		each: func(p *pair, n *names) { p.must(toBroker, protocol.LockBatchMQ, n, lockBody) },
	},
	{code: protocol.GetConsumerConnectionList, to: toBroker, prepare: oneConsumer, params: []param{text("consumerGroup", "{group}")}},
	{
		code: protocol.GetConsumeStats, to: toBroker, prepare: oneConsumer,
		params: []param{text("consumerGroup", "{group}"), text("topic", "{topic}"), text("topicList", "")},
	},
}
