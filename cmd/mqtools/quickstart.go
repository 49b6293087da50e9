// SPDX-License-Identifier: Apache-2.0

// The first two programs that anybody runs. Java: org.apache.rocketmq.example.quickstart.Producer and Consumer.
// Same topic, groups, tag, bodies, number of messages and printed lines.
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	exampleTopic         = "TopicTest"
	exampleProducerGroup = "please_rename_unique_group_name"
	quickstartMessages   = 1000
)

// quickstartProducer sends 1,000 messages. As in Java, a failed one is followed by a second's pause.
func quickstartProducer(servers primitive.NamesrvAddr) error {
	p, err := startProducer(servers, exampleProducerGroup)
	if err != nil {
		return err
	}
	return errors.Join(sendAll(p, quickstartMessages, time.Second, func(i int) *primitive.Message {
		return newMessage(exampleTopic, "TagA", "", fmt.Sprintf("Hello RocketMQ %d", i))
	}), p.Shutdown())
}

func quickstartConsumer(servers primitive.NamesrvAddr) error {
	const group = "please_rename_unique_group_name_4"
	return consume(servers, group, exampleTopic, consumer.MessageSelector{}, "Consumer Started.", printer(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
}
