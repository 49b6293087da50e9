// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/conformance/target"
	"rocketd/protocol"
)

// mustAsk sends the Broker a request with a JSON body, or none, and demands success.
func mustAsk(t *testing.T, c *target.Cluster, cmd *protocol.Command, body any) {
	t.Helper()
	if body != nil {
		text, err := fastjson.Marshal(body)
		require.NoError(t, err)
		cmd.Body = text
	}
	answer, err := c.Ask(cmd)
	require.NoError(t, err)
	require.Equal(t, protocol.Success, answer.Code, answer.Remark)
}

// newGroup creates a consumer group.
func newGroup(t *testing.T, c *target.Cluster, change func(*protocol.GroupConfig)) string {
	group := protocol.NewGroupConfig(unique(t, "group"))
	change(group)
	mustAsk(t, c, protocol.NewRequest[protocol.Empty](protocol.UpdateAndCreateSubscriptionGroup, nil), group)
	return group.GroupName
}

// sendBack returns messages as a consumer that could not consume them.
func sendBack(t *testing.T, c *target.Cluster, group string, records []target.Record, most *int32) {
	for _, r := range records {
		mustAsk(t, c, protocol.NewRequest(protocol.ConsumerSendMsgBack, &protocol.SendBackHeader{
			PhyOffset: r.PhyOffset, Group: group, OriginTopic: r.Topic, MaxReconsumeTimes: most,
		}), nil)
	}
}

// requireTried demands messages that have come back so often, with a delay level.
func requireTried(t *testing.T, records []target.Record, times int32, level string) {
	t.Helper()
	for _, r := range records {
		require.Equal(t, times, r.ReconsumeTimes)
		delay, _ := r.Property("DELAY")
		require.Equal(t, level, delay)
	}
}

// Where the client names no maximum, the group's counts, whatever its retry policy: policies are for the Proxy, and
// the delay goes by the number of tries. The retries are spread over the group's retry queues.
func TestRetriesOfAGroup(t *testing.T) {
	policies := map[string]*protocol.RetryPolicy{
		"customized":  {Type: protocol.RetryCustomized, CustomizedRetryPolicy: &protocol.CustomizedRetry{NextMs: []int64{3_600_000}}},
		"exponential": {Type: protocol.RetryExponential, ExponentialRetryPolicy: &protocol.ExponentialRetry{InitialMs: 3_600_000, MaxMs: 7_200_000, Multiplier: 2}},
		"none":        nil,
	}
	each(t, func(t *testing.T, c *target.Cluster) {
		const count, queues, most = 16, 3, 2
		topic, p := newTopic(t, c, 1), newProducer(t, c)
		mustSend(t, p, topic, count)
		sent := stored(t, c, topic, count)
		for name, policy := range policies {
			t.Run(name, func(t *testing.T) {
				group := newGroup(t, c, func(cfg *protocol.GroupConfig) {
					cfg.RetryMaxTimes, cfg.RetryQueueNums, cfg.GroupRetryPolicy = most, queues, policy
				})
				retry, dead := "%RETRY%"+group, "%DLQ%"+group
				round := sent
				seen := map[string]bool{}
				for try := range int32(most) {
					sendBack(t, c, group, round, nil)
					require.NoError(t, c.WaitRoute(retry))
					round = nil
					used := map[int32]bool{}
					for _, r := range stored(t, c, retry, count*int(try+1)) {
						if id := fmt.Sprint(r.PhyOffset); !seen[id] {
							seen[id], used[r.QueueID] = true, true
							round = append(round, r)
						}
					}
					require.Equal(t, count, len(round)) //nolint:testifylint // Len prints all of them
					requireTried(t, round, try+1, fmt.Sprint(3+try))
					require.Greater(t, len(used), 1, "the retries lie in more than one queue")
				}
				has, err := c.Queues(retry)
				require.NoError(t, err)
				require.EqualValues(t, queues, has)
				sendBack(t, c, group, round, nil)
				require.NoError(t, c.WaitRoute(dead))
				requireTried(t, stored(t, c, dead, count), most+1, "0")
			})
		}
	})
}

// A client's own maximum counts in place of the group's, be it lower or higher.
func TestRetriesOfAClient(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 4
		topic, p := newTopic(t, c, 1), newProducer(t, c)
		mustSend(t, p, topic, count)
		sent := stored(t, c, topic, count)
		patient := newGroup(t, c, func(cfg *protocol.GroupConfig) { cfg.RetryMaxTimes = 16 })
		sendBack(t, c, patient, sent, new(int32(0)))
		require.NoError(t, c.WaitRoute("%DLQ%"+patient))
		requireTried(t, stored(t, c, "%DLQ%"+patient, count), 1, "0")
		hasty := newGroup(t, c, func(cfg *protocol.GroupConfig) { cfg.RetryMaxTimes = 0 })
		sendBack(t, c, hasty, sent, new(int32(1)))
		require.NoError(t, c.WaitRoute("%RETRY%"+hasty))
		requireTried(t, stored(t, c, "%RETRY%"+hasty, count), 1, "3")
	})
}

// While a member of a group holds a queue, what the group sends to its retry topic is a dead letter at once: a later try
// would be out of order.
func TestRetriesOfAnOrderlyGroup(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		topic := newTopic(t, c, 1)
		group := newGroup(t, c, func(cfg *protocol.GroupConfig) { cfg.ConsumeMessageOrderly = true })
		prepareGroup(t, c, group)
		holds := protocol.LockBatch{ClientID: "member", ConsumerGroup: group, MQSet: []protocol.MessageQueue{{Topic: topic, BrokerName: "broker-a"}}}
		again := func() {
			send := protocol.NewRequest(protocol.SendMessage, &protocol.SendHeader{
				ProducerGroup: group, Topic: "%RETRY%" + group, DefaultTopic: "TBW102", DefaultTopicQueueNums: 4, BornTimestampMs: 1, ReconsumeTimes: 1,
				Properties: "RETRY_TOPIC\x01" + topic + "\x02DELAY\x014\x02", MaxReconsumeTimes: new(int32(16)),
			})
			send.Body = []byte("again")
			mustAsk(t, c, send, nil)
		}
		mustAsk(t, c, protocol.NewRequest[protocol.Empty](protocol.LockBatchMQ, nil), holds)
		again()
		require.NoError(t, c.WaitRoute("%DLQ%"+group))
		requireTried(t, stored(t, c, "%DLQ%"+group, 1), 1, "-1")
		mustAsk(t, c, protocol.NewRequest[protocol.Empty](protocol.UnlockBatchMQ, nil), holds)
		again()
		requireTried(t, stored(t, c, "%RETRY%"+group, 1), 1, "4")
		held, err := c.Stored("%DLQ%" + group)
		require.NoError(t, err)
		require.EqualValues(t, 1, held)
	})
}

// Dead letters are consumed like other messages, and sent again to where they came from.
func TestDeadLettersAreSentAgain(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		const count = 10
		topic, group, p := newTopic(t, c, 2), unique(t, "group"), newProducer(t, c)
		prepareGroup(t, c, group)
		var healed atomic.Bool
		got := newInbox()
		newConsumer(t, c, group, topic, everything, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			if !healed.Load() {
				return consumer.ConsumeRetryLater, nil
			}
			return got.consume(ctx, messages...)
		}, consumer.WithMaxReconsumeTimes(1))
		mustSend(t, p, topic, count)
		dead := "%DLQ%" + group
		require.NoError(t, c.WaitRoute(dead))
		require.NoError(t, c.WaitStored(dead, count))
		healed.Store(true)

		var once sync.Map
		newConsumer(t, c, unique(t, "group"), dead, everything, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range messages {
				if _, done := once.LoadOrStore(m.OffsetMsgId, true); done {
					continue
				}
				if _, err := p.SendSync(ctx, primitive.NewMessage(m.GetProperty("RETRY_TOPIC"), m.Body)); err != nil {
					return consumer.ConsumeRetryLater, err
				}
			}
			return consumer.ConsumeSuccess, nil
		})
		eventually(t, "every message once more", func() bool { return got.different() == count })
		for _, m := range got.all() {
			require.Equal(t, topic, m.Topic)
			require.Zero(t, m.ReconsumeTimes)
		}
	})
}
