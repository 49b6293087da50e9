// SPDX-License-Identifier: Apache-2.0

// The consumers of each group and the group's subscriptions, as of its members' last heartbeats.
// Java: ConsumerManager, ConsumerGroupInfo.

package session

import (
	"maps"
	"slices"
	"sync"

	"rocketd/protocol"
	"rocketd/remoting"
)

// Consumers is who consumes for which group.
type Consumers struct {
	mu     sync.RWMutex
	groups map[string]*GroupInfo
	joined map[uint64]map[string]bool // peer -> its groups, so that a closed connection costs only these
}

// GroupInfo is a consumer group with at least one member. It stays readable after its last member
// left, as it was.
type GroupInfo struct {
	mu            sync.RWMutex
	members       map[uint64]Client                     // by peer
	subscriptions map[string]*protocol.SubscriptionData // by topic; values are immutable
	consumeType   string
	messageModel  string
	consumeFrom   string
	fingerprint   *int32 // of the last heartbeat; nil before the first
}

// NewConsumers returns an empty table.
func NewConsumers() *Consumers {
	return &Consumers{groups: map[string]*GroupInfo{}, joined: map[uint64]map[string]bool{}}
}

// Register notes a heartbeat with subscriptions. It reports whether the group's members or topics
// changed, which all members must hear of.
func (t *Consumers) Register(group string, c Client, data protocol.ConsumerData) (changed bool) {
	g, joined := t.join(group, c, data)
	return g.subscribe(data.SubscriptionDataSet) || joined
}

// RegisterWithoutSub notes a heartbeat that says that the subscriptions are as they were.
func (t *Consumers) RegisterWithoutSub(group string, c Client, data protocol.ConsumerData) (changed bool) {
	_, joined := t.join(group, c, data)
	return joined
}

func (t *Consumers) join(group string, c Client, data protocol.ConsumerData) (g *GroupInfo, joined bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g = t.groups[group]
	if g == nil {
		g = &GroupInfo{members: map[uint64]Client{}, subscriptions: map[string]*protocol.SubscriptionData{}}
		t.groups[group] = g
	}
	join(t.joined, c.Peer.ID(), group)
	return g, g.join(c, data)
}

func (g *GroupInfo) join(c Client, data protocol.ConsumerData) (joined bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.consumeType, g.messageModel, g.consumeFrom = data.ConsumeType, data.MessageModel, data.ConsumeFromWhere
	before, known := g.members[c.Peer.ID()]
	g.members[c.Peer.ID()] = c
	return !known || before.ClientID != c.ClientID
}

// subscribe makes the group's subscriptions those of a heartbeat. Of two subscriptions to a topic
// the one with the higher version counts, so that members which disagree do not flap.
func (g *GroupInfo) subscribe(subs []protocol.SubscriptionData) (changed bool) {
	wanted := make(map[string]*protocol.SubscriptionData, len(subs))
	for i := range subs {
		wanted[subs[i].Topic] = &subs[i]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, sub := range wanted {
		old := g.subscriptions[topic]
		if old == nil || sub.SubVersion > old.SubVersion {
			g.subscriptions[topic] = sub
		}
		changed = changed || old == nil
	}
	if len(g.subscriptions) > len(wanted) {
		maps.DeleteFunc(g.subscriptions, func(topic string, _ *protocol.SubscriptionData) bool { return wanted[topic] == nil })
		changed = true
	}
	return changed
}

// Fingerprint notes the fingerprint of a heartbeat's contents and reports whether the sender must
// repeat them in full: the group's previous heartbeat, whoever sent it, had others, or there is
// none and this one left its subscriptions out.
func (t *Consumers) Fingerprint(group string, fingerprint int32, withoutSub bool) (repeat bool) {
	g, ok := t.Group(group)
	if !ok {
		return withoutSub
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.fingerprint
	g.fingerprint = &fingerprint
	if last == nil {
		return withoutSub
	}
	return *last != fingerprint
}

// Unregister ends a connection's membership in a group and reports whether it had one.
func (t *Consumers) Unregister(group string, peer remoting.Peer) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.remove(group, peer.ID())
}

func (t *Consumers) remove(group string, peerID uint64) (changed bool) {
	leave(t.joined, peerID, group)
	g := t.groups[group]
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, changed = g.members[peerID]
	if delete(g.members, peerID); len(g.members) == 0 {
		delete(t.groups, group)
	}
	return changed
}

// Group returns a group that has members.
func (t *Consumers) Group(group string) (*GroupInfo, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	g, ok := t.groups[group]
	return g, ok
}

// Names returns the groups that have members, sorted.
func (t *Consumers) Names() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Sorted(maps.Keys(t.groups))
}

// SubscribersOf returns the groups that have members and subscribe to a topic, sorted.
func (t *Consumers) SubscribersOf(topic string) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var names []string
	for name, g := range t.groups {
		if _, ok := g.Subscription(topic); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Find returns the member of a group that has the given client id; of two the later one, which is
// the client's new connection.
func (t *Consumers) Find(group, clientID string) (Client, bool) {
	g, ok := t.Group(group)
	if !ok {
		return Client{}, false
	}
	clients := g.Channels()
	for _, c := range slices.Backward(clients) {
		if c.ClientID == clientID {
			return c, true
		}
	}
	return Client{}, false
}

// Drop ends all memberships of a connection and returns the groups that it leaves, sorted.
func (t *Consumers) Drop(peer remoting.Peer) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	groups := slices.Sorted(maps.Keys(t.joined[peer.ID()]))
	for _, group := range groups {
		t.remove(group, peer.ID())
	}
	return groups
}

// Expire ends the memberships that were last seen before the given time. It returns the groups
// that lost members, and the connections, which the caller closes.
func (t *Consumers) Expire(beforeMs int64) (changed []string, gone []remoting.Peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	peers := map[uint64]remoting.Peer{}
	for group, g := range t.groups {
		late := g.lastSeenBefore(beforeMs)
		for _, peer := range late {
			peers[peer.ID()] = peer
			t.remove(group, peer.ID())
		}
		if len(late) > 0 {
			changed = append(changed, group)
		}
	}
	slices.Sort(changed)
	return changed, slices.Collect(maps.Values(peers))
}

func (g *GroupInfo) lastSeenBefore(beforeMs int64) []remoting.Peer {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var late []remoting.Peer
	for _, c := range g.members {
		if c.LastSeenMs < beforeMs {
			late = append(late, c.Peer)
		}
	}
	return late
}

// ClientIDs returns the ids of the members, sorted, each once.
func (g *GroupInfo) ClientIDs() []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	ids := make([]string, 0, len(g.members))
	for _, c := range g.members {
		ids = append(ids, c.ClientID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ClientID is the client id of the member with the given connection, empty where there is none.
func (g *GroupInfo) ClientID(peerID uint64) string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.members[peerID].ClientID
}

// Channels returns the members, the longest connected first.
func (g *GroupInfo) Channels() []Client {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return sortedClients(g.members)
}

// Subscription returns what the group subscribes to of a topic. It must not be changed.
func (g *GroupInfo) Subscription(topic string) (*protocol.SubscriptionData, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	sub, ok := g.subscriptions[topic]
	return sub, ok
}

// Subscriptions returns all subscriptions by topic.
func (g *GroupInfo) Subscriptions() map[string]*protocol.SubscriptionData {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return maps.Clone(g.subscriptions)
}

// MessageModel is protocol.Clustering or protocol.Broadcasting.
func (g *GroupInfo) MessageModel() string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.messageModel
}

// ConsumeType is one of protocol.ConsumeActively, ConsumePassively, ConsumePop.
func (g *GroupInfo) ConsumeType() string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.consumeType
}

// ConsumeFromWhere is where a new group starts.
func (g *GroupInfo) ConsumeFromWhere() string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.consumeFrom
}
