// SPDX-License-Identifier: Apache-2.0

// PULL_MESSAGE(11), LITE_PULL_MESSAGE(361). Sent by consumers. Java: PullMessageProcessor,
// DefaultPullMessageResultHandler, PullRequestHoldService.
// Outcomes: Success, PullNotFound, PullRetryImmediately, PullOffsetMoved, each with the four
// offsets; NoPermission, SubscriptionGroupNotExist, TopicNotExist, InvalidParameter,
// SubscriptionParseFailed, SubscriptionNotExist, SubscriptionNotLatest, FilterDataNotExist,
// FilterDataNotLatest; SystemError for expressions that are not enabled.
// Deviations: requests with requestSource 1 that name no client are answered like others, where Java answers nothing;
// a request is parked for 10 min at most.

package broker

import (
	"context"
	"time"

	"rocketd/broker/filter"
	"rocketd/broker/longpoll"
	"rocketd/broker/meta"
	"rocketd/broker/session"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/store"
)

const (
	// maxPullMessages bounds what a request may ask for; the store's own limits are lower.
	maxPullMessages = 10_000
	maxSuspend      = 10 * time.Minute

	offsetResetRemark = "OFFSET_RESET"
)

// pull finds and parks on the reader's goroutine the many that only wait for the next message. All others may have to wait
// for a disk.
func (b *Broker) pull(_ context.Context, c *remoting.Call, h *protocol.PullHeader) (*protocol.PullResult, error) {
	first := pass{first: true}
	if h.SysFlag&protocol.PullFlagCommitOffset != 0 {
		if c.Note == nil {
			c.Note = b.offsets.See(h.ConsumerGroup, h.Topic, h.QueueID)
		}
		first.seen, _ = c.Note.(meta.Seen)
	}
	if c.Inline() && !b.onlyWaits(h) {
		return nil, remoting.OffReader
	}
	return b.pullOnce(c, h, first)
}

// pass is one look at the queue.
type pass struct {
	first bool
	seen  meta.Seen // when the request arrived; those behind it may be served before it
}

// onlyWaits reports whether a pull needs nothing but memory: everything it names is there, and the message it asks for is
// the queue's next one.
func (b *Broker) onlyWaits(h *protocol.PullHeader) bool {
	if h.SysFlag&protocol.PullFlagSuspend == 0 || h.SysFlag&protocol.PullFlagSubscription != 0 && !filter.IsTag(h.ExpressionType) {
		return false
	}
	_, group := b.groups.Get(h.ConsumerGroup)
	_, end, queue := b.store.QueueRange(h.Topic, h.QueueID)
	return group && queue && h.QueueOffset == end
}

// pullOnce answers a pull, or parks it when there is nothing and it has not been
// parked yet.
func (b *Broker) pullOnce(c *remoting.Call, h *protocol.PullHeader, p pass) (*protocol.PullResult, error) {
	cfg := b.cfg.Load()
	group, topic, err := b.checkPull(c, cfg, h)
	if err != nil {
		return nil, err
	}
	sub, err := b.subscription(c, cfg, h, group)
	if err != nil {
		return nil, err
	}
	want, err := b.wanted(cfg, h, sub)
	if err != nil {
		return nil, err
	}
	by := b.broadcaster(c, cfg, h)
	result := &protocol.PullResult{TopicSysFlag: &topic.TopicSysFlag, GroupSysFlag: &group.GroupSysFlag}
	if b.startsElsewhere(cfg, h, by, result) {
		c.Outcome(protocol.PullOffsetMoved, offsetResetRemark)
		return result, nil
	}
	batch, err := b.store.Get(store.GetRequest{
		Topic: h.Topic, QueueID: h.QueueID, Offset: h.QueueOffset,
		MaxMsgs: int(min(max(h.MaxMsgNums, 1), maxPullMessages)), MatchTags: want.tags, MatchExt: want.ext, MatchRecord: want.record,
	})
	if err != nil {
		return nil, b.getOutcome(err)
	}
	result.NextBeginOffset, result.MinOffset, result.MaxOffset = batch.NextOffset, batch.MinOffset, batch.MaxOffset
	b.notePull(h, batch.NextOffset, p)
	status := batch.Status
	if status == store.NoMatchedLogicQueue {
		status = store.NoMessageInQueue // the topic has this queue, and Java makes it when it is looked up
	}
	code := pullCode(status, h.QueueOffset)
	b.noteBroadcast(h, by, code, batch.NextOffset)
	if code == protocol.Success {
		b.stats.Get(h.Topic, h.ConsumerGroup, int64(batch.Count), int64(batch.Bytes))
		c.Attach(batch)
	} else {
		batch.Release()
		b.stats.Miss()
		if code == protocol.PullNotFound && p.first && h.SysFlag&protocol.PullFlagSuspend != 0 && b.park(c, cfg, h, want) {
			return nil, remoting.Parked
		}
	}
	c.Outcome(code, status.String())
	return result, nil
}

// pullCode is the answer's code for what the store found.
func pullCode(status store.GetStatus, asked int64) int32 {
	switch status {
	case store.Found:
		return protocol.Success
	case store.MessageWasRemoving, store.NoMatchedMessage:
		return protocol.PullRetryImmediately
	case store.NoMatchedLogicQueue, store.NoMessageInQueue:
		if asked != 0 {
			return protocol.PullOffsetMoved
		}
		return protocol.PullNotFound
	case store.OffsetFoundNull, store.OffsetOverflowOne:
		return protocol.PullNotFound
	}
	return protocol.PullOffsetMoved
}

// startsElsewhere reports whether the pull is answered with another offset to begin at: one that a tool has set, or the
// one of a broadcasting client that has come another way.
func (b *Broker) startsElsewhere(cfg *Config, h *protocol.PullHeader, by session.Broadcaster, result *protocol.PullResult) bool {
	offset, elsewhere := b.takeReset(cfg, h)
	if elsewhere {
		result.MinOffset, result.MaxOffset, _ = b.store.QueueRange(h.Topic, h.QueueID)
	} else if by.ClientID != "" {
		offset, elsewhere = b.broadcastStart(by, h)
	}
	if elsewhere {
		result.NextBeginOffset = offset
		b.noteBroadcast(h, by, protocol.PullOffsetMoved, offset)
	}
	return elsewhere
}

// takeReset is the offset that a tool has set for the group and queue and that
// the group has not been told of.
func (b *Broker) takeReset(cfg *Config, h *protocol.PullHeader) (int64, bool) {
	if !cfg.UseServerSideResetOffset {
		return 0, false
	}
	return b.offsets.TakeReset(h.ConsumerGroup, h.Topic, h.QueueID)
}

// notePull stores how far the group is: what it has pulled, and on the first
// pass of a request what it says to have consumed.
func (b *Broker) notePull(h *protocol.PullHeader, next int64, p pass) {
	b.offsets.CommitPull(h.ConsumerGroup, h.Topic, h.QueueID, next)
	if p.first && h.SysFlag&protocol.PullFlagCommitOffset != 0 {
		b.offsets.CommitSince(p.seen, h.ConsumerGroup, h.Topic, h.QueueID, h.CommitOffset)
	}
}

// park keeps the call until a message arrives or its time is up, and then lets
// it pull once more. It reports false when the call must be answered now.
func (b *Broker) park(c *remoting.Call, cfg *Config, h *protocol.PullHeader, want wanted) bool {
	hold := time.Duration(min(max(h.SuspendTimeoutMs, 0), maxSuspend.Milliseconds())) * time.Millisecond
	if !cfg.LongPollingEnable {
		hold = time.Duration(cfg.ShortPollingTimeMills) * time.Millisecond
	}
	key := longpoll.Key{Topic: h.Topic, QueueID: h.QueueID}
	parked := b.parked.Park(longpoll.Parking{
		Key: key, Offset: h.QueueOffset, Deadline: b.clock.Now().Add(hold), Peer: peerID(c), Match: want.arrival(b.store),
		Wake: func() {
			c.Resume(func() (any, error) { return b.pullOnce(c, h, pass{}) })
		},
	})
	if !parked {
		return false
	}
	// A message that came between the reading and the parking woke nobody.
	if _, end, ok := b.store.QueueRange(h.Topic, h.QueueID); ok && end > h.QueueOffset {
		b.parked.Recheck(key, end-1)
	}
	return true
}

func peerID(c *remoting.Call) uint64 {
	if c.Peer() == nil {
		return 0
	}
	return c.Peer().ID()
}

// forbidden refuses a pull and tells by which rule.
func forbidden(c *remoting.Call, rule string, format string, args ...any) error {
	c.SetField("forbiddenType", rule)
	return protocol.Errorf(protocol.NoPermission, format, args...)
}

// The rules of forbidden, as protocol.Forbidden... name them, in the text of the wire.
const (
	byBroker       = "1"
	byGroup        = "2"
	byTopic        = "3"
	byBroadcast    = "4"
	bySubscription = "5"
)

// checkPull is the refusals of a pull, in Java's order.
func (b *Broker) checkPull(c *remoting.Call, cfg *Config, h *protocol.PullHeader) (*protocol.GroupConfig, *protocol.TopicConfig, error) {
	if cfg.BrokerPermission&protocol.PermRead == 0 {
		return nil, nil, forbidden(c, byBroker, "the broker[%s] pulling message is forbidden", cfg.BrokerIP1)
	}
	if c.Request().Code == protocol.LitePullMessage && !cfg.LitePullMessageEnable {
		return nil, nil, forbidden(c, byBroker, "the broker[%s] for lite pull consumer is forbidden", cfg.BrokerIP1)
	}
	group, ok := b.findGroup(h.ConsumerGroup)
	if !ok {
		return nil, nil, protocol.Errorf(protocol.SubscriptionGroupNotExist, "subscription group [%s] does not exist, %s", h.ConsumerGroup, faq)
	}
	if !group.ConsumeEnable {
		return nil, nil, forbidden(c, byGroup, "subscription group no permission, %s", h.ConsumerGroup)
	}
	topic, ok := b.topics.Get(h.Topic)
	if !ok {
		return nil, nil, protocol.Errorf(protocol.TopicNotExist, "topic[%s] not exist, apply first please! %s", h.Topic, faq)
	}
	if topic.Perm&protocol.PermRead == 0 {
		return nil, nil, forbidden(c, byTopic, "the topic[%s] pulling message is forbidden", h.Topic)
	}
	if h.QueueID < 0 || h.QueueID >= topic.ReadQueueNums {
		return nil, nil, protocol.Errorf(protocol.InvalidParameter, "queueId[%d] is illegal, topic:[%s] topicConfig.readQueueNums:[%d] consumer:[/%s]",
			h.QueueID, h.Topic, topic.ReadQueueNums, peerAddr(c))
	}
	return group, topic, nil
}

// subscription is what the pull wants of the queue: what its header says, or
// what the group's last heartbeat said.
func (b *Broker) subscription(c *remoting.Call, cfg *Config, h *protocol.PullHeader, group *protocol.GroupConfig) (*protocol.SubscriptionData, error) {
	var sub *protocol.SubscriptionData
	var err error
	switch {
	case h.SysFlag&protocol.PullFlagSubscription == 0:
		sub, err = b.subscribed(c, cfg, h, group)
	case filter.IsTag(h.ExpressionType):
		sub, err = b.headerTags(h)
	default:
		sub = &protocol.SubscriptionData{Topic: h.Topic, SubString: h.Subscription, ExpressionType: h.ExpressionType}
	}
	return sub, err
}

func (b *Broker) headerTags(h *protocol.PullHeader) (*protocol.SubscriptionData, error) {
	if h.Subscription == "" || h.Subscription == protocol.SubscribeAll {
		return &subscribeAll, nil
	}
	sub, err := filter.ParseTags(h.Topic, h.Subscription)
	if err != nil {
		return nil, protocol.Errorf(protocol.SubscriptionParseFailed, "parse the consumer's subscription failed")
	}
	return sub, nil
}

// subscribeAll spares the many who subscribe to everything an allocation. It is only read.
var subscribeAll = protocol.SubscriptionData{SubString: protocol.SubscribeAll, ExpressionType: protocol.ExpressionTag}

func (b *Broker) subscribed(c *remoting.Call, cfg *Config, h *protocol.PullHeader, group *protocol.GroupConfig) (*protocol.SubscriptionData, error) {
	members, ok := b.consumers.Group(h.ConsumerGroup)
	if !ok {
		return nil, protocol.Errorf(protocol.SubscriptionNotExist, "the consumer's group info not exist%s", faq)
	}
	if cfg.RejectPullConsumerEnable && members.ConsumeType() == protocol.ConsumeActively {
		return nil, protocol.Errorf(protocol.SubscriptionNotExist, "the consumer's group info not exist, or the pull consumer is rejected by server.%s", faq)
	}
	if !group.ConsumeBroadcastEnable && members.MessageModel() == protocol.Broadcasting {
		return nil, forbidden(c, byBroadcast, "the consumer group[%s] can not consume by broadcast way", h.ConsumerGroup)
	}
	if b.groups.ForbiddenTable()[h.ConsumerGroup][h.Topic]&protocol.PermRead != 0 {
		return nil, forbidden(c, bySubscription, "the consumer group[%s] is forbidden for topic[%s]", h.ConsumerGroup, h.Topic)
	}
	sub, ok := members.Subscription(h.Topic)
	if !ok {
		return nil, protocol.Errorf(protocol.SubscriptionNotExist, "the consumer's subscription not exist%s", faq)
	}
	if sub.SubVersion < h.SubVersion {
		return nil, protocol.Errorf(protocol.SubscriptionNotLatest, "the consumer's subscription not latest")
	}
	return sub, nil
}

// getOutcome is the answer to a read that failed.
func (b *Broker) getOutcome(err error) error {
	if code := codeOf(err); code != protocol.SystemError {
		return protocol.Errorf(code, "%v", err)
	}
	return err
}
