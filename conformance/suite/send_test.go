// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

func TestSendSync(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count, queues = 200, 4
		topic, p := newTopic(t, c, queues), newProducer(t, c)
		next, ids := map[int]int64{}, map[string]string{}
		for i := range count {
			m := newMessage(topic, i).WithTag("TagA")
			result, err := p.SendSync(context.Background(), m)
			require.NoError(t, err)
			require.Equal(t, primitive.SendOK, result.Status)
			require.Equal(t, "broker-a", result.MessageQueue.BrokerName)
			require.Equal(t, next[result.MessageQueue.QueueId], result.QueueOffset, "queue %d", result.MessageQueue.QueueId)
			next[result.MessageQueue.QueueId]++
			ids[result.OffsetMsgID] = string(m.Body)
		}
		require.Len(t, next, queues)
		require.Len(t, ids, count)

		got := newInbox()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		eventually(t, "all messages", func() bool { return got.different() == count })
		for _, m := range got.all() {
			require.Equal(t, ids[m.OffsetMsgId], string(m.Body))
			require.Equal(t, "TagA", m.GetTags())
			require.Equal(t, fmt.Sprintf("key%s both", m.GetProperty("number")), m.GetKeys())
			require.Equal(t, topic, m.Topic)
			require.Zero(t, m.ReconsumeTimes)
			require.Positive(t, m.StoreTimestamp)
			require.Equal(t, c.Broker.Addr, m.StoreHost)
		}
		mustHoldOnce(t, c, topic, count)
	})
}

func TestSendAsync(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 300
		topic, p := newTopic(t, c, 4), newProducer(t, c)
		errs := make(chan error, count)
		var answered sync.WaitGroup
		answered.Add(count)
		for i := range count {
			require.NoError(t, p.SendAsync(context.Background(), func(_ context.Context, result *primitive.SendResult, err error) {
				defer answered.Done()
				if err == nil && result.Status != primitive.SendOK {
					err = fmt.Errorf("message %d: %v", i, result)
				}
				errs <- err
			}, newMessage(topic, i)))
		}
		answered.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		mustHoldOnce(t, c, topic, count)
	})
}

func TestSendOneWay(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 100
		topic, p := newTopic(t, c, 2), newProducer(t, c)
		for i := range count {
			require.NoError(t, p.SendOneWay(context.Background(), newMessage(topic, i)))
		}
		mustHoldOnce(t, c, topic, count)
	})
}

func TestSendBatch(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const batches, size = 5, 40
		topic, p := newTopic(t, c, 4), newProducer(t, c)
		for b := range batches {
			var batch []*primitive.Message
			for i := range size {
				batch = append(batch, newMessage(topic, b*size+i).WithTag("TagB"))
			}
			result, err := p.SendSync(context.Background(), batch...)
			require.NoError(t, err)
			require.Equal(t, primitive.SendOK, result.Status)
		}
		records := stored(t, c, topic, batches*size)
		require.Equal(t, batches*size, len(records)) //nolint:testifylint // Len prints all of them
		for i, first := range records {
			if i%size == 0 {
				for j, r := range records[i : i+size] {
					require.Equal(t, first.QueueID, r.QueueID, "a batch lies in one queue")
					require.Equal(t, first.QueueOffset+int64(j), r.QueueOffset)
					tags, _ := r.Property("TAGS")
					require.Equal(t, "TagB", tags)
				}
			}
		}
	})
}

// A body over 4 KiB is compressed by the client, one over 4 MiB refused.
func TestSendLarge(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		topic, p := newTopic(t, c, 1), newProducer(t, c)
		compressible := bytes.Repeat([]byte("rocket"), 200_000)
		incompressible := make([]byte, 3<<20)
		for i, state := 0, uint32(1); i < len(incompressible); i++ {
			state = state*1664525 + 1013904223
			incompressible[i] = byte(state >> 24)
		}
		for _, body := range [][]byte{compressible, incompressible, nil, []byte("x")} {
			m := primitive.NewMessage(topic, body)
			if body == nil {
				_, err := p.SendSync(context.Background(), m)
				require.Error(t, err, "a message without a body")
				continue
			}
			_, err := p.SendSync(context.Background(), m)
			require.NoError(t, err)
		}
		got := newInbox()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		eventually(t, "three messages", func() bool { return got.different() == 3 })
		for _, m := range got.all() {
			require.True(t, slices.ContainsFunc([][]byte{compressible, incompressible, []byte("x")}, func(b []byte) bool {
				return bytes.Equal(b, m.Body)
			}), "%d bytes", len(m.Body))
		}

		huge := newProducer(t, c, producer.WithCompressMsgBodyOverHowmuch(1<<30))
		_, err := huge.SendSync(context.Background(), primitive.NewMessage(topic, make([]byte, 5<<20)))
		require.ErrorContains(t, err, "CODE: 13")
	})
}

// The first send to a topic that nobody has made creates it.
func TestSendCreatesTopic(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		topic, p := unique(t, "topic"), newProducer(t, c)
		mustSend(t, p, topic, 10)
		require.NoError(t, c.WaitRoute(topic))
		queues, err := c.Queues(topic)
		require.NoError(t, err)
		require.EqualValues(t, 4, queues, "what the Go client asks for")
		mustHoldOnce(t, c, topic, 10)
	})
}

// The levels of the test's Broker are all one second; a message is never early.
func TestSendDelayed(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 30
		topic, p := newTopic(t, c, 2), newProducer(t, c)
		got := newInbox()
		var mu sync.Mutex
		arrived := map[string]time.Time{}
		newConsumer(t, c, unique(t, "group"), topic, everything, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			mu.Lock()
			for _, m := range messages {
				arrived[m.GetProperty("number")] = time.Now()
			}
			mu.Unlock()
			return got.consume(ctx, messages...)
		})
		for i := range count {
			_, err := p.SendSync(context.Background(), newMessage(topic, i).WithTag("TagD").WithDelayTimeLevel(1+i%3))
			require.NoError(t, err)
		}
		eventually(t, "the delayed messages", func() bool { return got.different() == count })
		mu.Lock()
		defer mu.Unlock()
		for _, m := range got.all() {
			require.Equal(t, topic, m.Topic)
			require.Equal(t, "TagD", m.GetTags())
			born := time.UnixMilli(m.BornTimestamp)
			// The server rounds the due time down to whole milliseconds, Java to a thousand of them.
			require.GreaterOrEqual(t, arrived[m.GetProperty("number")].Sub(born), 0*time.Millisecond)
			require.GreaterOrEqual(t, m.StoreTimestamp-m.BornTimestamp, int64(0))
		}
	})
}
