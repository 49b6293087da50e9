// SPDX-License-Identifier: Apache-2.0

// Questions to a cluster in the protocol itself: what clients do not show, and nothing that a client might do better.

package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

// readerGroup is the consumer group that reads for the tests. Java wants a group that it knows or may create.
const readerGroup = "conformance_reader"

// call sends one request on a connection of its own and demands success.
func call[Result any](addr string, cmd *protocol.Command) (*Result, []byte, error) {
	answer, err := ask(addr, cmd)
	if err != nil {
		return nil, nil, err
	}
	if answer.Code != protocol.Success {
		return nil, nil, refused(cmd, answer)
	}
	result := new(Result)
	if err := protocol.CodecOf[Result]("rmq").Decode(answer.Fields, result); err != nil {
		return nil, nil, err
	}
	return result, answer.Body, nil
}

// Ask sends a request to the Broker, on a connection of its own.
func (c *Cluster) Ask(cmd *protocol.Command) (*protocol.Command, error) {
	return ask(c.Broker.Addr, cmd)
}

func ask(addr string, cmd *protocol.Command) (*protocol.Command, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), new(net.Dialer).DialContext)
	defer client.Close()
	return client.Call(ctx, addr, cmd)
}

func refused(cmd, answer *protocol.Command) error {
	return fmt.Errorf("%s: answer %d: %s", protocol.RequestName(cmd.Code), answer.Code, answer.Remark)
}

// poll repeats cond until it holds.
func poll(what string, cond func() (bool, error)) error {
	deadline := time.Now().Add(Patience)
	for {
		ok, err := cond()
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("waited %v in vain: %s", Patience, what), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// WaitRegistered waits until the NameServer lists the Broker: a boot line only says that the port answers.
func (c *Cluster) WaitRegistered() error {
	return poll("the Broker at the NameServer", func() (bool, error) {
		_, body, err := call[protocol.Empty](c.Names.Addr, protocol.NewRequest[protocol.Empty](protocol.GetBrokerClusterInfo, nil))
		if err != nil {
			return false, err
		}
		var info protocol.ClusterInfo
		if err := fastjson.Unmarshal(body, &info); err != nil {
			return false, err
		}
		return len(info.BrokerAddrTable) > 0, nil
	})
}

// CreateTopic makes a topic and waits for its route.
func (c *Cluster) CreateTopic(topic string, queues int32) error {
	_, _, err := call[protocol.Empty](c.Broker.Addr, protocol.NewRequest(protocol.UpdateAndCreateTopic, &protocol.CreateTopicHeader{
		Topic: topic, DefaultTopic: message.DefaultTopic, ReadQueueNums: queues, WriteQueueNums: queues,
		Perm: protocol.PermRead | protocol.PermWrite, TopicFilterType: protocol.SingleTag,
	}))
	if err != nil {
		return err
	}
	return c.WaitRoute(topic)
}

// OrderTopic gives a topic an order configuration: clients send to that many of the Broker's queues, and count on them.
func (c *Cluster) OrderTopic(topic string, queues int32) error {
	_, _, err := call[protocol.Empty](c.Names.Addr, protocol.NewRequest(protocol.PutKVConfig, &protocol.PutKVConfigHeader{
		Namespace: protocol.NamespaceOrderTopic, Key: topic, Value: fmt.Sprintf("broker-a:%d", queues),
	}))
	return err
}

// WaitRoute waits until the NameServer knows where a topic is.
func (c *Cluster) WaitRoute(topic string) error {
	return poll("the route of "+topic, func() (bool, error) {
		_, err := c.Queues(topic)
		return err == nil, err
	})
}

// Queues asks the NameServer for the number of a topic's queues.
func (c *Cluster) Queues(topic string) (int32, error) {
	_, body, err := call[protocol.Empty](c.Names.Addr, protocol.NewRequest(protocol.GetRouteInfoByTopic, &protocol.RouteHeader{Topic: topic}))
	if err != nil {
		return 0, err
	}
	var route protocol.TopicRoute
	if err := fastjson.Unmarshal(body, &route); err != nil {
		return 0, err
	}
	if len(route.QueueDatas) != 1 {
		return 0, fmt.Errorf("the route of %s has %d brokers", topic, len(route.QueueDatas))
	}
	return route.QueueDatas[0].ReadQueueNums, nil
}

// Range asks the Broker for a queue's first offset and the one after its last.
func (c *Cluster) Range(topic string, queue int32) (low, high int64, err error) {
	first, _, err := call[protocol.GetMinOffsetResult](c.Broker.Addr, protocol.NewRequest(protocol.GetMinOffset, &protocol.GetMinOffsetHeader{Topic: topic, QueueID: queue}))
	if err != nil {
		return 0, 0, err
	}
	end, _, err := call[protocol.GetMaxOffsetResult](c.Broker.Addr, protocol.NewRequest(protocol.GetMaxOffset, &protocol.GetMaxOffsetHeader{Topic: topic, QueueID: queue}))
	if err != nil {
		return 0, 0, err
	}
	return first.Offset, end.Offset, nil
}

// Stored is how many messages all queues of a topic hold.
func (c *Cluster) Stored(topic string) (int64, error) {
	queues, err := c.Queues(topic)
	if err != nil {
		return 0, err
	}
	var sum int64
	for queue := range queues {
		low, high, err := c.Range(topic, queue)
		if err != nil {
			return 0, err
		}
		sum += high - low
	}
	return sum, nil
}

// WaitStored waits until all queues of a topic together hold at least count messages.
func (c *Cluster) WaitStored(topic string, count int64) error {
	return poll(fmt.Sprintf("%d messages in %s", count, topic), func() (bool, error) {
		held, err := c.Stored(topic)
		return err == nil && held >= count, err
	})
}

// Committed asks for a group's offset on a queue; -1 where it has none.
func (c *Cluster) Committed(group, topic string, queue int32) (int64, error) {
	cmd := protocol.NewRequest(protocol.QueryConsumerOffset, &protocol.QueryConsumerOffsetHeader{ConsumerGroup: group, Topic: topic, QueueID: queue})
	answer, err := ask(c.Broker.Addr, cmd)
	switch {
	case err != nil:
		return 0, err
	case answer.Code == protocol.QueryNotFound:
		return -1, nil
	case answer.Code != protocol.Success:
		return 0, refused(cmd, answer)
	}
	var result protocol.QueryConsumerOffsetResult
	err = protocol.CodecOf[protocol.QueryConsumerOffsetResult]("rmq").Decode(answer.Fields, &result)
	return result.Offset, err
}

// Record is one stored message, decoded, with the bytes that stand in the log.
type Record struct {
	message.Message
	Raw []byte
}

// Read pulls everything that a topic holds, queue by queue in order.
func (c *Cluster) Read(topic string) ([]Record, error) {
	queues, err := c.Queues(topic)
	if err != nil {
		return nil, err
	}
	var all []Record
	for queue := range queues {
		if all, err = c.readQueue(all, topic, queue); err != nil {
			return nil, fmt.Errorf("%s, queue %d: %w", topic, queue, err)
		}
	}
	return all, nil
}

func (c *Cluster) readQueue(all []Record, topic string, queue int32) ([]Record, error) {
	next, end, err := c.Range(topic, queue)
	if err != nil {
		return nil, err
	}
	for next < end {
		result, body, err := call[protocol.PullResult](c.Broker.Addr, protocol.NewRequest(protocol.PullMessage, &protocol.PullHeader{
			ConsumerGroup: readerGroup, Topic: topic, QueueID: queue, QueueOffset: next, MaxMsgNums: 32,
			SysFlag: protocol.PullFlagSubscription, Subscription: "*", ExpressionType: "TAG",
		}))
		if err != nil {
			return nil, fmt.Errorf("offset %d of %d: %w", next, end, err)
		}
		for len(body) > 0 {
			if len(body) < message.PeekBytes || int(message.RecordSize(body)) > len(body) {
				return nil, fmt.Errorf("offset %d: %d bytes are no message", next, len(body))
			}
			r := Record{Raw: body[:message.RecordSize(body)]}
			if err := message.DecodeRecord(r.Raw, &r.Message); err != nil {
				return nil, fmt.Errorf("offset %d: %w", next, err)
			}
			if r.QueueOffset != next || r.QueueID != queue || r.Topic != topic {
				return nil, fmt.Errorf("offset %d: the message says %s, queue %d, offset %d", next, r.Topic, r.QueueID, r.QueueOffset)
			}
			all, body, next = append(all, r), body[len(r.Raw):], next+1
		}
		if result.NextBeginOffset != next {
			return nil, fmt.Errorf("the next offset should be %d, not %d", next, result.NextBeginOffset)
		}
	}
	return all, nil
}
