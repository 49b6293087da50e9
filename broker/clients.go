// SPDX-License-Identifier: Apache-2.0

// HEART_BEAT(34), UNREGISTER_CLIENT(35), GET_CONSUMER_LIST_BY_GROUP(38), CHECK_CLIENT_CONFIG(46),
// GET_CONSUMER_CONNECTION_LIST(203); NOTIFY_CONSUMER_IDS_CHANGED(40) goes out.
// Java: ClientManageProcessor, ConsumerManageProcessor, ClientHousekeepingService.
// Outcomes: Success; 38: SystemError without members; 46: SystemError for expressions that are not enabled, SubscriptionParseFailed; 203: ConsumerNotOnline.
// Deviation: 38 names a client once that has two connections, where Java names it twice.

package broker

import (
	"context"
	"strconv"
	"time"

	"rocketd/broker/filter"
	"rocketd/broker/session"
	"rocketd/internal/run"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const (
	sessionScanEvery = 10 * time.Second

	// A heartbeat with more than this is refused.
	maxHeartbeatGroups        = 10_000
	maxHeartbeatSubscriptions = 100_000
	maxSessionNameBytes       = 255 // of group names, client ids and topics that are only remembered
)

func (b *Broker) newSessions(*Config) {
	b.producers = session.NewProducers()
	b.consumers = session.NewConsumers()
	b.heartbeats = session.NewHeartbeats()
	b.broadcasts = session.NewBroadcasts(b.consumers, b.clock)
	b.locks = session.NewQueueLock(b.clock)
	b.notify = session.NewNotify(b.consumers)
}

// runSessions sends notifications and lets go of clients that have fallen silent.
func (b *Broker) runSessions(ctx context.Context) error {
	g := run.NewGroup(ctx)
	g.Go(0, "notify", b.notify.Run)
	g.Go(0, "session scan", b.scanSessions)
	return g.Wait()
}

func (b *Broker) scanSessions(ctx context.Context) error {
	ticker := b.clock.NewTicker(sessionScanEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.Chan():
			b.expireSessions()
		}
	}
}

func (b *Broker) expireSessions() {
	before := b.nowMs() - b.cfg.Load().ChannelExpiredTimeout
	silent := b.producers.Expire(before)
	changed, more := b.consumers.Expire(before)
	for _, peer := range append(silent, more...) {
		b.log.Warn().Str("peer", peer.RemoteAddr()).Msg("client sent no heartbeat for too long, its connection is closed")
		_ = peer.Close()
	}
	for _, group := range changed {
		b.notifyChanged(group)
	}
	b.locks.Sweep()
}

// sessionsClosed ends the memberships of a connection that is gone.
func (b *Broker) sessionsClosed(peer remoting.Peer) {
	b.heartbeats.Drop(peer)
	b.producers.Drop(peer)
	for _, group := range b.consumers.Drop(peer) {
		b.notifyChanged(group)
	}
}

// notifyChanged has a group's members share the queues out anew. Broadcasting members share nothing.
func (b *Broker) notifyChanged(group string) {
	info, ok := b.consumers.Group(group)
	if !ok {
		b.filters.Unregister(group)
	}
	if !ok || info.MessageModel() == protocol.Broadcasting {
		return
	}
	if cfg, ok := b.groups.Get(group); ok && !cfg.NotifyConsumerIDsChangedEnable {
		return
	}
	if b.cfg.Load().NotifyConsumerIDsChangedEnable {
		b.notify.NotifyChanged(group)
	}
}

func (b *Broker) heartbeat(_ context.Context, c *remoting.Call, _ *protocol.RPC) (*protocol.Empty, error) {
	if c.Peer() == nil {
		return nil, protocol.Errorf(protocol.SystemError, "a heartbeat is for a connection, and there is none")
	}
	beat, err := b.readHeartbeat(c)
	if err != nil {
		return nil, err
	}
	if c.Inline() && !b.haveAll(beat.ConsumerDataSet) {
		return nil, remoting.OffReader // creating waits for the disk
	}
	if err := b.createForConsumers(beat.ConsumerDataSet); err != nil {
		return nil, err
	}
	repeat := b.joinConsumers(b.clientOf(c, beat.ClientID), beat)
	for _, data := range beat.ProducerDataSet {
		b.producers.Register(data.GroupName, b.clientOf(c, beat.ClientID))
	}
	c.SetField(protocol.ExtHeartbeatV2, "true")
	c.SetField(protocol.ExtSubscriptionChange, strconv.FormatBool(repeat))
	return nil, nil
}

// readHeartbeat returns the heartbeat of a request, which is shared with later ones: it must not be changed.
func (b *Broker) readHeartbeat(c *remoting.Call) (*protocol.Heartbeat, error) {
	body := c.Request().Body
	if beat, ok := b.heartbeats.Again(c.Peer(), body); ok {
		return beat, nil
	}
	beat := new(protocol.Heartbeat)
	if err := requestJSON(c, beat); err != nil {
		return nil, err
	}
	if err := checkHeartbeat(beat); err != nil {
		return nil, err
	}
	b.heartbeats.Keep(c.Peer(), body, beat)
	return beat, nil
}

func checkHeartbeat(beat *protocol.Heartbeat) error {
	names := []string{beat.ClientID}
	subscriptions := 0
	for _, data := range beat.ConsumerDataSet {
		subscriptions += len(data.SubscriptionDataSet)
		names = append(names, data.GroupName)
		for i := range data.SubscriptionDataSet {
			names = append(names, data.SubscriptionDataSet[i].Topic)
		}
	}
	for _, data := range beat.ProducerDataSet {
		names = append(names, data.GroupName)
	}
	groups := len(beat.ConsumerDataSet) + len(beat.ProducerDataSet)
	if groups > maxHeartbeatGroups || subscriptions > maxHeartbeatSubscriptions {
		return protocol.Errorf(protocol.InvalidParameter, "a heartbeat with %d groups and %d subscriptions is too large", groups, subscriptions)
	}
	for _, name := range names {
		if name == "" {
			return protocol.Errorf(protocol.SystemError, "the heartbeat has no clientID, or a groupName or a topic in it is missing")
		}
		if len(name) > maxSessionNameBytes {
			return protocol.Errorf(protocol.InvalidParameter, "the heartbeat has a name of %d bytes, at most %d are allowed", len(name), maxSessionNameBytes)
		}
	}
	return nil
}

func (b *Broker) clientOf(c *remoting.Call, clientID string) session.Client {
	return session.Client{
		Peer: c.Peer(), ClientID: clientID, LastSeenMs: b.nowMs(),
		Language: c.Request().Language, Version: c.Request().Version,
	}
}

// joinConsumers notes the consumers of a heartbeat and reports whether the client must send its
// subscriptions again, which only the second form of heartbeats may leave out.
func (b *Broker) joinConsumers(client session.Client, beat *protocol.Heartbeat) (repeat bool) {
	repeat = beat.HeartbeatFingerprint == 0
	rejectPull := b.cfg.Load().RejectPullConsumerEnable
	for _, data := range beat.ConsumerDataSet {
		_, known := b.groups.Get(data.GroupName)
		if !known || rejectPull && data.ConsumeType == protocol.ConsumeActively {
			continue
		}
		without := beat.WithoutSub && beat.HeartbeatFingerprint != 0
		var changed bool
		if without {
			changed = b.consumers.RegisterWithoutSub(data.GroupName, client, data)
		} else {
			changed = b.consumers.Register(data.GroupName, client, data)
			b.registerFilters(data.GroupName, data.SubscriptionDataSet)
		}
		if changed {
			b.notifyChanged(data.GroupName)
		}
		if b.consumers.Fingerprint(data.GroupName, beat.HeartbeatFingerprint, without) {
			repeat = true
		}
	}
	return repeat
}

// haveAll reports whether createForConsumers has nothing to do.
func (b *Broker) haveAll(consumers []protocol.ConsumerData) bool {
	for _, data := range consumers {
		group, ok := b.groups.Get(data.GroupName)
		if !ok {
			return false
		}
		if _, ok := b.topics.Get(message.RetryTopic(data.GroupName)); !ok && group.RetryQueueNums > 0 {
			return false
		}
	}
	return true
}

// createForConsumers creates, in one write each, the groups of a heartbeat and their retry topics.
// A group that does not exist after that, because of its name or of the configuration, is passed
// over; its clients learn it when they pull, as with Java.
func (b *Broker) createForConsumers(consumers []protocol.ConsumerData) error {
	var groups []*protocol.GroupConfig
	for _, data := range consumers {
		if _, ok := b.groups.Get(data.GroupName); !ok && b.mayCreateGroup(data.GroupName) {
			groups = append(groups, protocol.NewGroupConfig(data.GroupName))
		}
	}
	if _, err := b.groups.EnsureAll(groups); err != nil {
		return err
	}
	var topics []*protocol.TopicConfig
	for _, data := range consumers {
		topic := message.RetryTopic(data.GroupName)
		group, ok := b.groups.Get(data.GroupName)
		if _, exists := b.topics.Get(topic); !ok || exists || group.RetryQueueNums < 1 {
			continue
		}
		cfg := protocol.NewTopicConfig(topic, group.RetryQueueNums, group.RetryQueueNums, protocol.PermRead|protocol.PermWrite)
		if data.UnitMode {
			cfg.TopicSysFlag = protocol.TopicFlagUnitSub
		}
		topics = append(topics, cfg)
	}
	created, err := b.topics.EnsureAll(topics)
	if created > 0 {
		b.topicsChanged()
	}
	return err
}

func (b *Broker) mayCreateGroup(name string) bool {
	return b.cfg.Load().AutoCreateSubscriptionGroup && message.ValidGroup(name) == nil
}

// findGroup returns a consumer group, which is created when it may be.
func (b *Broker) findGroup(name string) (*protocol.GroupConfig, bool) {
	if cfg, ok := b.groups.Get(name); ok || !b.mayCreateGroup(name) {
		return cfg, ok
	}
	if _, err := b.groups.Ensure(protocol.NewGroupConfig(name)); err != nil {
		b.log.Error().Err(err).Str("group", name).Msg("consumer group could not be created")
		return nil, false
	}
	return b.groups.Get(name)
}

func (b *Broker) unregisterClient(_ context.Context, c *remoting.Call, req *protocol.UnregisterClientHeader) (*protocol.Empty, error) {
	if c.Peer() == nil {
		return &protocol.Empty{}, nil
	}
	if req.ProducerGroup != "" {
		b.producers.Unregister(req.ProducerGroup, c.Peer())
	}
	if req.ConsumerGroup != "" && b.consumers.Unregister(req.ConsumerGroup, c.Peer()) {
		b.notifyChanged(req.ConsumerGroup)
	}
	return &protocol.Empty{}, nil
}

func (b *Broker) consumerList(_ context.Context, c *remoting.Call, req *protocol.ConsumerListHeader) (*protocol.Empty, error) {
	if c.Inline() {
		return nil, remoting.OffReader // a long list takes its time
	}
	group, ok := b.consumers.Group(req.ConsumerGroup)
	if !ok {
		return &protocol.Empty{}, protocol.Errorf(protocol.SystemError, "no consumer for this group, %s", req.ConsumerGroup)
	}
	return &protocol.Empty{}, answerJSON(c, protocol.ConsumerList{ConsumerIDList: group.ClientIDs()})
}

// checkClientConfig tells a consumer at its start whether its way of filtering is served.
func (b *Broker) checkClientConfig(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	if len(c.Request().Body) == 0 {
		return nil, nil
	}
	body := new(protocol.CheckClientConfigBody)
	if err := requestJSON(c, body); err != nil {
		return nil, err
	}
	if sub := body.SubscriptionData; sub != nil && !filter.IsTag(sub.ExpressionType) {
		return nil, b.checkExpression(sub)
	}
	return nil, nil
}

func (b *Broker) consumerConnection(_ context.Context, c *remoting.Call, req *protocol.ConsumerConnectionHeader) (*protocol.Empty, error) {
	group, ok := b.consumers.Group(req.ConsumerGroup)
	if !ok {
		return nil, protocol.Errorf(protocol.ConsumerNotOnline, "the consumer group[%s] not online", req.ConsumerGroup)
	}
	body := protocol.ConsumerConnection{
		ConnectionSet:     connectionsOf(group.Channels()),
		ConsumeFromWhere:  group.ConsumeFromWhere(),
		ConsumeType:       group.ConsumeType(),
		MessageModel:      group.MessageModel(),
		SubscriptionTable: map[string]protocol.SubscriptionData{},
	}
	for topic, sub := range group.Subscriptions() {
		body.SubscriptionTable[topic] = printableSubscription(sub)
	}
	return nil, answerJSON(c, body)
}

func connectionsOf(clients []session.Client) []protocol.Connection {
	connections := make([]protocol.Connection, len(clients))
	for i, client := range clients {
		connections[i] = protocol.Connection{
			ClientAddr: client.Peer.RemoteAddr(), ClientID: client.ClientID, Language: client.Language, Version: client.Version,
		}
	}
	return connections
}

// printableSubscription gives the sets that a client left out, as Java prints them.
func printableSubscription(sub *protocol.SubscriptionData) protocol.SubscriptionData {
	printed := *sub
	if printed.CodeSet == nil {
		printed.CodeSet = []int32{}
	}
	if printed.TagsSet == nil {
		printed.TagsSet = []string{}
	}
	if printed.ExpressionType == "" {
		printed.ExpressionType = protocol.ExpressionTag
	}
	return printed
}
