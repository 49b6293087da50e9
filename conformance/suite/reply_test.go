// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// A producer asks and waits; a consumer answers through a producer of its own.
func TestRequestReply(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		topic, replies := newTopic(t, c, 2), newProducer(t, c)
		newConsumer(t, c, unique(t, "group"), topic, everything, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range messages {
				reply, err := consumer.CreateReplyMessage(m, nil)
				if err != nil {
					return consumer.ConsumeRetryLater, err
				}
				reply.Body = append([]byte("reply to "), m.Body...) // which the Go client forgets
				// The Go client asks before the Broker knows it by a heartbeat; until then no reply can reach it.
				for {
					if _, err := replies.SendSync(ctx, reply); err == nil {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
			return consumer.ConsumeSuccess, nil
		})
		p := newProducer(t, c)
		for i := range 3 {
			m := newMessage(topic, i)
			answer, err := p.Request(context.Background(), 90*time.Second, m)
			require.NoError(t, err)
			require.Equal(t, "reply to "+string(m.Body), string(answer.Body))
		}
	})
}
