// SPDX-License-Identifier: Apache-2.0

// broker_rows_test.go: the rows of what clients ask a Broker.

package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

// createTopic makes {topic} with two queues.
func createTopic(p *pair, n *names) {
	p.t.Helper()
	p.must(toBroker, protocol.UpdateAndCreateTopic, n, "", "topic", "{topic}", "defaultTopic", "TBW102", "readQueueNums", "2",
		"writeQueueNums", "2", "perm", "6", "topicFilterType", "SINGLE_TAG", "topicSysFlag", "0", "order", "false")
}

// createGroup makes {group}.
func createGroup(p *pair, n *names) {
	p.t.Helper()
	p.must(toBroker, protocol.UpdateAndCreateSubscriptionGroup, n, `{"groupName":"{group}"}`)
}

func topicAndGroup(p *pair, n *names) {
	createTopic(p, n)
	createGroup(p, n)
}

// uniq are client-made message ids.
func uniq(i int) string { return fmt.Sprintf("7F0000010000%016X%04X", 0x1234, i) }

// sent is what one message's send has other than another's. properties come behind the id.
type sent struct{ queueID, sysFlag, bornMs, flag, reconsumed, properties string }

// send sends message i to {topic}.
func (s sent) send(p *pair, n *names, i int) [2]*Answer {
	p.t.Helper()
	return p.must(toBroker, protocol.SendMessageV2, n, fmt.Sprintf("body %d", i), "a", "{group}", "b", "{topic}", "c", "TBW102", "d", "4", "e", s.queueID,
		"f", s.sysFlag, "g", s.bornMs, "h", s.flag, "i", "UNIQ_KEY\x01"+uniq(i)+"\x02"+s.properties, "j", s.reconsumed, "k", "false", "m", "false")
}

// send stores a message in queue 0 of {topic}; {offset} is then its place in the log, {msgId} its id.
func send(p *pair, n *names, i int) {
	p.t.Helper()
	answers := sent{queueID: "0", sysFlag: "0", bornMs: "1700000000000", flag: "0", reconsumed: "0",
		properties: "KEYS\x01key" + strconv.Itoa(i) + " both\x02TAGS\x01A\x02"}.send(p, n, i)
	var place, inside [2]string
	for side, a := range answers {
		id := a.Field("msgId")
		require.Contains(p.t, []int{32, 56}, len(id), id)
		at, err := strconv.ParseInt(id[len(id)-16:], 16, 64)
		require.NoError(p.t, err)
		place[side], inside[side] = strconv.FormatInt(at, 10), strconv.FormatInt(at+1, 10)
	}
	n.put("offset", place[java], place[ours])
	n.put("inside", inside[java], inside[ours])
	n.put("msgId", answers[java].Field("msgId"), answers[ours].Field("msgId"))
}

// threeMessages makes {topic} and {group} and stores three messages.
func threeMessages(p *pair, n *names) {
	topicAndGroup(p, n)
	for i := range 3 {
		send(p, n, i)
	}
	p.until("three messages to be read", toBroker, protocol.GetMaxOffset, n, func(a *Answer) bool { return a.Field("offset") == "3" },
		"topic", "{topic}", "queueId", "0", "committed", "true")
	p.until("the index", toBroker, protocol.QueryMessage, n, func(a *Answer) bool { return a.Code == 0 },
		"topic", "{topic}", "key", "key2", "maxNum", "1", "beginTimestamp", "0", "endTimestamp", "9999999999999")
}

// markEnd makes {next} the offset after the last message of {topic}.
func markEnd(p *pair, n *names) {
	p.t.Helper()
	ends := p.must(toBroker, protocol.GetMaxOffset, n, "", "topic", "{topic}", "queueId", "0", "committed", "false")
	n.put("next", ends[java].Field("offset"), ends[ours].Field("offset"))
}

// pullFields asks for messages of a topic's first queue, and does not wait for any.
func pullFields(topic, offset, maxMsgNums string) []string {
	return []string{"consumerGroup", "{group}", "topic", topic, "queueId", "0", "queueOffset", offset, "maxMsgNums", maxMsgNums, "sysFlag", "4",
		"commitOffset", "0", "suspendTimeoutMillis", "0", "subscription", "*", "subVersion", "0", "expressionType", "TAG"}
}

// stored shows the messages that came to {topic} since markEnd.
var stored = probe{to: toBroker, code: protocol.PullMessage, fields: pullFields("{topic}", "{next}", "32")}

// anyQueue are sends whose queue the Broker chooses.
var anyQueue = []row{{name: "any queue", set: []string{"queueId", "-1", "e", "-1"}, unprobed: true}, {name: "lowest queue", set: []string{"queueId", "-2147483648", "e", "-2147483648"}, unprobed: true}}

var wholeBatches = &rule{rows: `^whole batches`, Allowance: Allowance{Differs, "batch-cq", ""}, ours: protocol.MessageIllegal}

// sendRules hold for the three codes of sends.
var sendRules = []*rule{
	wholeBatches,
	{rows: `^without body$|^(batch|m) TRUE$`, Allowance: Allowance{Differs, "send-malformed", ""}, ours: protocol.MessageIllegal},
	{rows: `^(properties|i) `, Allowance: Allowance{SameShape, "uniq-key-form", `transactionId$|UNIQ_KEY$|size$`}},
	{Allowance: Allowance{SameSet, "send-properties", `properties$`}},
}

var sendRows = []*family{
	{
		code: protocol.SendMessage, to: toBroker, prepare: topicAndGroup, each: markEnd, after: []probe{stored}, body: "hello",
		params: []param{text("producerGroup", "{group}"), text("topic", "{topic}"), text("defaultTopic", "TBW102"), int32s("defaultTopicQueueNums", "4"),
			queue("queueId", "0"), int32s("sysFlag", "0"), int64s("bornTimestamp", "1700000000000"), int32s("flag", "0"),
			text("properties", "UNIQ_KEY\x01"+uniq(0)+"\x02TAGS\x01A\x02"), int32s("reconsumeTimes", "0"), boolean("unitMode", "false"),
			boolean("batch", "false"), int32s("maxReconsumeTimes", "16")},
		rows: anyQueue, allow: sendRules, varies: `ext\.queue(Id|Offset)`,
	},
	{
		code: protocol.SendMessageV2, to: toBroker, prepare: topicsOfAllKinds, each: markEnd, after: []probe{stored}, body: "hello",
		params: []param{text("a", "{group}"), text("b", "{topic}"), text("c", "TBW102"), int32s("d", "4"), queue("e", "0"), int32s("f", "0"),
			int64s("g", "1700000000000"), int32s("h", "0"), text("i", "UNIQ_KEY\x01"+uniq(0)+"\x02TAGS\x01A\x02"), int32s("j", "0"), boolean("k", "false"),
			int32s("l", "16"), boolean("m", "false"), text("n", "broker-a")},
		rows: kindRows, allow: sendRules,
	},
	{
		code: protocol.SendBatchMessage, to: toBroker, prepare: topicsOfAllKinds, each: markEnd, after: []probe{stored}, body: twoInABatch,
		params: []param{text("a", "{group}"), text("b", "{topic}"), queue("e", "0"), int32s("f", "0"), int64s("g", "1700000000000"), int32s("h", "0"),
			text("i", ""), int32s("j", "0"), boolean("k", "false"), boolean("m", "true")},
		rows: batchRows,
		allow: []*rule{
			{rows: `^(without|broken) body$|^half a batch$|^cut in|^a length|^rest behind$|^negative body$|^too large`, Allowance: Allowance{Differs, "send-malformed", ""}, ours: protocol.MessageIllegal},
			wholeBatches,
			{rows: `^m `, Allowance: Allowance{SameShape, "uniq-key-form", `transactionId$|UNIQ_KEY$|size$`}},
			{Allowance: Allowance{SameSet, "send-properties", `properties$`}},
		},
	},
	{
		code: protocol.ConsumerSendMsgBack, to: toBroker, prepare: threeMessages,
		each: func(p *pair, n *names) {
			n.renew("group")
			createGroup(p, n)
		},
		params: []param{place("offset", "{offset}"), text("group", "{group}"), int32s("delayLevel", "0"), text("originMsgId", "{msgId}"), text("originTopic", "{topic}"),
			boolean("unitMode", "false"), int32s("maxReconsumeTimes", "16")},
		rows: backRows,
	},
}

var backRows = []row{
	{name: "another topic", set: []string{"originTopic", "{own}none"}},
	{name: "another message", set: []string{"originMsgId", "x"}},
	{name: "group of nobody", set: []string{"group", "{own}nobody"}},
	{name: "dead at once", set: []string{"maxReconsumeTimes", "0"}},
	{name: "dead by its level", set: []string{"delayLevel", "-1"}},
	{name: "fields of 5.x", set: []string{"bname", "broker-b", "lo", "true", "ns", "n"}},
}

// twoInABatch is the body of a batch: two messages, one with a property.
var twoInABatch = batchOf("first", "TAGS\x01A\x02UNIQ_KEY\x01"+uniq(1)+"\x02") + batchOf("second", "UNIQ_KEY\x01"+uniq(2)+"\x02")

func batchOf(body, properties string) string {
	be := func(n, bytes int) string {
		b := make([]byte, bytes)
		for i := range b {
			b[i] = byte(n >> (8 * (bytes - 1 - i)))
		}
		return string(b)
	}
	rest := be(0, 4) + be(0, 4) + be(0, 4) + be(len(body), 4) + body + be(len(properties), 2) + properties
	return be(len(rest)+4, 4) + rest
}

var pullParams = []param{text("consumerGroup", "{group}"), text("topic", "{topic}"), int32s("queueId", "0"), int64s("queueOffset", "1"), int32s("maxMsgNums", "32"),
	int32s("sysFlag", "4"), int64s("commitOffset", "0"), int64s("suspendTimeoutMillis", "0"), text("subscription", "*"), int64s("subVersion", "0"),
	text("expressionType", "TAG"), int32s("maxMsgBytes", "1000")}

var propertyOrder = &rule{Allowance: Allowance{SameSet, "send-properties", `properties$`}}

var emptyFields = &rule{Allowance: Allowance{SameCode, "pull-empty-fields", `^ext$`}}

var otherType = &rule{rows: `^expressionType (long|huge|odd)$|^broken expression$`, Allowance: Allowance{Differs, "expression-type", ""}, ours: protocol.SubscriptionParseFailed}

var pullRows = []*family{
	{code: protocol.PullMessage, to: toBroker, prepare: pullsOfAllKinds, params: pullParams, rows: pullKinds, allow: []*rule{propertyOrder, otherType, emptyFields}},
	{code: protocol.LitePullMessage, to: toBroker, prepare: pullsOfAllKinds, params: pullParams, rows: pullKinds, allow: []*rule{propertyOrder, otherType, emptyFields}},
	{code: protocol.QueryMessage, to: toBroker, prepare: threeMessages, params: []param{text("topic", "{topic}"), text("key", "both"), int32s("maxNum", "32"),
		int64s("beginTimestamp", "0"), int64s("endTimestamp", "9999999999999"), boolean("_UNIQUE_KEY_QUERY", "false")},
		rows: queryKinds, varies: `ext\.indexLastUpdate`, allow: []*rule{propertyOrder}},
	{code: protocol.ViewMessageByID, to: toBroker, prepare: threeMessages, params: []param{text("topic", "{topic}"), place("offset", "{offset}")},
		rows:  []row{{name: "inside a message", set: []string{"offset", "{inside}"}}},
		allow: []*rule{propertyOrder, {rows: `^inside`, Allowance: Allowance{Differs, "view-inside", ""}, ours: protocol.SystemError}}},
	{code: protocol.SearchOffsetByTimestamp, to: toBroker, prepare: threeStored, params: []param{text("topic", "{topic}"), int32s("queueId", "0"),
		int64s("timestamp", "1700000000000"), text("boundaryType", "LOWER")}, rows: slices.Concat(queueRows, boundaryRows)},
	{code: protocol.GetMaxOffset, to: toBroker, prepare: threeMessages, rows: queueRows, params: []param{text("topic", "{topic}"), int32s("queueId", "0"), boolean("committed", "true")}},
	{code: protocol.GetMinOffset, to: toBroker, prepare: threeMessages, rows: queueRows, params: []param{text("topic", "{topic}"), int32s("queueId", "0")}},
}

// threeStored is threeMessages; {stored} is when the first of them was.
func threeStored(p *pair, n *names) {
	p.t.Helper()
	threeMessages(p, n)
	first := p.must(toBroker, protocol.GetEarliestMsgStoreTime, n, "", "topic", "{topic}", "queueId", "0")
	n.put("stored", first[java].Field("timestamp"), first[ours].Field("timestamp"))
}

// boundaryRows ask for the first or the last message of a time.
var boundaryRows = []row{
	{name: "at the first", set: []string{"timestamp", "{stored}"}},
	{name: "behind all", set: []string{"timestamp", "9999999999999"}},
	{name: "upper before all", set: []string{"boundaryType", "UPPER"}},
	{name: "upper behind all", set: []string{"boundaryType", "UPPER", "timestamp", "9999999999999"}},
	{name: "upper, small", set: []string{"boundaryType", "upper", "timestamp", "9999999999999"}},
	{name: "upper of nobody's topic", set: []string{"boundaryType", "UPPER", "topic", "{own}none"}},
	{name: "upper of an empty queue", set: []string{"boundaryType", "UPPER", "queueId", "1"}},
}

// queryKinds ask for messages by other things than a key of the sender's.
var queryKinds = []row{
	{name: "by a key", set: []string{"indexType", "K"}},
	{name: "by a tag", set: []string{"indexType", "T", "key", "A"}},
	{name: "by a tag of none", set: []string{"indexType", "T", "key", "B"}},
	{name: "by the unique key", set: []string{"indexType", "U", "key", uniq(1)}},
	{name: "by the unique key, the old way", set: []string{"key", uniq(1), "_UNIQUE_KEY_QUERY", "true"}},
	{name: "by a kind that there is not", set: []string{"indexType", "X"}},
	{name: "by no kind", set: []string{"indexType", ""}},
	{name: "behind a key", set: []string{"lastKey", "x"}},
	{name: "a time that ends before it begins", set: []string{"beginTimestamp", "9999999999999", "endTimestamp", "0"}},
	{name: "a time before all", set: []string{"endTimestamp", "1700000000000"}},
	{name: "one of three", set: []string{"maxNum", "1"}},
}

// queueRows are about a queue of another kind.
var queueRows = []row{
	{name: "light queue", set: []string{"topic", "%LMQ%{own}none"}},
	{name: "topic of nobody", set: []string{"topic", "{own}none"}},
	{name: "queue of none", set: []string{"queueId", "7"}},
	{name: "logical topic", set: []string{"lo", "true"}},
	{name: "physical topic", set: []string{"lo", "false"}},
	{name: "another broker", set: []string{"bname", "broker-b", "ns", "n", "nsd", "true"}},
}

var committed = probe{to: toBroker, code: protocol.QueryConsumerOffset, fields: []string{"consumerGroup", "{group}", "topic", "{topic}", "queueId", "0"}}

// broadcastTo makes {group} a broadcasting one whose only client has consumed up to an offset, and waits until that is
// stored, which the Brokers do every 5 s.
func broadcastTo(p *pair, n *names, offset string) {
	p.t.Helper()
	p.must(toBroker, protocol.HeartBeat, n, strings.Replace(heartbeat, "CLUSTERING", "BROADCASTING", 1))
	p.must(toBroker, protocol.PullMessage, n, "", pullFields("{topic}", offset, "32")...)
	p.until("the broadcasting group's offset", toBroker, protocol.QueryConsumerOffset, n, func(a *Answer) bool { return a.Field("offset") == offset },
		"consumerGroup", "{group}@broadcast", "topic", "{topic}", "queueId", "0")
}

var offsetRows = []*family{
	{
		code: protocol.UpdateConsumerOffset, to: toBroker, prepare: threeMessages, after: []probe{committed},
		each: func(p *pair, n *names) {
			n.renew("group")
			createGroup(p, n)
		},
		params: []param{text("consumerGroup", "{group}"), text("topic", "{topic}"), int32s("queueId", "0"), int64s("commitOffset", "2")},
		allow:  []*rule{{rows: `^queueId (-1|min|max)$`, Allowance: Allowance{Differs, "offset-queue-bounds", ""}, ours: protocol.InvalidParameter}},
	},
	{
		code: protocol.QueryConsumerOffset, to: toBroker,
		prepare: func(p *pair, n *names) {
			threeMessages(p, n)
			p.must(toBroker, protocol.UpdateConsumerOffset, n, "", "consumerGroup", "{group}", "topic", "{topic}", "queueId", "0", "commitOffset", "2")
			broadcastTo(p, n, "1")
		},
		params: []param{text("consumerGroup", "{group}"), text("topic", "{topic}"), int32s("queueId", "0"), boolean("setZeroIfNotFound", "false")},
		rows:   []row{{name: "broadcasting", set: []string{"consumerGroup", "{group}@broadcast"}}, {name: "broadcasting, queue not pulled", set: []string{"consumerGroup", "{group}@broadcast", "queueId", "1"}}},
	},
}
