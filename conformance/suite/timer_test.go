// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// The Go client knows nothing of times; it passes the property on.
func TestSendTimed(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 30
		topic, p := newTopic(t, c, 2), newProducer(t, c)
		got := newInbox()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		began := time.Now().UnixMilli()
		for i := range count {
			m := newMessage(topic, i)
			m.WithProperty("TIMER_DELAY_SEC", fmt.Sprint(i%3))
			_, err := p.SendSync(context.Background(), m)
			require.NoError(t, err)
		}
		eventually(t, "the messages", func() bool { return got.different() == count })
		for _, m := range got.all() {
			var seconds int64
			_, err := fmt.Sscan(m.GetProperty("TIMER_DELAY_SEC"), &seconds)
			require.NoError(t, err)
			require.Equal(t, topic, m.Topic)
			require.GreaterOrEqual(t, m.StoreTimestamp, began+1000*seconds)
		}
		mustHoldOnce(t, c, topic, count)
	})
}
