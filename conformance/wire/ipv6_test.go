// SPDX-License-Identifier: Apache-2.0

// ipv6_test.go: a Broker with an IPv6 address, and producers that reach it by IPv6 and by IPv4.

package wire

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// Ids have the address's 16 bytes, records say which of their hosts are IPv6, and both lead to the message.
func TestIPv6(t *testing.T) {
	o := target.Options{Broker: map[string]string{"brokerIP1": "[::1]", "brokerIP2": "[::1]"}}
	chosen, err := target.Chosen()
	require.NoError(t, err)
	peer := target.New(t, target.Java, o)
	for _, kind := range chosen {
		if kind == target.Java {
			continue // it would be compared with itself
		}
		t.Run(string(kind), func(t *testing.T) {
			clusters := [2]*target.Cluster{java: peer, ours: target.New(t, kind, o)}
			for _, form := range []Form{JSON, Binary} {
				t.Run(form.String(), func(t *testing.T) {
					byV4, byV6 := pairOf(t, form, clusters), pairOf(t, form, clusters)
					for _, side := range byV6.sides[toBroker] {
						side.addr = strings.Replace(side.addr, "127.0.0.1", "[::1]", 1)
					}
					sameByIPv6(t, byV4, byV6)
				})
			}
		})
	}
}

func sameByIPv6(t *testing.T, byV4, byV6 *pair) {
	n := newNames()
	topicAndGroup(byV4, n)
	for i, from := range []*pair{byV4, byV6} {
		send(from, n, i)
		end := []string{"1", "2"}[i]
		from.until("the message to be read", toBroker, protocol.GetMaxOffset, n, func(a *Answer) bool { return a.Field("offset") == end },
			"topic", "{topic}", "queueId", "0", "committed", "true")
		from.sameAnswer(n, "the message", protocol.PullMessage, pullFields("{topic}", []string{"0", "1"}[i], "1")...)
		from.sameAnswer(n, "the message by its id", protocol.ViewMessageByID, "topic", "{topic}", "offset", "{offset}")
		for side, a := range from.must(toBroker, protocol.ViewMessageByID, n, "", "topic", "{topic}", "offset", "{offset}") {
			var m message.Message
			require.NoError(t, message.DecodeRecord(a.Body, &m))
			require.Equal(t, n.values[side]["{msgId}"], message.OffsetMsgID(m.StoreHost, m.PhyOffset))
			require.True(t, m.StoreHost.Addr().Is6())
			require.Equal(t, from == byV6, m.BornHost.Addr().Is6())
		}
	}
	byV6.sameAnswer(n, "where the id leads nobody", protocol.ConsumeMessageDirectly, "consumerGroup", "{group}", "clientId", "{client}", "msgId", "{msgId}", "brokerName", "broker-a")
	byV6.sameAnswer(n, "a return", protocol.ConsumerSendMsgBack, "offset", "{offset}", "group", "{group}", "delayLevel", "0", "originMsgId", "{msgId}",
		"originTopic", "{topic}", "unitMode", "false", "maxReconsumeTimes", "16")
	f := family{code: protocol.GetRouteInfoByTopic, to: toNames}
	f.compare(byV6, n, "the route", nil, n.requests(f.code, pairs([]string{"topic", "{topic}", "acceptStandardJsonOnly", "true"}), ""), 0, &verdict{})
}
