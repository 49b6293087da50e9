// SPDX-License-Identifier: Apache-2.0

// broadcast.go: pulls of broadcasting clients that change between a Proxy and the Broker (enableBroadcastOffsetStore).
// How far each client has pulled is kept in memory; the lowest of a group's clients goes into consumerOffset.json every
// 5 s, under GROUP@broadcast, and is where clients begin that are not known.
// Java: PullMessageProcessor.updateBroadcastPulledOffset and queryBroadcastPullInitOffset, BroadcastOffsetManager.

package broker

import (
	"context"
	"time"

	"rocketd/broker/session"
	"rocketd/protocol"
	"rocketd/remoting"
)

const (
	broadcastsCommittedEvery = 5 * time.Second

	// broadcastSuffix makes a group's name the one under which its broadcasting clients' offsets are stored. No group can
	// have an '@' in its name.
	broadcastSuffix = "@broadcast"
)

// broadcaster is the broadcasting client whose pull this is; without a client id for all other pulls.
func (b *Broker) broadcaster(c *remoting.Call, cfg *Config, h *protocol.PullHeader) session.Broadcaster {
	by := session.Broadcaster{Topic: h.Topic, Group: h.ConsumerGroup}
	if !cfg.EnableBroadcastOffsetStore {
		return by
	}
	if proxiedBroadcast(h) {
		by.Proxied = true
		if len(h.ProxyForwardClientID) <= maxSessionNameBytes {
			by.ClientID = h.ProxyForwardClientID
		}
		return by
	}
	group, ok := b.consumers.Group(h.ConsumerGroup)
	if ok && group.MessageModel() == protocol.Broadcasting && group.ConsumeType() == protocol.ConsumePassively {
		by.ClientID = group.ClientID(peerID(c))
	}
	return by
}

// noteBroadcast keeps how far a broadcasting client is: at the offset that it asks for, or at the one that it is sent to.
func (b *Broker) noteBroadcast(h *protocol.PullHeader, by session.Broadcaster, code int32, next int64) {
	if by.ClientID == "" {
		return
	}
	offset := h.QueueOffset
	if code == protocol.PullOffsetMoved {
		offset = next
	}
	b.broadcasts.Pulled(by, h.QueueID, offset)
}

func proxiedBroadcast(h *protocol.PullHeader) bool {
	return h.RequestSource != nil && *h.RequestSource == protocol.SourceProxyBroadcast
}

// broadcastStart is where a broadcasting client has to begin that has come another way before: where it was, where the
// group was, or, where neither is known, at the beginning of a young queue and at the end of an old one.
func (b *Broker) broadcastStart(by session.Broadcaster, h *protocol.PullHeader) (int64, bool) {
	offset, moved := b.broadcasts.Moved(by, h.QueueID, h.QueueOffset)
	if !moved || offset >= 0 {
		return offset, moved
	}
	if offset, ok := b.offsets.Query(h.ConsumerGroup+broadcastSuffix, h.Topic, h.QueueID); ok && offset >= 0 {
		return offset, true
	}
	if b.startsInMemory(h.Topic, h.QueueID) {
		return 0, true
	}
	_, end, _ := b.store.QueueRange(h.Topic, h.QueueID)
	return clampOffset(end), true
}

// runBroadcasts commits what broadcasting groups have reached, a last time at the end.
func (b *Broker) runBroadcasts(ctx context.Context) error {
	ticker := b.clock.NewTicker(broadcastsCommittedEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			b.commitBroadcasts()
			return nil
		case <-ticker.Chan():
			b.commitBroadcasts()
		}
	}
}

func (b *Broker) commitBroadcasts() {
	cfg := b.cfg.Load()
	goneFor := time.Duration(cfg.BroadcastOffsetExpireSecond) * time.Second
	silentFor := time.Duration(cfg.BroadcastOffsetExpireMaxSecond) * time.Second
	for _, r := range b.broadcasts.Reached(goneFor, silentFor) {
		b.offsets.Commit(r.Group+broadcastSuffix, r.Topic, r.QueueID, r.Offset)
	}
}
