// SPDX-License-Identifier: Apache-2.0

// subscribed_test.go: pulls that leave their subscription to what heartbeats have said, and the refusals that only they
// can meet.

package wire

import (
	"fmt"
	"strings"
	"testing"

	"rocketd/protocol"
)

// byHeartbeat is a heartbeat that subscribes {group} to {topic} in this way.
func byHeartbeat(expressionType, expression string, version int) string {
	return strings.Replace(heartbeat, `"expressionType":"TAG","subString":"A","subVersion":1700000000000`,
		fmt.Sprintf(`"expressionType":%q,"subString":%q,"subVersion":%d`, expressionType, expression, version), 1)
}

// subscribers are what is sent before, and the pulls whose answers are compared: fields that are different from those of a
// pull of queue 0 from its beginning that names no subscription.
var subscribers = []struct {
	name   string
	config string // of the group
	beats  []string
	pulls  [][]string
}{
	{"no member", "", nil, [][]string{{}}},
	{"tags", "", []string{byHeartbeat("TAG", "A", 5)}, [][]string{{"subVersion", "5"}, {"subVersion", "4"}, {"subVersion", "6"}, {"topic", "{own}none"}, {"subscription", "B"}}},
	{"tags of none", "", []string{strings.Replace(byHeartbeat("TAG", "B", 5), "65", "66", 1)}, [][]string{{"subVersion", "5"}}},
	{"other tags later", "", []string{strings.Replace(byHeartbeat("TAG", "B", 5), "65", "66", 1), byHeartbeat("TAG", "A", 6)}, [][]string{{"subVersion", "5"}, {"subVersion", "6"}}},
	{"other tags, but older", "", []string{byHeartbeat("TAG", "A", 6), strings.Replace(byHeartbeat("TAG", "B", 5), "65", "66", 1)}, [][]string{{"subVersion", "5"}, {"subVersion", "6"}}},
	{"an expression", "", []string{byHeartbeat("SQL92", "TAGS = 'A' AND KEYS = 'key1 both'", 5)},
		[][]string{{"subVersion", "5", "expressionType", "SQL92"}, {"subVersion", "4"}, {"subVersion", "6", "expressionType", "SQL92"}}},
	{"an expression of none", "", []string{byHeartbeat("SQL92", "TAGS = 'B'", 5)}, [][]string{{"subVersion", "5", "expressionType", "SQL92"}}},
	{"another expression later", "", []string{byHeartbeat("SQL92", "TAGS = 'B'", 5), byHeartbeat("SQL92", "KEYS = 'key2 both'", 6)},
		[][]string{{"subVersion", "6", "expressionType", "SQL92"}}},
	{"a broken expression", "", []string{byHeartbeat("SQL92", "TAGS =", 5)}, [][]string{{"subVersion", "5", "expressionType", "SQL92"}}},
	{"a broken expression later", "", []string{byHeartbeat("SQL92", "TAGS = 'A'", 5), byHeartbeat("SQL92", "TAGS =", 6)},
		[][]string{{"subVersion", "6", "expressionType", "SQL92"}}},
	{"a broken expression, and a good one again", "", []string{byHeartbeat("SQL92", "TAGS = 'A'", 5), byHeartbeat("SQL92", "TAGS =", 6), byHeartbeat("SQL92", "TAGS = 'A'", 7)},
		[][]string{{"subVersion", "6", "expressionType", "SQL92"}, {"subVersion", "7", "expressionType", "SQL92"}}},
	{"an empty expression later", "", []string{byHeartbeat("SQL92", "TAGS = 'A'", 5), byHeartbeat("SQL92", "", 6)},
		[][]string{{"subVersion", "5", "expressionType", "SQL92"}, {"subVersion", "6", "expressionType", "SQL92"}}},
	{"an expression after tags", "", []string{byHeartbeat("TAG", "A", 5), byHeartbeat("SQL92", "KEYS = 'key2 both'", 6)}, [][]string{{"subVersion", "6", "expressionType", "SQL92"}}},
	{"tags after an expression", "", []string{byHeartbeat("SQL92", "TAGS = 'B'", 5), byHeartbeat("TAG", "A", 6)}, [][]string{{"subVersion", "6"}}},
	{"broadcasting", "", []string{strings.Replace(byHeartbeat("TAG", "A", 5), "CLUSTERING", "BROADCASTING", 1)}, [][]string{{"subVersion", "5"}}},
	{"broadcasting where it is off", `,"consumeBroadcastEnable":false`, []string{strings.Replace(byHeartbeat("TAG", "A", 5), "CLUSTERING", "BROADCASTING", 1)}, [][]string{{"subVersion", "5"}}},
	{"pulling actively", "", []string{strings.Replace(byHeartbeat("TAG", "A", 5), "CONSUME_PASSIVELY", "CONSUME_ACTIVELY", 1)}, [][]string{{"subVersion", "5"}}},
	{"a group that is off", `,"consumeEnable":false`, []string{byHeartbeat("TAG", "A", 5)}, [][]string{{"subVersion", "5"}}},
}

func TestPullsByHeartbeat(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		topic := newNames()
		threeMessages(p.with(t), topic)
		for _, s := range subscribers {
			t.Run(s.name, func(t *testing.T) {
				p := p.alone(t)
				topic.renew("group", "client")
				p.subscriber(topic, s.config, s.beats)
				p.samePulls(topic, s.pulls)
			})
		}
		t.Run("a topic that is forbidden to the group, and allowed again", func(t *testing.T) {
			p := p.alone(t)
			topic.renew("group", "client")
			p.subscriber(topic, "", []string{byHeartbeat("TAG", "A", 5)})
			for _, readable := range []string{"false", "true"} {
				p.must(toBroker, protocol.UpdateAndGetGroupForbidden, topic, "", "group", "{group}", "topic", "{topic}", "readable", readable)
				p.samePulls(topic, [][]string{{"subVersion", "5"}, {"sysFlag", "4", "subscription", "*"}})
			}
		})
		t.Run("a member that has gone", func(t *testing.T) {
			p := p.alone(t)
			topic.renew("group", "client")
			p.subscriber(topic, "", []string{byHeartbeat("SQL92", "TAGS = 'A'", 5)})
			p.must(toBroker, protocol.UnregisterClient, topic, "", "clientID", "{client}", "consumerGroup", "{group}")
			p.samePulls(topic, [][]string{{"subVersion", "5", "expressionType", "SQL92"}})
		})
	})
}

func (p *pair) subscriber(n *names, config string, beats []string) {
	p.t.Helper()
	p.must(toBroker, protocol.UpdateAndCreateSubscriptionGroup, n, `{"groupName":"{group}"`+config+`}`)
	for _, beat := range beats {
		p.must(toBroker, protocol.HeartBeat, n, beat)
	}
}

func (p *pair) samePulls(n *names, pulls [][]string) {
	p.t.Helper()
	f := family{code: protocol.PullMessage, to: toBroker, params: pullParams, allow: []*rule{propertyOrder, emptyFields}}
	for _, set := range pulls {
		r := row{name: strings.Join(set, " "), set: append([]string{"sysFlag", "0", "queueOffset", "0", "subscription", "", "subVersion", "0"}, set...)}
		f.compare(p, n, r.name, f.rules(r.name), f.request(&r, n), 0, &verdict{})
	}
}
