// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// noMessage is the client's own code where a query found nothing.
const noMessage = 208

type queryResult struct {
	IndexLastUpdateTimestamp int64
	MessageList              []received
}

// Messages are found by their offset id, by their unique key, and by the keys of their sender.
func TestQueryMessages(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 20
		topic, p := j.newTopic(2), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		results := p.send("sync", messages)
		admin := j.startAdmin()
		for i, r := range results {
			var m received
			admin.call(&m, "viewMessage", topic, r.OffsetMsgID)
			requireSame(t, messages[i], m)
			require.Equal(t, r.QueueOffset, m.QueueOffset)
			require.Equal(t, r.MsgID, m.Properties["UNIQ_KEY"])
		}

		// The index is written behind.
		var found queryResult
		eventually(t, "every message by the key that all have", func() bool {
			err := admin.try(&found, "queryMessage", topic, "both", 64, 0, int64(math.MaxInt64))
			return err == nil && len(found.MessageList) == count
		})
		require.Positive(t, found.IndexLastUpdateTimestamp)
		admin.call(&found, "queryMessage", topic, "both", 5, 0, int64(math.MaxInt64))
		require.Len(t, found.MessageList, 5)
		admin.call(&found, "queryMessage", topic, "key7", 64, 0, int64(math.MaxInt64))
		require.Len(t, found.MessageList, 1)
		requireSame(t, messages[7], found.MessageList[0])
		for i, r := range results {
			var m received
			admin.call(&m, "viewMessage", topic, r.MsgID)
			requireSame(t, messages[i], m)
			require.Equal(t, r.OffsetMsgID, m.OffsetMsgID)
		}

		admin.fails(noMessage, "queryMessage", topic, "no such key", 64, 0, int64(math.MaxInt64))
		admin.fails(noMessage, "queryMessage", topic, "both", 64, 0, 1)
		require.Error(t, admin.try(nil, "viewMessage", topic, strings.Repeat("0", 8)))
	})
}
