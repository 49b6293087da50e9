// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// Two consumers of a group share the queues; the end of one gives its queues to the other.
func TestClustering(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const first, second = 400, 200
		topic, group, p := newTopic(t, c, 4), unique(t, "group"), newProducer(t, c)
		a, b := newInbox(), newInbox()
		newConsumer(t, c, group, topic, everything, a.consume)
		leaving := newConsumer(t, c, group, topic, everything, b.consume)
		sent := 0
		send := func(n int) {
			for range n {
				_, err := p.SendSync(context.Background(), newMessage(topic, sent))
				require.NoError(t, err)
				sent++
			}
		}
		send(first)
		// Whoever has been given queues late, after a client's own rebalance, gets what is sent then.
		eventually(t, "both consumers at work", func() bool {
			if a.different() == 0 || b.different() == 0 {
				send(4)
				return false
			}
			return true
		})
		require.NoError(t, leaving.Shutdown())
		send(second)
		eventually(t, "every message at one of the two", func() bool { return together(a, b) == sent })
		mustHoldOnce(t, c, topic, sent)
	})
}

func together(boxes ...*inbox) int {
	all := map[string]bool{}
	for _, b := range boxes {
		for _, m := range b.all() {
			all[string(m.Body)] = true
		}
	}
	return len(all)
}

func TestBroadcast(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 100
		topic, group, p := newTopic(t, c, 4), unique(t, "group"), newProducer(t, c)
		a, b := newInbox(), newInbox()
		newConsumer(t, c, group, topic, everything, a.consume, consumer.WithConsumerModel(consumer.BroadCasting))
		newConsumer(t, c, group, topic, everything, b.consume, consumer.WithConsumerModel(consumer.BroadCasting))
		mustSend(t, p, topic, count)
		eventually(t, "every message at both", func() bool { return a.different() == count && b.different() == count })
	})
}

func TestTags(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const rounds = 50
		topic, p := newTopic(t, c, 4), newProducer(t, c)
		tags := []string{"TagA", "TagB", "TagC", ""}
		for i := range rounds * len(tags) {
			m := newMessage(topic, i)
			if tag := tags[i%len(tags)]; tag != "" {
				m.WithTag(tag)
			}
			_, err := p.SendSync(context.Background(), m)
			require.NoError(t, err)
		}
		got, all := newInbox(), newInbox()
		newConsumer(t, c, unique(t, "group"), topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "TagA || TagC"}, got.consume)
		newConsumer(t, c, unique(t, "group"), topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}, all.consume)
		eventually(t, "the tagged messages", func() bool { return got.different() == 2*rounds })
		eventually(t, "all messages", func() bool { return all.different() == len(tags)*rounds })
		for _, m := range got.all() {
			require.Contains(t, []string{"TagA", "TagC"}, m.GetTags())
		}
	})
}

func TestSQL92(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 100
		topic, p := newTopic(t, c, 4), newProducer(t, c)
		for i := range count {
			m := newMessage(topic, i).WithTag([]string{"TagA", "TagB"}[i%2])
			m.WithProperty("price", fmt.Sprint(i))
			_, err := p.SendSync(context.Background(), m)
			require.NoError(t, err)
		}
		got := newInbox()
		selector := consumer.MessageSelector{Type: consumer.SQL92, Expression: "(TAGS IS NOT NULL AND TAGS IN ('TagA')) AND price BETWEEN 20 AND 49"}
		newConsumer(t, c, unique(t, "group"), topic, selector, got.consume)
		eventually(t, "the messages that match", func() bool { return got.different() == 15 })
		m := newMessage(topic, count).WithTag("TagA")
		m.WithProperty("price", "21")
		_, err := p.SendSync(context.Background(), m)
		require.NoError(t, err)
		eventually(t, "the one that matches and comes later", func() bool { return got.different() == 16 })
		for _, m := range got.all() {
			require.Equal(t, "TagA", m.GetTags())
		}
	})
}

// Messages with one sharding key stay in order, also when another member of the group takes their queue over.
func TestOrderly(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const keys, count = 10, 30
		topic, group, got := newTopic(t, c, 4), unique(t, "group"), newSteps()
		p := newProducer(t, c, producer.WithQueueSelector(producer.NewHashQueueSelector()))
		for step := range count / 2 {
			sendStep(t, p, topic, keys, step)
		}
		first := newConsumer(t, c, group, topic, everything, got.consume, consumer.WithConsumerOrder(true))
		eventually(t, "the first half of every key", func() bool { return got.reached(keys, count/2-1) })
		require.NoError(t, first.Shutdown(), "which unlocks its queues")
		for step := count / 2; step < count; step++ {
			sendStep(t, p, topic, keys, step)
		}
		newConsumer(t, c, group, topic, everything, got.consume, consumer.WithConsumerOrder(true))
		eventually(t, "every step of every key", func() bool { return got.reached(keys, count-1) })
		got.requireOrder(t, keys, count)
	})
}

func withoutRepeats(steps []string) []string {
	var once []string
	seen := map[string]bool{}
	for _, s := range steps {
		if !seen[s] {
			seen[s] = true
			once = append(once, s)
		}
	}
	return once
}

// prepareGroup sees to it that the group's retry topic has a route before the test begins: the Go client looks for it at
// its start and then only every 30 s.
func prepareGroup(t *testing.T, c *target.Cluster, group string) {
	require.NoError(t, c.CreateTopic("%RETRY%"+group, 1))
}

func TestRetryAfterFailure(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 20
		topic, group, p := newTopic(t, c, 2), unique(t, "group"), newProducer(t, c)
		prepareGroup(t, c, group)
		done := newInbox()
		var mu sync.Mutex
		tries := map[string][]int32{}
		newConsumer(t, c, group, topic, everything, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range messages {
				tries[string(m.Body)] = append(tries[string(m.Body)], m.ReconsumeTimes)
				if m.ReconsumeTimes < 2 {
					return consumer.ConsumeRetryLater, nil
				}
				done.take(m)
			}
			return consumer.ConsumeSuccess, nil
		})
		for i := range count {
			_, err := p.SendSync(context.Background(), newMessage(topic, i).WithTag("TagR"))
			require.NoError(t, err)
		}
		eventually(t, "every message after two failures", func() bool { return done.different() == count })
		for _, m := range done.all() {
			require.Equal(t, topic, m.Topic)
			require.Equal(t, "TagR", m.GetTags())
			require.EqualValues(t, 2, m.ReconsumeTimes)
			require.NotEmpty(t, m.GetProperty(primitive.PropertyOriginMessageId))
		}
		mu.Lock()
		defer mu.Unlock()
		for body, times := range tries {
			require.Equal(t, []int32{0, 1, 2}, times, body)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 10
		topic, group, p := newTopic(t, c, 2), unique(t, "group"), newProducer(t, c)
		prepareGroup(t, c, group)
		mustSend(t, p, topic, count)
		newConsumer(t, c, group, topic, everything, func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			return consumer.ConsumeRetryLater, nil
		}, consumer.WithMaxReconsumeTimes(1))
		dead := "%DLQ%" + group
		require.NoError(t, c.WaitRoute(dead))
		records := stored(t, c, dead, count)
		require.Equal(t, count, len(records)) //nolint:testifylint // Len prints all of them
		sent := bodies(t, c, topic, count)
		for _, r := range records {
			require.Contains(t, sent, string(r.Body))
			origin, _ := r.Property("RETRY_TOPIC")
			require.Equal(t, topic, origin)
		}
	})
}

// A consumer that ends in order commits its offsets, and its successor begins there.
func TestOffsetsAreKept(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count, queues = 100, 4
		topic, group, p := newTopic(t, c, queues), unique(t, "group"), newProducer(t, c)
		mustSend(t, p, topic, count)
		first := newInbox()
		pc := newConsumer(t, c, group, topic, everything, first.consume)
		eventually(t, "all messages", func() bool { return first.different() == count })
		require.NoError(t, pc.Shutdown())
		eventually(t, "all offsets", func() bool { return committed(t, c, group, topic) == count })

		second := newInbox()
		newConsumer(t, c, group, topic, everything, second.consume)
		m := newMessage(topic, count)
		_, err := p.SendSync(context.Background(), m)
		require.NoError(t, err)
		eventually(t, "the new message", func() bool { return second.different() > 0 })
		require.Equal(t, string(m.Body), string(second.all()[0].Body), "nothing comes twice")
	})
}

// committed adds up a group's offsets.
func committed(t *testing.T, c *target.Cluster, group, topic string) (sum int64) {
	queues, err := c.Queues(topic)
	require.NoError(t, err)
	for queue := range queues {
		offset, err := c.Committed(group, topic, queue)
		require.NoError(t, err)
		sum += max(offset, 0)
	}
	return sum
}
