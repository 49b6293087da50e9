// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.simple.*, as far as the Go client goes. It has no pop, balances no pulls, and assigns
// queues of one topic without an expression, so PopConsumer, PullScheduleService and
// LitePullConsumerAssignWithSubExpression have no counterpart; RandomAsyncCommit and CachedQueue are no programs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	simpleGroup    = "ProducerGroupName"
	simpleMessages = 128
	pullNumber     = 32
	pollTimeout    = 5 * time.Second
)

func orderMessage(int) *primitive.Message {
	return newMessage(exampleTopic, "TagA", "OrderID188", "Hello world")
}

func simpleProducer(servers primitive.NamesrvAddr) error {
	return produce(servers, simpleGroup, simpleMessages, orderMessage)
}

// asyncProducer waits for its answers for five seconds, as Java's does.
func asyncProducer(servers primitive.NamesrvAddr) error {
	const messages = 100
	p, err := startProducer(servers, "Jodie_Daily_test", producer.WithRetry(0))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var open sync.WaitGroup
	for i := range messages {
		m := newMessage("Jodie_topic_1023", "TagA", "OrderID188", "Hello world")
		open.Add(1)
		err := p.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) {
			defer open.Done()
			if err != nil {
				fmt.Printf("%-10d Exception %v \n", i, err)
				return
			}
			fmt.Printf("%-10d OK %s \n", i, result.MsgID)
		}, m)
		if err != nil {
			open.Done()
			fmt.Fprintf(os.Stderr, "Message %d was not sent: %v\n", i, err)
		}
	}
	answered := make(chan struct{})
	go func() {
		open.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
	}
	return p.Shutdown()
}

// onewayProducer prints nothing, and gives its messages five seconds to leave.
func onewayProducer(servers primitive.NamesrvAddr) error {
	p, err := startProducer(servers, exampleProducerGroup)
	if err != nil {
		return err
	}
	for i := range 100 {
		m := newMessage(exampleTopic, "TagA", "", fmt.Sprintf("Hello RocketMQ %d", i))
		if err := p.SendOneWay(context.Background(), m); err != nil {
			return errors.Join(fmt.Errorf("Message %d was not sent: %w", i, err), p.Shutdown())
		}
	}
	time.Sleep(5 * time.Second)
	return p.Shutdown()
}

func simplePushConsumer(servers primitive.NamesrvAddr) error {
	const group = "CID_JODIE_1"
	return consume(servers, group, exampleTopic, consumer.MessageSelector{}, "Consumer Started.", printer(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
}

// startPuller returns nil when the program is told to end before the topic is there.
func startPuller(ctx context.Context, servers primitive.NamesrvAddr, group string, subscribe func(rocketmq.PullConsumer) error, options ...consumer.Option) (rocketmq.PullConsumer, error) {
	options = append([]consumer.Option{consumer.WithNameServer(servers), consumer.WithGroupName(group)}, options...)
	return waitForTopic(ctx, servers, exampleTopic, func() (rocketmq.PullConsumer, error) {
		c, err := rocketmq.NewPullConsumer(options...)
		if err != nil {
			return nil, err
		}
		return c, subscribe(c)
	})
}

func subscribeAll(c rocketmq.PullConsumer) error {
	return c.Subscribe(exampleTopic, consumer.MessageSelector{})
}

// pullConsumer pulls all queues in turns and prints nothing, as Java's does; unlike Java's, it does not share them.
func pullConsumer(servers primitive.NamesrvAddr) error {
	ctx, stop := told()
	defer stop()
	c, err := startPuller(ctx, servers, "please_rename_unique_group_name_5", subscribeAll)
	if err != nil || c == nil {
		return err
	}
	queues, err := c.GetTopicRouteInfo(exampleTopic)
	if err != nil {
		return errors.Join(fmt.Errorf("The queues of %s are not known: %w", exampleTopic, err), c.Shutdown())
	}
	for ctx.Err() == nil {
		found, err := pullInTurns(ctx, c, queues)
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "The pull failed: %v\n", err)
			pause(ctx, time.Second)
		} else if !found {
			pause(ctx, 10*time.Millisecond)
		}
	}
	return c.Shutdown()
}

// pullInTurns pulls each queue once and notes how far that is, which for a queue without messages is where it began. The
// client commits what is noted every 5 s, and it is committed at once when there were messages.
func pullInTurns(ctx context.Context, c rocketmq.PullConsumer, queues []*primitive.MessageQueue) (found bool, err error) {
	for _, queue := range queues {
		offset, err := c.CurrentOffset(queue)
		if err == nil && offset < 0 {
			offset, err = c.OffsetForTimestamp(queue, time.Now().UnixMilli())
		}
		if err != nil {
			return found, err
		}
		result, err := c.PullFrom(ctx, queue, offset, pullNumber)
		if err != nil {
			return found, err
		}
		found = found || result.Status == primitive.PullFound
		if err := c.UpdateOffset(queue, result.NextBeginOffset); err != nil {
			return found, err
		}
	}
	if !found {
		return false, nil
	}
	return true, c.PersistOffset(ctx, exampleTopic)
}

func pause(ctx context.Context, how time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(how):
	}
}

func litePullSubscribe(servers primitive.NamesrvAddr) error {
	ctx, stop := told()
	defer stop()
	c, err := startPuller(ctx, servers, "lite_pull_consumer_test", subscribeAll, consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err != nil || c == nil {
		return err
	}
	pollAndPrint(ctx, c, "%s\n")
	return c.Shutdown()
}

// litePullAssign takes the first half of the queues, and the first of them from its offset 10 on.
func litePullAssign(servers primitive.NamesrvAddr) error {
	ctx, stop := told()
	defer stop()
	c, err := startPuller(ctx, servers, exampleProducerGroup, func(c rocketmq.PullConsumer) error { return c.Assign(exampleTopic, nil) })
	if err != nil || c == nil {
		return err
	}
	queues, err := c.GetTopicRouteInfo(exampleTopic)
	if err != nil {
		return errors.Join(fmt.Errorf("The queues of %s are not known: %w", exampleTopic, err), c.Shutdown())
	}
	if len(queues) < 2 {
		return errors.Join(fmt.Errorf("The topic %s has less than two queues to halve.", exampleTopic), c.Shutdown())
	}
	c.SeekOffset(queues[0], 10)
	if err := c.Assign(exampleTopic, queues[:len(queues)/2]); err != nil {
		return errors.Join(fmt.Errorf("The queues cannot be assigned: %w", err), c.Shutdown())
	}
	pollAndPrint(ctx, c, "%s \n")
	return c.Shutdown()
}

// pollAndPrint prints a list for each poll, an empty one where nothing came in time.
func pollAndPrint(ctx context.Context, c rocketmq.PullConsumer, line string) {
	for ctx.Err() == nil {
		batch, err := c.Poll(ctx, pollTimeout)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			fmt.Printf(line, "[]")
		default:
			fmt.Printf(line, formatMessages(batch.GetMQ().BrokerName, batch.GetMsgList()))
			c.ACK(ctx, batch, consumer.ConsumeSuccess)
		}
	}
}
