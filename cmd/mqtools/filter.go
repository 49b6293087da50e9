// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.filter.*. The SQL92 pair needs enablePropertyFilter=true in broker.conf.
package main

import (
	"fmt"
	"strconv"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	tagFilterTopic = "TagFilterTest"
	sqlFilterTopic = "SqlFilterTest"
)

var filterTags = []string{"TagA", "TagB", "TagC"}

func tagFilterProducer(servers primitive.NamesrvAddr) error {
	return produce(servers, exampleProducerGroup, 60, func(i int) *primitive.Message {
		return newMessage(tagFilterTopic, filterTags[i%len(filterTags)], "", "Hello world")
	})
}

func tagFilterConsumer(servers primitive.NamesrvAddr) error {
	return consume(servers, exampleProducerGroup, tagFilterTopic, tags("TagA || TagC"), "Consumer Started.", printer(exampleProducerGroup))
}

func sqlFilterProducer(servers primitive.NamesrvAddr) error {
	return produce(servers, exampleProducerGroup, 10, func(i int) *primitive.Message {
		m := newMessage(sqlFilterTopic, filterTags[i%len(filterTags)], "", fmt.Sprintf("Hello RocketMQ %d", i))
		m.WithProperty("a", strconv.Itoa(i))
		return m
	})
}

func sqlFilterConsumer(servers primitive.NamesrvAddr) error {
	return consume(servers, exampleProducerGroup, sqlFilterTopic, consumer.MessageSelector{Type: consumer.SQL92,
		Expression: "(TAGS is not null and TAGS in ('TagA', 'TagB'))and (a is not null and a between 0 and 3)"},
		"Consumer Started.", printer(exampleProducerGroup))
}
