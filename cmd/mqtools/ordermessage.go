// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.ordermessage.Producer and Consumer.
package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// orderQueue sends all messages of one order to one queue. Messages go one after another, so the order is a field.
type orderQueue struct{ order int }

func (q *orderQueue) Select(_ *primitive.Message, queues []*primitive.MessageQueue, _ string) *primitive.MessageQueue {
	return queues[q.order%len(queues)]
}

func orderProducer(servers primitive.NamesrvAddr) error {
	queue := &orderQueue{}
	tags := []string{"TagA", "TagB", "TagC", "TagD", "TagE"}
	return produce(servers, exampleProducerGroup, 100, func(i int) *primitive.Message {
		queue.order = i % 10
		return newMessage("TopicTestjjj", tags[i%len(tags)], fmt.Sprintf("KEY%d", i), fmt.Sprintf("Hello RocketMQ %d", i))
	}, producer.WithQueueSelector(queue))
}

// orderConsumer puts its queue off for three seconds at every fifth call that is not also a second one, as Java's does.
func orderConsumer(servers primitive.NamesrvAddr) error {
	const group = "please_rename_unique_group_name_3"
	show := printer(group)
	var calls atomic.Int64
	return consume(servers, group, exampleTopic, tags("TagA || TagC || TagD"), "Consumer Started.",
		func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			if _, err := show(ctx, messages...); err != nil {
				return consumer.SuspendCurrentQueueAMoment, err
			}
			if call := calls.Add(1); call%2 == 0 || call%5 != 0 {
				return consumer.ConsumeSuccess, nil
			}
			return consumer.SuspendCurrentQueueAMoment, nil
		}, consumer.WithConsumerOrder(true), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithSuspendCurrentQueueTimeMillis(3*time.Second))
}

func tags(expression string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
}
