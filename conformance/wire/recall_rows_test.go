// SPDX-License-Identifier: Apache-2.0

// recall_rows_test.go: messages that are taken back before their time.

package wire

import (
	"encoding/base64"

	"rocketd/protocol"
)

// sendRecallable sends a message that waits. {handle} takes it back.
func sendRecallable(p *pair, n *names, i int) {
	p.t.Helper()
	answers := sendTimed(p, n, i, "TIMER_DELIVER_MS\x01"+inTwoDays+"\x02")
	n.put("handle", answers[java].Field("recallHandle"), answers[ours].Field("recallHandle"))
}

// handleOf is a handle of the shared parts.
func handleOf(text string) string { return base64.URLEncoding.EncodeToString([]byte(text)) }

var recallRows = []*family{{
	code: protocol.RecallMessage, to: toBroker,
	prepare: func(p *pair, n *names) {
		topicAndGroup(p, n)
		p.must(toBroker, protocol.UpdateBrokerConfig, n, "recallMessageEnable=true\n")
	},
	each:   func(p *pair, n *names) { sendRecallable(p, n, 5) },
	params: []param{text("producerGroup", "{group}"), text("topic", "{topic}"), text("recallHandle", "{handle}")},
	rows: []row{
		{name: "another topic", set: []string{"topic", "{own}other"}},
		{name: "a topic that is there", set: []string{"topic", "TBW102"}},
		{name: "another version", set: []string{"recallHandle", handleOf("v2 T broker-a 1 u")}},
		{name: "half a handle", set: []string{"recallHandle", handleOf("v1 T broker-a 1")}},
		{name: "more than a handle", set: []string{"topic", "TBW102", "recallHandle", handleOf("v1 TBW102 broker-a " + inTwoDays + " u more")}},
		{name: "another broker", set: []string{"topic", "TBW102", "recallHandle", handleOf("v1 TBW102 broker-b " + inTwoDays + " u")}},
		{name: "too late", set: []string{"topic", "TBW102", "recallHandle", handleOf("v1 TBW102 broker-a 1 u")}},
		{name: "too early", set: []string{"topic", "TBW102", "recallHandle", handleOf("v1 TBW102 broker-a 9223372036854775807 u")}},
		{name: "no time", set: []string{"topic", "TBW102", "recallHandle", handleOf("v1 TBW102 broker-a x u")}},
		{name: "a message that does not wait", set: []string{"topic", "TBW102", "recallHandle", handleOf("v1 TBW102 broker-a " + inTwoDays + " u")}},
		{name: "without padding", set: []string{"topic", "TBW102", "recallHandle", base64.RawURLEncoding.EncodeToString([]byte("v1 TBW102 broker-a " + inTwoDays + " u"))}},
		{name: "a wrong padding", set: []string{"topic", "TBW102", "recallHandle", handleOf("v1 TBW102 broker-a "+inTwoDays+" u") + "="}},
	},
}}
