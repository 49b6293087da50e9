// SPDX-License-Identifier: Apache-2.0

// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP(200), GET_ALL_SUBSCRIPTIONGROUP_CONFIG(201), DELETE_SUBSCRIPTIONGROUP(207),
// GET_CONSUME_STATS(208), UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST(225), GET_SUBSCRIPTIONGROUP_CONFIG(352),
// UPDATE_AND_GET_GROUP_FORBIDDEN(353), GET_BROKER_CONSUME_STATS(317).
// Sent by tools.
// Java: AdminBrokerProcessor.
// Outcomes: Success; InvalidParameter for names and numbers; SystemError for attributes; 352:
// SubscriptionGroupNotExist.
// Deviations: Java takes any number of retry queues; a list that has one bad group creates none here.

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

func (b *Broker) createGroup(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	cfg := protocol.NewGroupConfig("")
	if err := requestJSON(c, cfg); err != nil {
		return nil, err
	}
	return nil, b.putGroups([]*protocol.GroupConfig{cfg})
}

func (b *Broker) createGroupList(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	var body protocol.GroupConfigList
	if err := requestJSON(c, &body); err != nil {
		return nil, err
	}
	if len(body.GroupConfigList) > maxTopicList {
		return nil, protocol.Errorf(protocol.InvalidParameter, "%d groups are too many for one request, at most %d are allowed", len(body.GroupConfigList), maxTopicList)
	}
	return nil, b.putGroups(body.GroupConfigList)
}

// putGroups creates or updates groups whose attributes are alterations.
func (b *Broker) putGroups(cfgs []*protocol.GroupConfig) error {
	for _, cfg := range cfgs {
		if err := checkGroup(cfg); err != nil {
			return err
		}
	}
	for _, cfg := range cfgs {
		old, exists := b.groups.Get(cfg.GroupName)
		var current map[string]string
		if exists {
			current = old.Attributes
		}
		attributes, err := alterAttributes(!exists, groupAttributes, current, cfg.Attributes)
		if err != nil {
			return err
		}
		cfg.Attributes = attributes
	}
	return b.groups.PutAll(cfgs)
}

func checkGroup(cfg *protocol.GroupConfig) error {
	if cfg == nil {
		return protocol.Errorf(protocol.InvalidParameter, "the list has a group that is null")
	}
	if err := message.ValidGroup(cfg.GroupName); err != nil {
		return protocol.Errorf(protocol.InvalidParameter, "%v", err)
	}
	if cfg.RetryQueueNums < 0 || cfg.RetryQueueNums > maxTopicQueues {
		return protocol.Errorf(protocol.InvalidParameter, "The group[%s] cannot have %d retry queues, from 0 to %d are allowed.", cfg.GroupName, cfg.RetryQueueNums, maxTopicQueues)
	}
	return nil
}

// deleteGroup forgets a group, and its offsets if asked to. Its members go on until they pull again.
func (b *Broker) deleteGroup(_ context.Context, _ *remoting.Call, req *protocol.DeleteGroupHeader) (*protocol.Empty, error) {
	if err := b.groups.Delete(req.GroupName); err != nil {
		return nil, err
	}
	if req.CleanOffset {
		b.offsets.DeleteGroup(req.GroupName)
	}
	return nil, nil
}

// groupForbidden says whether a group may read a topic, and changes it if asked to.
func (b *Broker) groupForbidden(_ context.Context, c *remoting.Call, req *protocol.GroupForbiddenHeader) (*protocol.Empty, error) {
	if req.Readable != nil {
		if message.ValidGroup(req.Group) != nil || !message.SafeName(req.Topic) {
			return nil, protocol.Errorf(protocol.InvalidParameter, "group %q and topic %q cannot be the names of any", req.Group, req.Topic)
		}
		if err := b.groups.Forbid(req.Group, req.Topic, protocol.PermRead, !*req.Readable); err != nil {
			return nil, err
		}
	}
	readable := b.groups.ForbiddenTable()[req.Group][req.Topic]&protocol.PermRead == 0
	return nil, answerJSON(c, protocol.GroupForbidden{Group: req.Group, Readable: readable, Topic: req.Topic})
}

// allGroupConfig answers with all groups, or with the page that newer tools ask for.
func (b *Broker) allGroupConfig(_ context.Context, c *remoting.Call, req *protocol.GroupConfigTableHeader) (*protocol.GroupConfigTableResult, error) {
	groups, version := b.groups.All()
	total := int32(len(groups))
	part, err := page(groups, req.GroupSeq, req.MaxGroupNum, req.DataVersion, version)
	if err != nil {
		return nil, err
	}
	body := protocol.GroupConfigTable{
		DataVersion:            version,
		ForbiddenTable:         b.groups.ForbiddenTable(),
		SubscriptionGroupTable: part,
	}
	return &protocol.GroupConfigTableResult{TotalGroupNum: &total}, answerJSON(c, body)
}

// groupConfig answers with one group's settings. As in Java, asking creates a group that may be created.
func (b *Broker) groupConfig(_ context.Context, c *remoting.Call, req *protocol.GetGroupConfigHeader) (*protocol.Empty, error) {
	cfg, ok := b.findGroup(req.Group)
	if !ok {
		return nil, protocol.Errorf(protocol.SubscriptionGroupNotExist, "No group in this broker")
	}
	return nil, answerJSON(c, cfg)
}

// consumeStats answers how far a group is behind, for the topics asked for or all that it has
// offsets for. Topics that are gone, or that the group's members no longer subscribe to, are left out.
func (b *Broker) consumeStats(_ context.Context, c *remoting.Call, req *protocol.ConsumeStatsHeader) (*protocol.Empty, error) {
	topics := b.offsets.TopicsOf(req.ConsumerGroup)
	switch {
	case req.TopicList != "":
		topics = strings.Split(req.TopicList, ";")
		slices.Sort(topics)
		topics = slices.Compact(topics)
	case req.Topic != "":
		topics = []string{req.Topic}
	}
	body := protocol.ConsumeStats{OffsetTable: map[protocol.MessageQueue]protocol.ConsumeOffset{}}
	for _, topic := range topics {
		cfg, ok := b.topics.Get(topic)
		if !ok || b.unsubscribed(req.ConsumerGroup, topic) {
			continue
		}
		for id := range clampQueues(cfg.ReadQueueNums) {
			body.OffsetTable[b.messageQueue(topic, id)] = b.consumeOffset(req.ConsumerGroup, topic, id)
		}
		body.ConsumeTPS += b.stats.GetRate(topic, req.ConsumerGroup)
	}
	return nil, answerJSON(c, body)
}

// brokerConsumeStats answers with the statistics of every topic of every group.
func (b *Broker) brokerConsumeStats(_ context.Context, c *remoting.Call, req *protocol.BrokerConsumeStatsHeader) (*protocol.Empty, error) {
	body := protocol.BrokerConsumeStats{BrokerAddr: b.serveAddr(), ConsumeStatsList: []map[string][]protocol.ConsumeStats{}}
	groups, _ := b.groups.All()
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		list := []protocol.ConsumeStats{}
		for _, topic := range b.offsets.TopicsOf(group) {
			cfg, ok := b.topics.Get(topic)
			if !ok || req.IsOrder && !cfg.Order || b.unsubscribed(group, topic) {
				continue
			}
			stats := protocol.ConsumeStats{ConsumeTPS: b.stats.GetRate(topic, group), OffsetTable: map[protocol.MessageQueue]protocol.ConsumeOffset{}}
			for id := range clampQueues(cfg.WriteQueueNums) {
				offset := b.consumeOffset(group, topic, id)
				body.TotalDiff += offset.BrokerOffset - offset.ConsumerOffset
				body.TotalInflightDiff += offset.PullOffset - offset.ConsumerOffset
				stats.OffsetTable[b.messageQueue(topic, id)] = offset
			}
			list = append(list, stats)
		}
		body.ConsumeStatsList = append(body.ConsumeStatsList, map[string][]protocol.ConsumeStats{group: list})
	}
	return nil, answerJSON(c, body)
}

// unsubscribed reports whether a group has members that subscribe to something, but not to topic.
func (b *Broker) unsubscribed(group, topic string) bool {
	info, ok := b.consumers.Group(group)
	if !ok {
		return false
	}
	_, subscribed := info.Subscription(topic)
	return !subscribed && len(info.Subscriptions()) > 0
}

func (b *Broker) consumeOffset(group, topic string, queueID int32) protocol.ConsumeOffset {
	_, end, _ := b.store.QueueRange(topic, queueID)
	committed, _ := b.offsets.Query(group, topic, queueID)
	pulled, _ := b.offsets.QueryPull(group, topic, queueID)
	committed = max(committed, 0)
	return protocol.ConsumeOffset{
		BrokerOffset:    max(end, 0),
		ConsumerOffset:  committed,
		PullOffset:      max(committed, pulled),
		LastTimestampMs: b.storeTime(topic, queueID, committed-1, 0),
	}
}
