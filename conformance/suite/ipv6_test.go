// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol/message"
)

// A Broker whose address is an IPv6 one is reached by it, however the configuration writes it. Go clients cannot dial the
// address that Java registers for one without brackets.
func TestIPv6(t *testing.T) {
	o := target.Options{Broker: map[string]string{"brokerIP1": "::1", "brokerIP2": "::1"}}
	eachAlone(t, o, ours, func(t *testing.T, c *target.Cluster) {
		const count = 20
		topic, got := newTopic(t, c, 2), newInbox()
		mustSend(t, newProducer(t, c), topic, count)
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		eventually(t, "all messages", func() bool { return got.different() == count })
		for _, r := range stored(t, c, topic, count) {
			require.Equal(t, message.FlagBornHostV6|message.FlagStoreHostV6, r.SysFlag)
		}
		for _, m := range got.all() {
			require.Len(t, m.OffsetMsgId, 56)
		}
	})
}
