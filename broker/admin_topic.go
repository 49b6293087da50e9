// SPDX-License-Identifier: Apache-2.0

// UPDATE_AND_CREATE_TOPIC(17), UPDATE_AND_CREATE_TOPIC_LIST(18), GET_ALL_TOPIC_CONFIG(21),
// GET_TOPIC_STATS_INFO(202), DELETE_TOPIC_IN_BROKER(215), GET_TOPIC_CONFIG(351). Sent by tools.
// Java: AdminBrokerProcessor.
// Outcomes: Success; InvalidParameter for names, system topics and numbers; SystemError for
// attributes; 202, 351: TopicNotExist.
// Deviations: Java takes any number of queues, any permission, and any name to delete; a list
// that has one bad topic creates none here.

package broker

import (
	"context"
	"maps"
	"slices"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const (
	// maxTopicQueues bounds the queues of a topic: clients and name servers hold a list of them.
	maxTopicQueues = 65_536
	// maxTopicList bounds the topics, or groups, of one request.
	maxTopicList = 20_000
	maxPerm      = protocol.PermInherit | protocol.PermRead | protocol.PermWrite

	// unsetRemark is what Java leaves in the answers of 17 and 18, success or not.
	unsetRemark = "not set any response code"
)

func (b *Broker) createTopic(ctx context.Context, c *remoting.Call, req *protocol.CreateTopicHeader) (*protocol.Empty, error) {
	if req.TopicFilterType != protocol.SingleTag && req.TopicFilterType != protocol.MultiTag {
		return nil, protocol.Errorf(protocol.SystemError, "topicFilterType = [%s] value invalid", req.TopicFilterType)
	}
	cfg := protocol.NewTopicConfig(req.Topic, req.ReadQueueNums, req.WriteQueueNums, req.Perm)
	cfg.TopicFilterType, cfg.Order = req.TopicFilterType, req.Order
	if req.TopicSysFlag != nil {
		cfg.TopicSysFlag = *req.TopicSysFlag
	}
	if err := b.checkTopic(cfg); err != nil {
		return nil, err
	}
	alterations, err := parseAttributes(req.Attributes)
	if err != nil {
		return nil, err
	}
	cfg.Attributes = alterations
	return nil, b.putTopics(ctx, c, []*protocol.TopicConfig{cfg})
}

func (b *Broker) createTopicList(ctx context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	var body protocol.CreateTopicList
	if err := requestJSON(c, &body); err != nil {
		return nil, err
	}
	if len(body.TopicConfigList) > maxTopicList {
		return nil, protocol.Errorf(protocol.InvalidParameter, "%d topics are too many for one request, at most %d are allowed", len(body.TopicConfigList), maxTopicList)
	}
	return nil, b.putTopics(ctx, c, body.TopicConfigList)
}

// putTopics creates or updates topics whose attributes are alterations. The answer comes when they
// are on disk and the name servers know them.
func (b *Broker) putTopics(ctx context.Context, c *remoting.Call, cfgs []*protocol.TopicConfig) error {
	for _, cfg := range cfgs {
		if err := b.checkTopic(cfg); err != nil {
			return err
		}
	}
	var changed []*protocol.TopicConfig
	for _, cfg := range cfgs {
		old, exists := b.topics.Get(cfg.TopicName)
		var current map[string]string
		if exists {
			current = old.Attributes
		}
		attributes, err := alterAttributes(!exists, topicAttributes, current, cfg.Attributes)
		if err != nil {
			return err
		}
		if attributes[messageTypeAttribute] == mixedMessageType {
			return protocol.Errorf(protocol.InvalidParameter, "MIXED message type is not supported.")
		}
		cfg.Attributes = attributes
		if !exists || !sameTopic(old, cfg) {
			changed = append(changed, cfg)
		}
	}
	if err := b.topics.PutAll(changed); err != nil {
		return err
	}
	for _, topic := range changed {
		b.warnOfKind(topic)
	}
	if len(changed) > 0 {
		b.announceTopics(ctx)
	}
	c.Outcome(protocol.Success, unsetRemark)
	return nil
}

func sameTopic(a, b *protocol.TopicConfig) bool {
	return a.ReadQueueNums == b.ReadQueueNums && a.WriteQueueNums == b.WriteQueueNums && a.Perm == b.Perm &&
		a.Order == b.Order && a.TopicFilterType == b.TopicFilterType && a.TopicSysFlag == b.TopicSysFlag &&
		maps.Equal(a.Attributes, b.Attributes)
}

func (b *Broker) checkTopic(cfg *protocol.TopicConfig) error {
	if cfg == nil {
		return protocol.Errorf(protocol.InvalidParameter, "the list has a topic that is null")
	}
	if err := message.ValidTopic(cfg.TopicName); err != nil {
		return protocol.Errorf(protocol.InvalidParameter, "%v", err)
	}
	if b.cfg.Load().ValidateSystemTopicWhenUpdate && b.isSystemTopic(cfg.TopicName) {
		return systemTopicConflict(cfg.TopicName)
	}
	for _, n := range []int32{cfg.ReadQueueNums, cfg.WriteQueueNums} {
		if n < 1 || n > maxTopicQueues {
			return protocol.Errorf(protocol.InvalidParameter, "The topic[%s] cannot have %d queues, from 1 to %d are allowed.", cfg.TopicName, n, maxTopicQueues)
		}
	}
	if cfg.Perm < 0 || cfg.Perm > maxPerm {
		return protocol.Errorf(protocol.InvalidParameter, "The topic[%s] cannot have the permission %d: 2 is write, 4 is read, 6 is both.", cfg.TopicName, cfg.Perm)
	}
	if cfg.TopicFilterType != protocol.SingleTag && cfg.TopicFilterType != protocol.MultiTag {
		return protocol.Errorf(protocol.InvalidParameter, "topicFilterType = [%s] value invalid", cfg.TopicFilterType)
	}
	return nil
}

func systemTopicConflict(topic string) error {
	return protocol.Errorf(protocol.InvalidParameter, "The topic[%s] is conflict with system topic.", topic)
}

func (b *Broker) deleteTopic(ctx context.Context, c *remoting.Call, req *protocol.DeleteTopicHeader) (*protocol.Empty, error) {
	// Names that a broker makes itself may have a '+' that no topic of a client may have.
	if !message.SafeName(req.Topic) {
		return nil, protocol.Errorf(protocol.InvalidParameter, "%v", message.ValidTopic(req.Topic))
	}
	if b.cfg.Load().ValidateSystemTopicWhenUpdate && b.isSystemTopic(req.Topic) {
		return nil, systemTopicConflict(req.Topic)
	}
	doomed := []string{req.Topic}
	if b.cfg.Load().ClearRetryTopicWhenDeleteTopic {
		for _, group := range b.offsets.GroupsOf(req.Topic) {
			for _, retry := range []string{message.PopRetryTopic(req.Topic, group), message.PopRetryTopicV2(req.Topic, group)} {
				if _, ok := b.topics.Get(retry); ok {
					doomed = append(doomed, retry)
				}
			}
		}
	}
	if err := b.topics.Delete(doomed...); err != nil {
		return nil, err
	}
	for _, topic := range doomed {
		b.offsets.DeleteTopic(topic)
		if err := b.store.DeleteTopic(topic); err != nil {
			return nil, err
		}
		b.stats.Forget(topic)
	}
	b.announceTopics(ctx)
	return nil, nil
}

// allTopicConfig answers with all topics, or with the page that newer tools ask for. A page counts
// from the start again when the table has changed since the page before.
func (b *Broker) allTopicConfig(_ context.Context, c *remoting.Call, req *protocol.TopicConfigTableHeader) (*protocol.TopicConfigTableResult, error) {
	topics, version := b.topics.All()
	total := int32(len(topics))
	part, err := page(topics, req.TopicSeq, req.MaxTopicNum, req.DataVersion, version)
	if err != nil {
		return nil, err
	}
	body := protocol.TopicConfigTable{
		DataVersion:                version,
		MappingDataVersion:         protocol.DataVersion{TimestampMs: b.bootMs},
		TopicConfigTable:           part,
		TopicQueueMappingDetailMap: noMappings,
		TopicQueueMappingInfoMap:   noMappings,
	}
	return &protocol.TopicConfigTableResult{TotalTopicNum: &total}, answerJSON(c, body)
}

// pageEntries is the most that a page of a table holds.
const pageEntries = 2000

// page returns the entries from seq on, at most limit, in the order of their names; all of them to those who ask for
// no page.
func page[T any](table map[string]T, seq, limit *int32, asked *string, version protocol.DataVersion) (map[string]T, error) {
	if seq == nil && limit == nil {
		return table, nil
	}
	size := pageEntries
	if limit != nil {
		size = min(int(*limit), pageEntries)
	}
	first := 0
	if seq != nil && sameVersion(asked, version) {
		first = min(int(*seq), len(table))
	}
	if seq == nil || first < 0 || size <= 0 {
		return nil, protocol.Errorf(protocol.SystemError, "the table has no such page")
	}
	names := slices.Sorted(maps.Keys(table))
	names = names[first:min(first+size, len(names))]
	part := make(map[string]T, len(names))
	for _, name := range names {
		part[name] = table[name]
	}
	return part, nil
}

// topicConfig answers with one topic's settings, which 5.x tools ask for before 202.
func (b *Broker) topicConfig(_ context.Context, c *remoting.Call, req *protocol.GetTopicConfigHeader) (*protocol.Empty, error) {
	cfg, ok := b.topics.Get(req.Topic)
	if !ok {
		return nil, protocol.Errorf(protocol.TopicNotExist, "No topic in this broker. topic: %s", req.Topic)
	}
	return nil, answerJSON(c, cfg)
}

// topicStats answers with the offsets of a topic's queues.
func (b *Broker) topicStats(_ context.Context, c *remoting.Call, req *protocol.TopicStatsHeader) (*protocol.Empty, error) {
	cfg, ok := b.topics.Get(req.Topic)
	if !ok {
		return nil, protocol.Errorf(protocol.TopicNotExist, "topic[%s] not exist", req.Topic)
	}
	body := protocol.TopicStats{OffsetTable: map[protocol.MessageQueue]protocol.TopicOffset{}, TopicPutTPS: b.stats.PutRate(req.Topic)}
	for id := range clampQueues(max(cfg.ReadQueueNums, cfg.WriteQueueNums)) {
		first, end, _ := b.store.QueueRange(req.Topic, id)
		body.OffsetTable[b.messageQueue(req.Topic, id)] = protocol.TopicOffset{
			MinOffset: max(first, 0), MaxOffset: max(end, 0),
			LastUpdateTimestampMs: b.storeTime(req.Topic, id, end-1, 0),
		}
	}
	return nil, answerJSON(c, body)
}

// clampQueues bounds the queues of a topic that a Java broker made with any number of them.
func clampQueues(n int32) int32 { return min(max(n, 0), maxTopicQueues) }

// storeTime is when the message at a queue's offset was stored; none when there is no such message.
func (b *Broker) storeTime(topic string, queueID int32, offset, none int64) int64 {
	if offset < 0 {
		return none
	}
	if ms, ok := b.store.StoreTime(topic, queueID, offset); ok {
		return ms
	}
	return none
}

// messageQueue is one of this broker's queues as clients name it.
func (b *Broker) messageQueue(topic string, queueID int32) protocol.MessageQueue {
	return protocol.MessageQueue{BrokerName: b.cfg.Load().BrokerName, QueueID: queueID, Topic: topic}
}
