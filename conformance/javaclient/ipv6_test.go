// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	wire "rocketd/protocol/message"
)

// A Broker whose address is an IPv6 one is reached by it. Its message ids are longer, and lead to the messages.
func TestIPv6(t *testing.T) {
	o := target.Options{Broker: map[string]string{"brokerIP1": "::1", "brokerIP2": "::1"}}
	eachAlone(t, releases, o, func(t *testing.T, j *client) {
		const count = 20
		topic, group, p := j.newTopic(2), j.unique("group"), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		results := p.send("sync", messages)
		got := j.startConsumer(group, topic, options{listener: fields{"refuse": 1}})
		eventually(t, "every message twice", func() bool { return len(got.all()) == 2*count })
		for _, m := range got.all() {
			require.Contains(t, m.StoreHost, "[0:0:0:0:0:0:0:1]:")
			require.Contains(t, m.BornHost, "[0:0:0:0:0:0:0:1]:")
			require.Len(t, m.OffsetMsgID, 56)
		}
		j.mustHoldOnce("%RETRY%"+group, count)

		admin := j.startAdmin()
		for _, r := range j.stored(topic, count) {
			require.Equal(t, wire.FlagBornHostV6|wire.FlagStoreHostV6, r.SysFlag)
			require.True(t, r.BornHost.Addr().IsLoopback() && r.BornHost.Addr().Is6(), r.BornHost.String())
		}
		for i, r := range results {
			require.Len(t, r.OffsetMsgID, 56)
			var m received
			admin.call(&m, "viewMessage", topic, r.OffsetMsgID) // mqadmin queryMsgById
			requireSame(t, messages[i], m)
			require.Equal(t, r.QueueOffset, m.QueueOffset)
		}
		var found queryResult
		eventually(t, "every message by the key that all have", func() bool {
			err := admin.try(&found, "queryMessage", topic, "both", 64, 0, int64(math.MaxInt64))
			return err == nil && len(found.MessageList) == count
		})
	})
}
