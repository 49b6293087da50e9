// SPDX-License-Identifier: Apache-2.0

// kinds_rows_test.go: sends of messages and to topics that are not of the ordinary kind, and sends that ask for too much.

package wire

import (
	"strconv"
	"strings"
	"time"

	"rocketd/protocol"
)

// topicOf makes a topic with these attributes or permission, under {name}.
func topicOf(p *pair, n *names, name, perm, attributes string) {
	p.t.Helper()
	n.renew(name)
	p.must(toBroker, protocol.UpdateAndCreateTopic, n, "", "topic", "{"+name+"}", "defaultTopic", "TBW102", "readQueueNums", "2", "writeQueueNums", "2",
		"perm", perm, "topicFilterType", "SINGLE_TAG", "topicSysFlag", "0", "order", "false", "attributes", attributes)
}

func topicsOfAllKinds(p *pair, n *names) {
	p.t.Helper()
	topicAndGroup(p, n)
	topicOf(p, n, "compacted", "6", "+cleanup.policy=COMPACTION")
	topicOf(p, n, "whole", "6", "+queue.type=BatchCQ")
	topicOf(p, n, "lite", "6", "+message.type=LITE")
	topicOf(p, n, "unwritable", "4", "")
	topicOf(p, n, "unreadable", "2", "")
	topicOf(p, n, "closed", "0", "")
}

// props are the properties of a message that has an id.
func props(list ...string) string {
	text := "UNIQ_KEY\x01" + uniq(0) + "\x02"
	for _, kv := range pairs(list) {
		text += kv.Key + "\x01" + kv.Value + "\x02"
	}
	return text
}

// inTwoDays is a time at which a message may still be due, and that no test lives to see.
var inTwoDays = strconv.FormatInt(time.Now().Add(48*time.Hour).UnixMilli()/1000*1000+123, 10)

// addedBytes is what a Broker adds to properties that have an id.
const addedBytes = len("MSG_REGION\x01DefaultRegion\x02TRACE_ON\x01true\x02CLUSTER\x01DefaultCluster\x02")

// propsOf are properties that take n bytes in the record.
func propsOf(n int) string {
	return props("a", strings.Repeat("v", n-addedBytes-len(props("a", ""))))
}

const mostProperties, mostBody = 1<<15 - 1, 4 << 20

var kindRows = []row{
	{name: "priority", set: []string{"i", props("_SYS_MSG_PRIORITY_", "1")}},
	{name: "priority of no queue", set: []string{"i", props("_SYS_MSG_PRIORITY_", "9")}},
	{name: "priority and order", set: []string{"i", props("_SYS_MSG_PRIORITY_", "1", "__SHARDINGKEY", "k")}},
	{name: "priority and delay", set: []string{"i", props("_SYS_MSG_PRIORITY_", "1", "DELAY", "0")}},
	{name: "priority below", set: []string{"i", props("_SYS_MSG_PRIORITY_", "-1")}},
	{name: "priority none", set: []string{"i", props("_SYS_MSG_PRIORITY_", "x")}},
	{name: "lite topic", set: []string{"i", props("__LITE_TOPIC", "child")}},
	{name: "lite topic odd", set: []string{"i", props("__LITE_TOPIC", "a/b$")}},
	{name: "many queues", set: []string{"i", props("INNER_MULTI_DISPATCH", "%LMQ%a,%LMQ%b", "WAIT", "true")}},
	{name: "many queues odd", set: []string{"i", props("INNER_MULTI_DISPATCH", "../a", "INNER_MULTI_QUEUE_OFFSET", "1")}},
	{name: "light queue", set: []string{"b", "%LMQ%{own}q"}, unprobed: true},
	{name: "inner number", set: []string{"i", props("INNER_NUM", "2")}},
	{name: "inner base", set: []string{"i", props("INNER_BASE", "2")}},
	{name: "inner batch", set: []string{"f", "192", "i", props("INNER_NUM", "2")}},
	{name: "inner batch flag", set: []string{"f", "128"}},
	{name: "unwrap flag", set: []string{"f", "64"}},
	{name: "prepared flag", set: []string{"f", "4"}},
	{name: "committed flag", set: []string{"f", "8"}},
	{name: "rolled back flag", set: []string{"f", "12"}},
	{name: "prepared and delayed", set: []string{"f", "4", "i", props("DELAY", "1")}},
	{name: "compressed, not really", set: []string{"f", "1"}},
	{name: "flag of many tags", set: []string{"f", "2", "i", props("TAGS", "A||B")}},
	{name: "unknown flags", set: []string{"f", "1792"}},
	{name: "property CRC", set: []string{"i", props("__CRC32#", "1234567890")}},
	{name: "compacted", set: []string{"b", "{compacted}", "i", props("KEYS", "k")}, unprobed: true},
	{name: "compacted without keys", set: []string{"b", "{compacted}"}, unprobed: true},
	{name: "compacted with blank keys", set: []string{"b", "{compacted}", "i", props("KEYS", " ")}, unprobed: true},
	{name: "whole batches", set: []string{"b", "{whole}"}, unprobed: true},
	{name: "plain to lite", set: []string{"b", "{lite}"}, unprobed: true},
	{name: "lite to lite", set: []string{"b", "{lite}", "i", props("__LITE_TOPIC", "child")}, unprobed: true},
	{name: "logical topic", set: []string{"lo", "true"}},
	{name: "physical topic", set: []string{"lo", "false"}},
	{name: "fields of 5.x", set: []string{"bname", "broker-b", "ns", "n", "nsd", "true", "oway", "false", "lo", "x", "__ZONE_NAME", "z", "ReqT", "0"}},

	{name: "unwritable", set: []string{"b", "{unwritable}"}, unprobed: true},
	{name: "closed", set: []string{"b", "{closed}"}, unprobed: true},
	{name: "schedule topic", set: []string{"b", "SCHEDULE_TOPIC_XXXX"}, unprobed: true},
	{name: "half topic", set: []string{"b", "RMQ_SYS_TRANS_HALF_TOPIC"}, unprobed: true},
	{name: "op topic", set: []string{"b", "RMQ_SYS_TRANS_OP_HALF_TOPIC"}, unprobed: true},
	{name: "given up topic", set: []string{"b", "TRANS_CHECK_MAX_TIME_TOPIC"}, unprobed: true},
	{name: "self test topic", set: []string{"b", "SELF_TEST_TOPIC"}, unprobed: true},
	{name: "offset moved topic", set: []string{"b", "OFFSET_MOVED_EVENT"}, unprobed: true},
	{name: "retry topic of nobody", set: []string{"b", "%RETRY%{own}nobody"}, unprobed: true},

	{name: "dead letters", set: []string{"b", "%DLQ%{own}g"}, unprobed: true},
	{name: "new topic", set: []string{"b", "{own}new1", "e", "3"}, unprobed: true},
	{name: "new topic of no queues", set: []string{"b", "{own}new2", "d", "0"}, unprobed: true},
	{name: "new topic of fewer queues than none", set: []string{"b", "{own}new3", "d", "-1"}, unprobed: true},
	{name: "new topic of many queues", set: []string{"b", "{own}new4", "d", "2147483647", "e", "7"}, unprobed: true},
	{name: "new topic of too many queues", set: []string{"b", "{own}new5", "d", "2147483647", "e", "8"}, unprobed: true},
	{name: "new topic of a unit", set: []string{"b", "{own}new6", "k", "true"}, unprobed: true},
	{name: "new topic like none", set: []string{"b", "{own}new7", "c", "{own}none"}, unprobed: true},
	{name: "new topic like one that none are like", set: []string{"b", "{own}new8", "c", "{topic}"}, unprobed: true},
	{name: "new topic that is no name", set: []string{"b", "{own}new+10"}, unprobed: true},

	{name: "region of the client", set: []string{"i", props("MSG_REGION", "mine", "TRACE_ON", "false", "CLUSTER", "mine")}},
	{name: "receipt of the client", set: []string{"i", props("POP_CK", "0 1 2 3")}},
	{name: "value without a name", set: []string{"i", props() + "\x01v\x02"}},
	{name: "name without a value", set: []string{"i", props() + "a\x01\x02b\x02"}},
	{name: "two values", set: []string{"i", props() + "a\x01b\x01c\x02"}},
	{name: "ends early", set: []string{"i", props() + "a\x01b"}},
	{name: "ends only", set: []string{"i", props() + "\x02\x02\x01\x02"}},
	{name: "control characters", set: []string{"i", props("a\x03\x00b", "c\r\n\x7f\x04")}},
	{name: "not of this plane", set: []string{"i", props("\U0001F600", "\U0001F680ü")}},
	{name: "delay beyond", set: []string{"i", props("DELAY", "-2147483648")}},
	{name: "for a time", set: []string{"i", props("TIMER_DELIVER_MS", inTwoDays)}, shared: true},
	{name: "for a time, and a delay", set: []string{"b", "{own}later", "i", props("TIMER_DELIVER_MS", inTwoDays, "DELAY", "18")}, shared: true},
	{name: "for a time, and no delay", set: []string{"i", props("TIMER_DELIVER_MS", inTwoDays, "DELAY", "0")}, shared: true},
	{name: "for a whole second", set: []string{"i", props("TIMER_DELIVER_MS", inTwoDays[:len(inTwoDays)-3]+"000")}, shared: true},
	{name: "for a time, with a priority", set: []string{"i", props("TIMER_DELIVER_MS", inTwoDays, "_SYS_MSG_PRIORITY_", "1")}, shared: true},
	{name: "for a time, of a retry topic", set: []string{"b", "%RETRY%{group}", "i", props("TIMER_DELIVER_MS", inTwoDays)}, shared: true},
	{name: "for a time that is past", set: []string{"i", props("TIMER_DELIVER_MS", "1")}},
	{name: "for a time before all times", set: []string{"i", props("TIMER_DELIVER_MS", "-9223372036854775808")}},
	{name: "for a time too far away", set: []string{"i", props("TIMER_DELIVER_MS", "9223372036854775807")}},
	{name: "for a time that is none", set: []string{"i", props("TIMER_DELIVER_MS", "tomorrow")}},
	{name: "for a time beyond numbers", set: []string{"i", props("TIMER_DELIVER_MS", "9223372036854775808")}},
	{name: "for a time with a sign", set: []string{"i", props("TIMER_DELIVER_MS", "+"+inTwoDays)}, shared: true},
	{name: "in no seconds", set: []string{"i", props("TIMER_DELAY_SEC", "0")}},
	{name: "some seconds ago", set: []string{"i", props("TIMER_DELAY_SEC", "-5")}},
	{name: "in more seconds than allowed", set: []string{"i", props("TIMER_DELAY_SEC", "259205")}},
	{name: "in seconds that are none", set: []string{"i", props("TIMER_DELAY_SEC", "1.5")}},
	{name: "in seconds beyond numbers", set: []string{"i", props("TIMER_DELAY_SEC", "2147483648")}},
	{name: "in no seconds, though at a time", set: []string{"i", props("TIMER_DELAY_SEC", "0", "TIMER_DELIVER_MS", inTwoDays)}},
	{name: "in no milliseconds", set: []string{"i", props("TIMER_DELAY_MS", "0", "TIMER_DELIVER_MS", inTwoDays)}},
	{name: "in milliseconds beyond numbers", set: []string{"i", props("TIMER_DELAY_MS", "2147483648")}},
	{name: "has been through the timer", set: []string{"i", props("TIMER_DELAY_SEC", "10", "TIMER_OUT_MS", "5")}},
	{name: "takes another back", set: []string{"i", props("TIMER_DELIVER_MS", inTwoDays, "TIMER_DEL_UNIQKEY", "T+u")}, shared: true},
	{name: "takes another back too late", set: []string{"i", props("TIMER_DELIVER_MS", "1", "TIMER_DEL_UNIQKEY", "T+u")}},
	{name: "most properties", set: []string{"i", propsOf(mostProperties)}},
	{name: "too many properties", set: []string{"i", propsOf(mostProperties + 1)}},
	{name: "most body", body: new(strings.Repeat("b", mostBody))},
	{name: "too much body", body: new(strings.Repeat("b", mostBody+1))},
	{name: "much too much body", body: new(strings.Repeat("b", 2*mostBody))},
}

// first and second are messages of a batch.
var first, second = batchOf("first", "TAGS\x01A\x02"+props()), batchOf("second", props())

var batchRows = []row{
	{name: "half a batch", body: new((first + second)[:len(first)+7])},
	{name: "cut in the second", body: new((first + second)[:len(first)+len(second)-1])},
	{name: "cut in the first", body: new(first[:9])},
	{name: "a length and no more", body: new(first[:4])},
	{name: "rest behind", body: new(first + "\x00\x00")},
	{name: "a batch in a batch", body: new(batchOf(first+second, props()) + second)},
	{name: "empty message", body: new(first + batchOf("", props()))},
	{name: "delayed in the batch", body: new(batchOf("late", props("DELAY", "1")) + second)},
	{name: "delayed batch", set: []string{"i", props("DELAY", "1")}},
	{name: "timer in the batch", body: new(batchOf("late", props("TIMER_DELAY_SEC", "1")) + second)},
	{name: "transaction in the batch", body: new(batchOf("half", props("TRAN_MSG", "true")) + second)},
	{name: "transactional batch", set: []string{"i", props("TRAN_MSG", "true")}},
	{name: "prepared batch", set: []string{"f", "4"}},
	{name: "numbered batch", set: []string{"i", props("INNER_NUM", "2")}},
	{name: "unwrap flag", set: []string{"f", "64"}},
	{name: "inner batch flag", set: []string{"f", "128"}},
	{name: "committed batch", set: []string{"f", "8"}},
	{name: "malformed delay", set: []string{"i", props("DELAY", "x")}},
	{name: "retry topic", set: []string{"b", "%RETRY%{group}", "c", "TBW102", "d", "4"}, unprobed: true},
	{name: "batch for compaction", set: []string{"b", "{compacted}"}, unprobed: true},
	{name: "whole batches with an id", set: []string{"b", "{whole}", "i", props()}, unprobed: true},
	{name: "whole batches", set: []string{"b", "{whole}"}, unprobed: true},
	{name: "inner number", body: new(batchOf("odd", props("INNER_NUM", "2")) + second)},
	{name: "many queues", body: new(batchOf("odd", props("INNER_MULTI_DISPATCH", "%LMQ%a")) + second)},
	{name: "control characters", body: new(batchOf("odd", "a\x03\x00b\x01c\n\x02\x01x\x02y\x02"+props()) + second)},
	{name: "too many properties", body: new(batchOf("odd", propsOf(mostProperties)+"b\x01cd\x02") + second)},
	{name: "negative body", body: new(negativeBody(first) + second)},
	{name: "unwritable", set: []string{"b", "{unwritable}"}, unprobed: true},
	{name: "schedule topic", set: []string{"b", "SCHEDULE_TOPIC_XXXX"}, unprobed: true},
	{name: "too large a batch", body: new(strings.Repeat(batchOf(strings.Repeat("b", 1<<20), props()), 4))},
}

// negativeBody makes the length of a message's body -1.
func negativeBody(item string) string {
	const at = 16
	return item[:at] + "\xff\xff\xff\xff" + item[at+4:]
}

// attributeRows make topics of all kinds, and of some that there are not.
var attributeRows = []row{
	{name: "whole batches", set: []string{"attributes", "+queue.type=BatchCQ"}},
	{name: "simple queues", set: []string{"attributes", "+queue.type=SimpleCQ"}},
	{name: "other queues", set: []string{"attributes", "+queue.type=RocksDBCQ"}},
	{name: "compacted", set: []string{"attributes", "+cleanup.policy=COMPACTION"}},
	{name: "lite", set: []string{"attributes", "+message.type=LITE,+lite.topic.expiration=30"}},
	{name: "lite for ever", set: []string{"attributes", "+message.type=LITE,+lite.topic.expiration=-1"}},
	{name: "lite too short", set: []string{"attributes", "+message.type=LITE,+lite.topic.expiration=-2"}},
	{name: "priority", set: []string{"attributes", "+message.type=PRIORITY"}},
	{name: "mixed", set: []string{"attributes", "+message.type=MIXED"}},
	{name: "kept for a time", set: []string{"attributes", "+reserve.time=3600000"}},
	{name: "kept for no time", set: []string{"attributes", "+reserve.time=x"}},
	{name: "unknown attribute", set: []string{"attributes", "+colour=red"}},
	{name: "attribute without a sign", set: []string{"attributes", "message.type=FIFO"}},
	{name: "attribute taken away", set: []string{"attributes", "-message.type"}},
	{name: "attribute twice", set: []string{"attributes", "+message.type=FIFO,+message.type=DELAY"}},
	{name: "attributes of commas", set: []string{"attributes", ",,"}},
	{name: "attribute of a sign", set: []string{"attributes", "+"}},
	{name: "attribute of an equals sign", set: []string{"attributes", "="}},
	{name: "static", set: []string{"lo", "true"}},
}

// groupAttributes make groups with attributes.
var groupAttributes = []row{
	{name: "bound to a lite topic", body: new(`{"groupName":"{group}","attributes":{"+lite.bind.topic":"{own}t"}}`)},
	{name: "shared lite", body: new(`{"groupName":"{group}","attributes":{"+lite.sub.model":"Shared","+lite.sub.client.quota":"100"}}`)},
	{name: "odd lite", body: new(`{"groupName":"{group}","attributes":{"+lite.sub.model":"shared"}}`)},
	{name: "priority factor", body: new(`{"groupName":"{group}","attributes":{"+priority.factor":"100"}}`)},
	{name: "priority factor above", body: new(`{"groupName":"{group}","attributes":{"+priority.factor":"101"}}`)},
	{name: "unknown attribute", body: new(`{"groupName":"{group}","attributes":{"+colour":"red"}}`)},
	{name: "attribute without a sign", body: new(`{"groupName":"{group}","attributes":{"priority.factor":"1"}}`)},
	{name: "attributes of nothing", body: new(`{"groupName":"{group}","attributes":{"":""}}`)},
	{name: "attributes are none", body: new(`{"groupName":"{group}","attributes":null}`)},
}

// retryPolicies are for the Proxy. A Broker only keeps them.
var retryPolicies = []row{
	{name: "exponential", body: new(`{"groupName":"{group}","groupRetryPolicy":{"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":7000,"max":70000,"multiplier":3}}}`)},
	{name: "exponential without figures", body: new(`{"groupName":"{group}","groupRetryPolicy":{"type":"EXPONENTIAL"}}`)},
	{name: "exponential with one figure", body: new(`{"groupName":"{group}","groupRetryPolicy":{"exponentialRetryPolicy":{"initial":7000}}}`)},
	{name: "exponential with odd figures", body: new(`{"groupName":"{group}","groupRetryPolicy":{"exponentialRetryPolicy":{"initial":-1,"max":0,"multiplier":0}}}`)},
	{name: "customized", body: new(`{"groupName":"{group}","groupRetryPolicy":{"type":"CUSTOMIZED","customizedRetryPolicy":{"next":[1000,2000]}}}`)},
	{name: "customized without figures", body: new(`{"groupName":"{group}","groupRetryPolicy":{"type":"CUSTOMIZED","customizedRetryPolicy":{}}}`)},
	{name: "customized with none", body: new(`{"groupName":"{group}","groupRetryPolicy":{"customizedRetryPolicy":{"next":[]}}}`)},
	{name: "customized with null", body: new(`{"groupName":"{group}","groupRetryPolicy":{"customizedRetryPolicy":{"next":null}}}`)},
	{name: "policy without type", body: new(`{"groupName":"{group}","groupRetryPolicy":{}}`)},
	{name: "policy of no type", body: new(`{"groupName":"{group}","groupRetryPolicy":{"type":null}}`)},
	{name: "policy of another type", body: new(`{"groupName":"{group}","groupRetryPolicy":{"type":"LINEAR"}}`)},
	{name: "no policy", body: new(`{"groupName":"{group}","groupRetryPolicy":null}`)},
}

// pullsOfAllKinds are three messages, and topics and groups that cannot be read.
func pullsOfAllKinds(p *pair, n *names) {
	threeMessages(p, n)
	topicOf(p, n, "unreadable", "2", "")
	topicOf(p, n, "closed", "0", "")
	n.renew("idle")
	p.must(toBroker, protocol.UpdateAndCreateSubscriptionGroup, n, `{"groupName":"{idle}","consumeEnable":false}`)
	n.renew("shy")
	p.must(toBroker, protocol.UpdateAndCreateSubscriptionGroup, n, `{"groupName":"{shy}","consumeBroadcastEnable":false}`)
	n.renew("barred")
	p.must(toBroker, protocol.UpdateAndCreateSubscriptionGroup, n, `{"groupName":"{barred}"}`)
	p.must(toBroker, protocol.UpdateAndGetGroupForbidden, n, "", "group", "{barred}", "topic", "{topic}", "readable", "false")
}

var pullKinds = []row{
	{name: "unreadable", set: []string{"topic", "{unreadable}"}},
	{name: "closed", set: []string{"topic", "{closed}"}},
	{name: "idle group", set: []string{"consumerGroup", "{idle}"}},
	{name: "group without broadcasts", set: []string{"consumerGroup", "{shy}"}},
	{name: "group that is barred", set: []string{"consumerGroup", "{barred}"}},
	{name: "light queue", set: []string{"topic", "%LMQ%{own}none"}},
	{name: "retry topic of nobody", set: []string{"topic", "%RETRY%{own}nobody"}},
	{name: "flags of all kinds", set: []string{"sysFlag", "28"}},
	{name: "class filter", set: []string{"sysFlag", "12"}},
	{name: "no subscription", set: []string{"sysFlag", "0"}},
	{name: "tags", set: []string{"subscription", "A || B"}},
	{name: "other tags", set: []string{"subscription", "B||C"}},
	{name: "tags of bars", set: []string{"subscription", "||"}},
	{name: "tag of blanks", set: []string{"subscription", " || "}},
	{name: "an expression", set: []string{"subscription", "a > 1", "expressionType", "SQL92"}},
	{name: "broken expression", set: []string{"subscription", "a >", "expressionType", "SQL92"}},
	{name: "none of the messages", set: []string{"maxMsgNums", "0", "maxMsgBytes", "0"}},
	{name: "logical topic", set: []string{"lo", "true"}},
	{name: "physical topic", set: []string{"lo", "false"}},
	{name: "other broker", set: []string{"bname", "broker-b", "ns", "n", "nsd", "true"}},
}
