// SPDX-License-Identifier: Apache-2.0

// What the programs have in common: a started producer, and a consumer that prints until it is told to end.
package main

import (
	"context"
	"errors"
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
	sendTimeout     = 20 * time.Second
	consumerThreads = 20 // the Java consumer's threads, whose numbers the lines show
)

type (
	listener = func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)
	sender   = func(context.Context, ...*primitive.Message) (*primitive.SendResult, error)
	starter  interface{ Start() error }
)

func newMessage(topic, tag, key, body string) *primitive.Message {
	m := primitive.NewMessage(topic, []byte(body))
	if tag != "" {
		m.WithTag(tag)
	}
	if key != "" {
		m.WithKeys([]string{key})
	}
	m.WithProperty(primitive.PropertyWaitStoreMsgOk, "true")
	return m
}

// startProducer returns a producer that its caller shuts down.
func startProducer(servers primitive.NamesrvAddr, group string, options ...producer.Option) (rocketmq.Producer, error) {
	return startMade(rocketmq.NewProducer(producerOptions(servers, group, options...)...))
}

func producerOptions(servers primitive.NamesrvAddr, group string, options ...producer.Option) []producer.Option {
	return append([]producer.Option{producer.WithNameServer(servers), producer.WithGroupName(group),
		producer.WithSendMsgTimeout(sendTimeout), producer.WithRetry(2)}, options...)
}

// startMade starts what a constructor has returned.
func startMade[P starter](p P, err error) (none P, _ error) {
	if err != nil {
		return none, fmt.Errorf("The producer cannot be made: %w", err)
	}
	if err := p.Start(); err != nil {
		return none, fmt.Errorf("The producer cannot start: %w", err)
	}
	return p, nil
}

// sendAll sends count messages one by one and prints each result. A failed one is reported and followed by a pause.
func sendAll(p rocketmq.Producer, count int, pause time.Duration, message func(i int) *primitive.Message) error {
	return sendEach(p.SendSync, count, pause, message, func(result *primitive.SendResult) { fmt.Println(formatSendResult(result)) })
}

func sendEach(send sender, count int, pause time.Duration, message func(i int) *primitive.Message, show func(*primitive.SendResult)) error {
	failed := 0
	for i := range count {
		result, err := send(context.Background(), message(i))
		if err != nil {
			failed++
			fmt.Fprintf(os.Stderr, "Message %d was not sent: %v\n", i, err)
			time.Sleep(pause)
			continue
		}
		show(result)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d messages were not sent.", failed, count)
	}
	return nil
}

// produce is a whole program that starts, sends and ends.
func produce(servers primitive.NamesrvAddr, group string, count int, message func(i int) *primitive.Message, options ...producer.Option) error {
	p, err := startProducer(servers, group, options...)
	if err != nil {
		return err
	}
	return errors.Join(sendAll(p, count, 0, message), p.Shutdown())
}

// consume is a whole program that prints what arrives until it is told to end. Not every one says that it has started.
func consume(servers primitive.NamesrvAddr, group, topic string, selector consumer.MessageSelector, started string, listen listener, options ...consumer.Option) error {
	ctx, stop := told()
	defer stop()
	c, err := startPushConsumer(ctx, servers, group, topic, selector, listen, options...)
	if err != nil || c == nil {
		return err
	}
	if started != "" {
		fmt.Println(started)
	}
	<-ctx.Done()
	return c.Shutdown()
}

// told ends its context when the user ends the program.
func told() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// startPushConsumer returns nil when the program is told to end before the topic is there.
func startPushConsumer(ctx context.Context, servers primitive.NamesrvAddr, group, topic string, selector consumer.MessageSelector, listen listener, options ...consumer.Option) (rocketmq.PushConsumer, error) {
	options = append([]consumer.Option{consumer.WithNameServer(servers), consumer.WithGroupName(group),
		consumer.WithConsumeGoroutineNums(consumerThreads)}, options...)
	return waitForTopic(ctx, servers, topic, func() (rocketmq.PushConsumer, error) {
		c, err := rocketmq.NewPushConsumer(options...)
		if err != nil {
			return nil, err
		}
		return c, c.Subscribe(topic, selector, listen)
	})
}

// waitForTopic starts a consumer once its topic has a route, where the Go client's own start gives up.
func waitForTopic[C starter](ctx context.Context, servers primitive.NamesrvAddr, topic string, build func() (C, error)) (none C, _ error) {
	for said := false; ; {
		c, err := build()
		if err != nil {
			return none, fmt.Errorf("The consumer cannot be made: %w", err)
		}
		err = c.Start()
		if err == nil {
			return c, nil
		}
		if !strings.Contains(err.Error(), "route info not found") {
			return none, fmt.Errorf("The consumer cannot start: %w", err)
		}
		if !said {
			said = true
			fmt.Fprintf(os.Stderr, "The topic %s has no route at %s yet: waiting for it.\n", topic, strings.Join(servers, ";"))
		}
		select {
		case <-ctx.Done():
			return none, nil
		case <-time.After(time.Second):
		}
	}
}

// printer numbers its lines as Java's pool of threads would.
func printer(group string) listener {
	var printed atomic.Int64
	return func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		brokerName := ""
		if c, ok := primitive.GetConcurrentlyCtx(ctx); ok {
			brokerName = c.MQ.BrokerName
		}
		if c, ok := primitive.GetOrderlyCtx(ctx); ok {
			brokerName = c.MQ.BrokerName
		}
		thread := (printed.Add(1)-1)%consumerThreads + 1
		fmt.Printf("ConsumeMessageThread_%s_%d Receive New Messages: %s \n", group, thread, formatMessages(brokerName, messages))
		return consumer.ConsumeSuccess, nil
	}
}
