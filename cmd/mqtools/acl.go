// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.simple.AclClient. It signs a producer's, a push consumer's and a pull consumer's
// requests with one key pair.
package main

import (
	"context"
	"errors"
	"fmt"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

var aclKeys = primitive.Credentials{AccessKey: "RocketMQ", SecretKey: "1234567"}

func aclClient(servers primitive.NamesrvAddr) error {
	if err := produce(servers, simpleGroup, simpleMessages, orderMessage, producer.WithCredentials(aclKeys)); err != nil {
		return err
	}
	ctx, stop := told()
	defer stop()
	const group = "please_rename_unique_group_name_5"
	show := printer(group)
	push, err := startPushConsumer(ctx, servers, group, exampleTopic, consumer.MessageSelector{},
		func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			result, err := show(ctx, messages...)
			printBodies(messages)
			return result, err
		}, consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset), consumer.WithCredentials(aclKeys))
	if err != nil || push == nil {
		return err
	}
	fmt.Println("Consumer Started.")
	if err := aclPull(ctx, servers); err != nil {
		return errors.Join(err, push.Shutdown())
	}
	<-ctx.Done()
	return push.Shutdown()
}

// aclPull reads each queue to its end.
func aclPull(ctx context.Context, servers primitive.NamesrvAddr) error {
	c, err := startPuller(ctx, servers, "please_rename_unique_group_name_6", subscribeAll, consumer.WithCredentials(aclKeys))
	if err != nil || c == nil {
		return err
	}
	queues, err := c.GetTopicRouteInfo(exampleTopic)
	if err != nil {
		return errors.Join(fmt.Errorf("The queues of %s are not known: %w", exampleTopic, err), c.Shutdown())
	}
	for _, queue := range queues {
		if err := aclPullQueue(ctx, c, queue); err != nil {
			return errors.Join(fmt.Errorf("The pull failed: %w", err), c.Shutdown())
		}
	}
	return c.Shutdown()
}

func aclPullQueue(ctx context.Context, c rocketmq.PullConsumer, queue *primitive.MessageQueue) error {
	fmt.Println("Consume from the queue: " + queue.String())
	for next := int64(0); ctx.Err() == nil; {
		result, err := c.PullFrom(ctx, queue, next, pullNumber)
		if err != nil {
			return err
		}
		fmt.Println(formatPullResult(result))
		next = result.NextBeginOffset
		printBodies(result.GetMessageExts())
		if result.Status == primitive.PullNoNewMsg {
			return nil
		}
	}
	return nil
}

func printBodies(messages []*primitive.MessageExt) {
	for _, m := range messages {
		fmt.Printf("msgId : %s  body : %s  \n\r", m.MsgId, m.Body)
	}
}
