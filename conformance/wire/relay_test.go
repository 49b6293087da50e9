// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

// What a Broker asks its clients for others: the request that the client gets, and what the asker is told of its answer.
var relays = []struct {
	code, asked int32 // what the tool sends, and what the client gets
	fields      []string
	body        string
	said        string // the client's answer
	varies      string
}{
	{protocol.GetConsumerRunningInfo, protocol.GetConsumerRunningInfo, []string{"consumerGroup", "{group}", "clientId", "{client}", "jstackEnable", "false"}, "", `{"properties":{}}`, ""},
	{protocol.ConsumeMessageDirectly, protocol.ConsumeMessageDirectly, []string{"consumerGroup", "{group}", "clientId", "{client}", "msgId", "{msgId}", "brokerName", "broker-a", "topic", "{topic}"},
		"", `{"consumeResult":"CR_SUCCESS"}`, `msgId|phyOffset|queueOffset|storeSize|bodyCRC`},
	{protocol.InvokeBrokerToGetConsumerStatus, protocol.GetConsumerStatusFromClient, []string{"topic", "{topic}", "group", "{group}"}, "",
		`{"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:3}}`, ""},
	{protocol.SendReplyMessage, protocol.PushReplyMessageToClient, []string{"producerGroup", "{group}", "topic", "{topic}", "defaultTopic", "TBW102", "defaultTopicQueueNums", "4",
		"queueId", "0", "sysFlag", "0", "bornTimestamp", "1700000000000", "flag", "0", "properties", "CORRELATION_ID\x01c\x02REPLY_TO_CLIENT\x01{client}\x02", "reconsumeTimes", "0", "unitMode", "false"},
		"hello", "", `queueOffset|msgId`},
}

// relayRules: a map of Java's has its own order.
var relayRules = []Allowance{
	{SameSet, "hash-order", `^ext$`}, {SameSet, "send-properties", `properties$`}, {SameShape, "send-properties", `^ext\.properties$`},
	{Differs, "relay-form", `^form$`},
}

func TestWhatClientsAreAsked(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		for _, r := range relays {
			t.Run(protocol.RequestName(r.code), func(t *testing.T) {
				n := newNames()
				q := p.with(t)
				topicAndGroup(q, n)
				send(q, n, 0)
				var asked, told [2]Exchange
				for i := range q.sides[toBroker] {
					asked[i], told[i] = relayOnce(q, n, i, n.requests(r.code, pairs(r.fields), r.body)[i], r.asked, r.said)
				}
				var scope Scope
				if r.varies != "" {
					scope.Varies = regexp.MustCompile(r.varies)
				}
				for what, both := range map[string][2]Exchange{"the client is asked": asked, "the asker is told": told} {
					rest, _ := Judge(Compare(both[java], both[ours], scope), relayRules)
					require.Empty(t, rest, what)
				}
			})
		}
	})
}

// silenceRules: Java tells of a time-out with its exception's text.
var silenceRules = append([]Allowance{{SameShape, "panic-text", `^remark$`}}, relayRules...)

// Who asks something of a client that says nothing is told the same in the end. How long that takes is shown under
// virtual time, beside the handlers.
func TestSilentClients(t *testing.T) {
	eachAtOnce(t, func(t *testing.T, p *pair) {
		for _, r := range relays {
			t.Run(protocol.RequestName(r.code), func(t *testing.T) {
				t.Parallel()
				n, q := newNames(), p.alone(t)
				topicAndGroup(q, n)
				send(q, n, 0)
				asker := q.alone(t)
				q.must(toBroker, protocol.HeartBeat, n, heartbeat)
				told := asker.ask(toBroker, n.requests(r.code, pairs(r.fields), r.body), 2*answerTime)
				require.NotNil(t, told[java].Answer, told[java].Ended)
				rest, _ := Judge(Compare(told[java], told[ours], Scope{}), silenceRules)
				require.Empty(t, rest)
			})
		}
	})
}

// relayOnce lets a client join, sends the request over another connection, and answers what the client is asked.
func relayOnce(p *pair, n *names, i int, request Request, wanted int32, said string) (asked, told Exchange) {
	side := p.sides[toBroker][i]
	member, tool := &Side{addr: side.addr, mask: side.mask}, &Side{addr: side.addr, mask: side.mask}
	defer member.Close()
	defer tool.Close()
	member.Ask(n.requests(protocol.HeartBeat, []KV{}, heartbeat)[i], p.form, answerTime)
	done := make(chan Exchange, 1)
	go func() { done <- tool.Ask(request, p.form, answerTime) }()
	deadline := time.Now().Add(answerTime)
	for frame := range awaited(member, deadline) {
		if frame.Code == wanted && !frame.isAnswer() {
			asked = Exchange{Answer: frame, Mask: side.mask}
			answer := Request{Flag: 1, Opaque: frame.Opaque, Version: peerVersion, Body: []byte(said)}
			if err := member.Write(answer.Frame(p.form)); err != nil {
				p.t.Error(err)
			}
			break
		}
	}
	return asked, <-done
}

// awaited yields the frames that come until the deadline.
func awaited(side *Side, deadline time.Time) func(yield func(*Answer) bool) {
	return func(yield func(*Answer) bool) {
		for _, frame := range side.pushed {
			if !yield(frame) {
				return
			}
		}
		for {
			frame, err := side.Read(deadline)
			if err != nil || !yield(frame) {
				return
			}
		}
	}
}
