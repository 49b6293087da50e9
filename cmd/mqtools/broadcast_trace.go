// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.broadcast.PushConsumer, tracemessage.TraceProducer and TracePushConsumer. The
// OpenTracing classes have no counterpart: the Go client has no such hooks.
package main

import (
	"errors"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

func broadcastConsumer(servers primitive.NamesrvAddr) error {
	const group = "please_rename_unique_group_name_1"
	return consume(servers, group, exampleTopic, tags("TagA || TagC || TagD"), "Broadcast Consumer Started.", printer(group),
		consumer.WithConsumerModel(consumer.BroadCasting), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
}

// trace sends to RMQ_SYS_TRACE_TOPIC of the same cluster.
func trace(servers primitive.NamesrvAddr) *primitive.TraceConfig {
	return &primitive.TraceConfig{GroupName: simpleGroup, Access: primitive.Local, NamesrvAddrs: servers}
}

// traceProducer stays a little when all is sent. The client sends traces in the background and tells nobody when it has;
// what it still holds at the program's end is lost.
func traceProducer(servers primitive.NamesrvAddr) error {
	p, err := startProducer(servers, simpleGroup, producer.WithTrace(trace(servers)))
	if err != nil {
		return err
	}
	err = sendAll(p, simpleMessages, 0, orderMessage)
	time.Sleep(3 * time.Second)
	return errors.Join(err, p.Shutdown())
}

func traceConsumer(servers primitive.NamesrvAddr) error {
	return consume(servers, simpleGroup, exampleTopic, consumer.MessageSelector{}, "Consumer Started.", printer(simpleGroup),
		consumer.WithTrace(trace(servers)), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
}
