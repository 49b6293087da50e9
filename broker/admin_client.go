// SPDX-License-Identifier: Apache-2.0

// GET_PRODUCER_CONNECTION_LIST(204), QUERY_TOPIC_CONSUME_BY_WHO(300), GET_SYSTEM_TOPIC_LIST_FROM_BROKER(305),
// GET_ALL_PRODUCER_INFO(328), QUERY_TOPICS_BY_CONSUMER(343), QUERY_SUBSCRIPTION_BY_CONSUMER(345). Sent by tools.
// Java: AdminBrokerProcessor.
// Outcomes: Success; 204: SystemError for a group without producers.

package broker

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

func (b *Broker) producerConnection(_ context.Context, c *remoting.Call, h *protocol.ProducerConnectionHeader) (*protocol.Empty, error) {
	clients := b.producers.Channels(h.ProducerGroup)
	if len(clients) == 0 {
		return nil, protocol.Errorf(protocol.SystemError, "the producer group[%s] not exist", h.ProducerGroup)
	}
	return nil, answerJSON(c, protocol.ProducerConnection{ConnectionSet: connectionsOf(clients)})
}

func (b *Broker) allProducers(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	body := protocol.ProducerTable{Data: map[string][]protocol.ProducerInfo{}}
	for group, clients := range b.producers.All() {
		for _, client := range clients {
			body.Data[group] = append(body.Data[group], protocol.ProducerInfo{
				ClientID: client.ClientID, Language: client.Language, LastUpdateTimeMs: client.LastSeenMs,
				RemoteIP: "/" + client.Peer.RemoteAddr(), Version: client.Version,
			})
		}
	}
	return nil, answerJSON(c, body)
}

// topicConsumers are the groups that subscribe to a topic now or have offsets for it. What broadcasting clients have
// reached is kept under a name that is no group's.
func (b *Broker) topicConsumers(_ context.Context, c *remoting.Call, h *protocol.TopicConsumersHeader) (*protocol.Empty, error) {
	groups := slices.Concat(b.consumers.SubscribersOf(h.Topic), b.offsets.GroupsOf(h.Topic))
	groups = slices.DeleteFunc(groups, func(name string) bool { return strings.HasSuffix(name, broadcastSuffix) })
	slices.Sort(groups)
	return nil, answerJSON(c, protocol.GroupList{GroupList: orEmpty(slices.Compact(groups))})
}

func (b *Broker) consumedTopics(_ context.Context, c *remoting.Call, h *protocol.ConsumedTopicsHeader) (*protocol.Empty, error) {
	return nil, answerJSON(c, protocol.TopicList{BrokerAddr: b.serveAddr(), TopicList: orEmpty(b.offsets.TopicsOf(h.Group))})
}

func (b *Broker) groupSubscription(_ context.Context, c *remoting.Call, h *protocol.GroupSubscriptionHeader) (*protocol.Empty, error) {
	body := protocol.GroupSubscription{Group: h.Group, Topic: h.Topic}
	if group, ok := b.consumers.Group(h.Group); ok {
		if sub, ok := group.Subscription(h.Topic); ok {
			printable := printableSubscription(sub)
			body.SubscriptionData = &printable
		}
	}
	return nil, answerJSON(c, body)
}

func (b *Broker) systemTopics(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	names := maps.Clone(message.SystemTopics)
	for _, topic := range systemTopics(b.cfg.Load()) {
		names[topic.TopicName] = true
	}
	names[checkpointTopic] = true
	return nil, answerJSON(c, protocol.TopicList{TopicList: slices.Sorted(maps.Keys(names))})
}

// orEmpty is a list that prints as one although nothing is in it.
func orEmpty(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
