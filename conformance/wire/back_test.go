// SPDX-License-Identifier: Apache-2.0

// back_test.go: what becomes of a message that a consumer sends back: its retry, the retry of that, and the dead letter.

package wire

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

const (
	retryTopic = "%RETRY%{group}"
	deadTopic  = "%DLQ%{group}"
)

// returns are how a message is sent back, and where it is then. The next message is the one that the last has become.
var returns = []struct {
	name  string
	where []string // by turn
	set   []string
}{
	{"retries up to the client's maximum", []string{retryTopic, retryTopic, deadTopic}, []string{"maxReconsumeTimes", "2"}},
	{"retries up to the group's maximum", []string{retryTopic, deadTopic}, nil},
	{"a level of its own", []string{retryTopic, retryTopic}, []string{"delayLevel", "7", "maxReconsumeTimes", "16"}},
	{"a level that there is not", []string{retryTopic}, []string{"delayLevel", "99", "maxReconsumeTimes", "16"}},
	{"given up", []string{deadTopic}, []string{"delayLevel", "-1", "maxReconsumeTimes", "16"}},
	{"not tried again", []string{deadTopic}, []string{"maxReconsumeTimes", "0"}},
	{"in a unit", []string{retryTopic}, []string{"unitMode", "true", "maxReconsumeTimes", "16"}},
}

func TestWhatComesBack(t *testing.T) {
	eachAtOnce(t, func(t *testing.T, p *pair) {
		for _, r := range returns {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				n, p := newNames(), p.alone(t)
				createTopic(p, n)
				send(p, n, 1)
				p.must(toBroker, protocol.UpdateAndCreateSubscriptionGroup, n, `{"groupName":"{group}","retryMaxTimes":1}`)
				held := map[string]int{}
				for _, topic := range r.where {
					p.must(toBroker, protocol.ConsumerSendMsgBack, n, "", append([]string{"offset", "{offset}", "group", "{group}", "delayLevel", "0",
						"originMsgId", "{msgId}", "originTopic", "{topic}", "unitMode", "false"}, r.set...)...)
					p.sameReturn(n, topic, held[topic])
					held[topic]++
				}
				p.sameAnswer(n, "the retry topic", protocol.GetTopicConfig, "topic", retryTopic)
			})
		}
	})
}

// sameReturn waits for the message with an offset of a topic, compares it, and makes {offset} its place in the log.
func (p *pair) sameReturn(n *names, topic string, offset int) {
	p.t.Helper()
	end := strconv.Itoa(offset + 1)
	p.until("the message in "+topic, toBroker, protocol.GetMaxOffset, n, func(a *Answer) bool { return a.Field("offset") == end },
		"topic", topic, "queueId", "0", "committed", "true")
	fields := pullFields(topic, strconv.Itoa(offset), "32")
	var place [2]string
	for side, a := range p.must(toBroker, protocol.PullMessage, n, "", fields...) {
		var m message.Message
		require.NoError(p.t, message.DecodeRecord(a.Body, &m))
		place[side] = strconv.FormatInt(m.PhyOffset, 10)
	}
	n.put("offset", place[java], place[ours])
	p.sameAnswer(n, topic+" "+end, protocol.PullMessage, fields...)
}

// sameAnswer asks both Brokers and demands the same answer.
func (p *pair) sameAnswer(n *names, name string, code int32, fields ...string) {
	p.t.Helper()
	f := family{code: code, to: toBroker}
	rules := append([]*rule{propertyOrder}, f.rules(name)...)
	f.compare(p, n, name, rules, n.requests(code, pairs(fields), ""), 0, &verdict{})
}

// alone is the pair for a subtest, over connections of its own.
func (p *pair) alone(t *testing.T) *pair {
	q := p.with(t)
	q.sides = map[server][2]*Side{}
	for to, sides := range p.sides {
		var own [2]*Side
		for i, side := range sides {
			own[i] = &Side{addr: side.addr, mask: side.mask}
		}
		q.sides[to] = own
	}
	t.Cleanup(q.close)
	return q
}
