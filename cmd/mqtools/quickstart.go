// SPDX-License-Identifier: Apache-2.0

// The first two programs that anybody runs. Java: org.apache.rocketmq.example.quickstart.Producer and Consumer.
// Same topic, groups, tag, bodies, number of messages and printed lines.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	quickstartTopic         = "TopicTest"
	quickstartTag           = "TagA"
	quickstartProducerGroup = "please_rename_unique_group_name"
	quickstartConsumerGroup = "please_rename_unique_group_name_4"
	quickstartMessages      = 1000
	quickstartThreads       = 20 // the Java consumer's threads, whose numbers the lines show
	quickstartSendTimeout   = 20 * time.Second
)

// quickstartProducer sends 1,000 messages. As in Java, a failed one is reported and followed by a second's pause.
func quickstartProducer([]string) error {
	servers, err := nameServers()
	if err != nil {
		return err
	}
	p, err := rocketmq.NewProducer(producer.WithNameServer(servers), producer.WithGroupName(quickstartProducerGroup),
		producer.WithSendMsgTimeout(quickstartSendTimeout), producer.WithRetry(2))
	if err != nil {
		return fmt.Errorf("The producer cannot be made: %w", err)
	}
	if err := p.Start(); err != nil {
		return fmt.Errorf("The producer cannot start: %w", err)
	}
	defer func() { _ = p.Shutdown() }() // the program ends
	failed := 0
	for i := range quickstartMessages {
		m := primitive.NewMessage(quickstartTopic, fmt.Appendf(nil, "Hello RocketMQ %d", i)).WithTag(quickstartTag)
		m.WithProperty(primitive.PropertyWaitStoreMsgOk, "true")
		result, err := p.SendSync(context.Background(), m)
		if err != nil {
			failed++
			fmt.Fprintf(os.Stderr, "Message %d was not sent to %s: %v\n", i, strings.Join(servers, ";"), err)
			time.Sleep(time.Second)
			continue
		}
		fmt.Println(formatSendResult(result))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d messages were not sent.", failed, quickstartMessages)
	}
	return nil
}

// quickstartConsumer prints what arrives until it is told to end.
func quickstartConsumer([]string) error {
	servers, err := nameServers()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := startConsumer(ctx, servers)
	if err != nil || c == nil {
		return err
	}
	fmt.Println("Consumer Started.")
	<-ctx.Done()
	return c.Shutdown()
}

// startConsumer waits for the topic, where the Go client's own start gives up. It returns nil when told to end.
func startConsumer(ctx context.Context, servers primitive.NamesrvAddr) (rocketmq.PushConsumer, error) {
	for told := false; ; {
		c, err := rocketmq.NewPushConsumer(consumer.WithNameServer(servers), consumer.WithGroupName(quickstartConsumerGroup),
			consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset), consumer.WithConsumeGoroutineNums(quickstartThreads))
		if err != nil {
			return nil, fmt.Errorf("The consumer cannot be made: %w", err)
		}
		if err := c.Subscribe(quickstartTopic, consumer.MessageSelector{}, printMessages); err != nil {
			return nil, fmt.Errorf("The consumer cannot subscribe: %w", err)
		}
		err = c.Start()
		if err == nil {
			return c, nil
		}
		if !strings.Contains(err.Error(), "route info not found") {
			return nil, fmt.Errorf("The consumer cannot start: %w", err)
		}
		if !told {
			told = true
			fmt.Fprintf(os.Stderr, "The topic %s has no route at %s yet: waiting for it.\n", quickstartTopic, strings.Join(servers, ";"))
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(time.Second):
		}
	}
}

var printed atomic.Int64

// printMessages numbers its lines as Java's pool of twenty threads would.
func printMessages(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	brokerName := ""
	if c, ok := primitive.GetConcurrentlyCtx(ctx); ok {
		brokerName = c.MQ.BrokerName
	}
	thread := (printed.Add(1)-1)%quickstartThreads + 1
	fmt.Printf("ConsumeMessageThread_%s_%d Receive New Messages: %s \n", quickstartConsumerGroup, thread, formatMessages(brokerName, messages))
	return consumer.ConsumeSuccess, nil
}
