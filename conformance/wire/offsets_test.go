// SPDX-License-Identifier: Apache-2.0

// offsets_test.go: offsets of groups that have members, which decide what is cloned and what is counted.

package wire

import (
	"strings"
	"testing"

	"rocketd/protocol"
)

func TestCloneOfAGroupWithMembers(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		topic := newNames()
		threeMessages(p.with(t), topic)
		for name, subscribed := range map[string]string{"that reads the topic": "{topic}", "that reads another one": "{own}other"} {
			for _, offline := range []string{"true", "false"} {
				t.Run(name+", offline "+offline, func(t *testing.T) {
					p := p.alone(t)
					topic.renew("client")
					anotherGroup(p, topic)
					p.must(toBroker, protocol.HeartBeat, topic, strings.Replace(heartbeat, "{topic}", subscribed, 1))
					p.sameAnswer(topic, "clone", protocol.CloneGroupOffset, "srcGroup", "{group}", "destGroup", "{group}_copy", "topic", "{topic}", "offline", offline)
					p.sameAnswer(topic, "the copy", protocol.QueryConsumerOffset, "consumerGroup", "{group}_copy", "topic", "{topic}", "queueId", "0", "setZeroIfNotFound", "false")
				})
			}
		}
	})
}

// The slowest of several groups counts, but for those that the asker is not interested in. Java deletes their offsets, so
// that each question has groups of its own.
func TestCorrectionOffsets(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		for _, c := range []struct{ name, compared, filtered string }{
			{"the slow group", "{group}", ""}, {"the quick group", "{quick}", ""}, {"no group", "{own}none", ""},
			{"without the slow group", "{quick}", "{group}"},
		} {
			t.Run(c.name, func(t *testing.T) {
				p, n := p.alone(t), newNames()
				threeMessages(p, n)
				n.renew("quick")
				p.must(toBroker, protocol.UpdateAndCreateSubscriptionGroup, n, `{"groupName":"{quick}"}`)
				for group, offset := range map[string]string{"{group}": "1", "{quick}": "3"} {
					p.must(toBroker, protocol.UpdateConsumerOffset, n, "", "consumerGroup", group, "topic", "{topic}", "queueId", "0", "commitOffset", offset)
				}
				p.sameAnswer(n, c.name, protocol.QueryCorrectionOffset, "filterGroups", c.filtered, "compareGroup", c.compared, "topic", "{topic}")
			})
		}
	})
}
