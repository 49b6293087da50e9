// SPDX-License-Identifier: Apache-2.0

// broadcast_test.go: a client of a broadcasting group changes between a Proxy and the Broker, and is told where it was.

package wire

import (
	"strings"
	"testing"

	"rocketd/protocol"
)

func TestBroadcasterMoves(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		n := newNames()
		p = p.with(t)
		threeMessages(p, n)
		p.must(toBroker, protocol.HeartBeat, n, strings.Replace(heartbeat, "CLUSTERING", "BROADCASTING", 1))
		f := family{code: protocol.PullMessage, to: toBroker}
		rules := []*rule{propertyOrder, {Allowance: Allowance{SameSet, "hash-order", `^ext$`}}, {Allowance: Allowance{SameSet, "remark-empty", `^remark$`}}}
		pull := func(name, offset, client string) {
			fields := pullFields("{topic}", offset, "32")
			if client != "" {
				fields = append(fields, "requestSource", "1", "proxyFrowardClientId", client)
			}
			f.compare(p, n, name, rules, n.requests(f.code, pairs(fields), ""), 0, &verdict{})
		}
		pull("direct", "2", "")
		pull("to a Proxy", "0", "{client}")
		pull("where it was", "2", "{client}")
		pull("a Proxy that asks", "-1", "{client}")
		pull("a client that a Proxy does not know", "-1", "other")
		pull("another queue begins", "1", "other")
		pull("back", "0", "")
		pull("goes on", "2", "")
		pull("and on", "3", "")
	})
}

// What broadcasting clients have reached is stored under a name that is no group's: no list of groups or topics has it. It
// counts where the least of all offsets is asked for, unless its group is left out.
func TestBroadcastOffsetsAreNoGroups(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		n := newNames()
		p = p.with(t)
		threeMessages(p, n)
		broadcastTo(p, n, "2")
		p.sameAnswer(n, "its topics", protocol.QueryTopicsByConsumer, "group", "{group}@broadcast")
		p.sameAnswer(n, "its topic's groups", protocol.QueryTopicConsumeByWho, "topic", "{topic}")
		p.sameAnswer(n, "its progress", protocol.GetConsumeStats, "consumerGroup", "{group}@broadcast")
		p.sameAnswer(n, "the least of all offsets", protocol.QueryCorrectionOffset, "topic", "{topic}", "compareGroup", "{own}none")
		p.sameAnswer(n, "the least of others", protocol.QueryCorrectionOffset, "topic", "{topic}", "compareGroup", "{own}none", "filterGroups", "{group}")
	})
}
