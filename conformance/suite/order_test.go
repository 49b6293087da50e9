// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// steps collects what an orderly group consumes, by sharding key, in the order of the deliveries.
type steps struct {
	mu   sync.Mutex
	seen map[string][]string
}

func newSteps() *steps { return &steps{seen: map[string][]string{}} }

func (s *steps) consume(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		s.seen[m.GetShardingKey()] = append(s.seen[m.GetShardingKey()], m.GetProperty("step"))
	}
	return consumer.ConsumeSuccess, nil
}

// reached says whether every one of the keys has come to a step.
func (s *steps) reached(keys, step int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range s.seen {
		if !slices.Contains(got, fmt.Sprint(step)) {
			return false
		}
	}
	return len(s.seen) == keys
}

// requireOrder demands steps 0 to count-1 of every key. After a restart a queue may be begun again at the last
// committed offset, so steps may be repeated, but none is passed over.
func (s *steps) requireOrder(t *testing.T, keys, count int) {
	t.Helper()
	var want []string
	for step := range count {
		want = append(want, fmt.Sprint(step))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.seen, keys)
	for key, got := range s.seen {
		require.Equal(t, want, withoutRepeats(got), key)
	}
}

// sendStep sends one step of every key and does not go on before it is acknowledged: what an ordered producer must do
// while a Broker is away.
func sendStep(t *testing.T, p rocketmq.Producer, topic string, keys, step int) {
	for key := range keys {
		m := newMessage(topic, step*keys+key).WithShardingKey(fmt.Sprintf("key%d", key))
		m.WithProperty("step", fmt.Sprint(step))
		eventually(t, "an acknowledged message", func() bool {
			result, err := p.SendSync(context.Background(), m)
			return err == nil && result.Status == primitive.SendOK
		})
	}
}

// sendAcrossRestarts sends count steps; the Broker is restarted after each third of them.
func sendAcrossRestarts(t *testing.T, c *target.Cluster, p rocketmq.Producer, topic string, keys, count int) {
	for step := range count {
		if step > 0 && step%(count/3) == 0 && c.Kind != target.Java {
			require.NoError(t, c.Broker.Stop())
			require.NoError(t, c.Broker.Start())
		}
		sendStep(t, p, topic, keys, step)
	}
}

// Messages with one sharding key are consumed in order though the Broker is restarted under producer and consumer.
func TestPartitionOrderAcrossRestarts(t *testing.T) {
	eachAlone(t, target.Options{}, ours, func(t *testing.T, c *target.Cluster) {
		const keys, count = 8, 60
		topic, got := newTopic(t, c, 4), newSteps()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume, consumer.WithConsumerOrder(true))
		p := newProducer(t, c, producer.WithQueueSelector(producer.NewHashQueueSelector()), producer.WithSendMsgTimeout(3*time.Second))
		sendAcrossRestarts(t, c, p, topic, keys, count)
		eventually(t, "the last step of every key", func() bool { return got.reached(keys, count-1) })
		got.requireOrder(t, keys, count)
	})
}

// An order configuration in the NameServer keeps producers to one queue of a topic that has four, and what they send is
// consumed in the order of sending.
func TestGlobalOrder(t *testing.T) {
	options := target.Options{Names: map[string]string{"orderMessageEnable": "true"}}
	eachAlone(t, options, []target.Kind{target.InProc, target.Binary, target.Java}, func(t *testing.T, c *target.Cluster) {
		const keys, count, queues = 1, 120, 4
		topic, got := newTopic(t, c, queues), newSteps()
		require.NoError(t, c.OrderTopic(topic, 1))
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume, consumer.WithConsumerOrder(true))
		p := newProducer(t, c, producer.WithSendMsgTimeout(3*time.Second))
		sendAcrossRestarts(t, c, p, topic, keys, count)
		eventually(t, "the last step", func() bool { return got.reached(keys, count-1) })
		got.requireOrder(t, keys, count)
		for queue := range int32(queues) {
			_, high, err := c.Range(topic, queue)
			require.NoError(t, err)
			if queue > 0 {
				require.Zero(t, high, "queue %d", queue)
			}
		}
	})
}

// A consumer that suspends its queue gets the same message again, and nothing behind it before that is done.
func TestSuspendCurrentQueueAMoment(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count, hard, tries = 20, 7, 3
		topic, group, p := newTopic(t, c, 1), unique(t, "group"), newProducer(t, c)
		var mu sync.Mutex
		var seen []string
		var offsets []int64 // while the queue is suspended
		newConsumer(t, c, group, topic, everything, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			mu.Lock()
			defer mu.Unlock()
			number := messages[0].GetProperty("number")
			seen = append(seen, number)
			if number != fmt.Sprint(hard) || len(seen) >= hard+tries {
				return consumer.ConsumeSuccess, nil
			}
			offset, err := c.Committed(group, topic, 0)
			offsets = append(offsets, offset)
			return consumer.SuspendCurrentQueueAMoment, err
		}, consumer.WithConsumerOrder(true), consumer.WithSuspendCurrentQueueTimeMillis(50*time.Millisecond))
		mustSend(t, p, topic, count)
		var want []string
		for i := range count {
			for range map[bool]int{true: tries, false: 1}[i == hard] {
				want = append(want, fmt.Sprint(i))
			}
		}
		eventually(t, "every message", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) >= len(want)
		})
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, want, seen)
		require.Len(t, offsets, tries-1)
		require.LessOrEqual(t, slices.Max(offsets), int64(hard), "what is suspended is not committed")
	})
}

// An orderly consumer that has tried a message often enough gives it up to the dead letters at once and goes on in order.
func TestOrderlyDeadLetters(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count, hard, most = 20, 7, 2
		topic, group, p := newTopic(t, c, 1), unique(t, "group"), newProducer(t, c)
		prepareGroup(t, c, group)
		var mu sync.Mutex
		var seen []string
		newConsumer(t, c, group, topic, everything, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			mu.Lock()
			defer mu.Unlock()
			number := messages[0].GetProperty("number")
			seen = append(seen, number)
			if number == fmt.Sprint(hard) {
				return consumer.SuspendCurrentQueueAMoment, nil
			}
			return consumer.ConsumeSuccess, nil
		}, consumer.WithConsumerOrder(true), consumer.WithSuspendCurrentQueueTimeMillis(50*time.Millisecond), consumer.WithMaxReconsumeTimes(most))
		mustSend(t, p, topic, count)
		eventually(t, "the last message", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(seen, fmt.Sprint(count-1))
		})
		dead := stored(t, c, "%DLQ%"+group, 1)
		require.Len(t, dead, 1)
		number, _ := dead[0].Property("number")
		origin, _ := dead[0].Property("RETRY_TOPIC")
		require.Equal(t, []string{fmt.Sprint(hard), topic}, []string{number, origin})
		var want []string
		for i := range count {
			want = append(want, fmt.Sprint(i))
		}
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, want, withoutRepeats(seen))
		require.Len(t, seen, count+most+1, "the one that failed came so often more")
	})
}
