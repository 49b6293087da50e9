// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.schedule.*, a pair for a delay level and a pair for a time of one's own.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	scheduledTopic = "TestTopic"
	timerTopic     = "TimerTopic"
	delayLevel     = 3 // ten seconds, unless broker.conf has other levels
	timerDelay     = 10 * time.Second
)

func scheduledMessage(topic string, i int) *primitive.Message {
	return newMessage(topic, "", "", fmt.Sprintf("Hello scheduled message %d", i))
}

// scheduledProducer prints all results in one line, as Java's does.
func scheduledProducer(servers primitive.NamesrvAddr) error {
	p, err := startProducer(servers, "ExampleProducerGroup")
	if err != nil {
		return err
	}
	return errors.Join(sendEach(p.SendSync, 100, 0, func(i int) *primitive.Message {
		return scheduledMessage(scheduledTopic, i).WithDelayTimeLevel(delayLevel)
	}, func(result *primitive.SendResult) { fmt.Print(formatSendResult(result)) }), p.Shutdown())
}

func timerProducer(servers primitive.NamesrvAddr) error {
	return produce(servers, "TimerMessageProducerGroup", 10, func(i int) *primitive.Message {
		return scheduledMessage(timerTopic, i).WithDelayTimestamp(time.Now().Add(timerDelay))
	})
}

// scheduledConsumer counts from when the Broker has delivered a message.
func scheduledConsumer(servers primitive.NamesrvAddr) error {
	return consume(servers, "ExampleConsumer", scheduledTopic, consumer.MessageSelector{}, "",
		lateness(func(m *primitive.MessageExt) int64 { return m.StoreTimestamp }))
}

// timerConsumer counts from when a message was sent.
func timerConsumer(servers primitive.NamesrvAddr) error {
	return consume(servers, "TimerMessageConsumerGroup", timerTopic, consumer.MessageSelector{}, "",
		lateness(func(m *primitive.MessageExt) int64 { return m.BornTimestamp }))
}

func lateness(since func(m *primitive.MessageExt) int64) listener {
	return func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range messages {
			fmt.Printf("Receive message[msgId=%s %d  ms later]\n", m.MsgId, time.Now().UnixMilli()-since(m))
		}
		return consumer.ConsumeSuccess, nil
	}
}
