// SPDX-License-Identifier: Apache-2.0

// Package session knows who is connected: which clients produce for a group, which consume for it
// and what they subscribe to, and who holds which queue. All of it is in memory and comes back
// with the clients' heartbeats.
//
// producers.go: the producers. Java: ProducerManager.
package session

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"rocketd/protocol"
	"rocketd/remoting"
)

// Client is one connection of a client as a member of a group. A client that reconnects is two
// members until its old connection is gone.
type Client struct {
	Peer       remoting.Peer
	ClientID   string
	Language   protocol.Language
	Version    int32
	LastSeenMs int64
}

// Producers is who produces for which group.
type Producers struct {
	mu     sync.RWMutex
	groups map[string]map[uint64]Client // group -> peer -> member
	joined map[uint64]map[string]bool   // peer -> its groups, so that a closed connection costs only these
}

// NewProducers returns an empty table.
func NewProducers() *Producers {
	return &Producers{groups: map[string]map[uint64]Client{}, joined: map[uint64]map[string]bool{}}
}

// Register adds a member or notes that it was seen.
func (p *Producers) Register(group string, c Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	members := p.groups[group]
	if members == nil {
		members = map[uint64]Client{}
		p.groups[group] = members
	}
	members[c.Peer.ID()] = c
	join(p.joined, c.Peer.ID(), group)
}

// Unregister ends a connection's membership in a group.
func (p *Producers) Unregister(group string, peer remoting.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(group, peer.ID())
}

func (p *Producers) remove(group string, peerID uint64) {
	members := p.groups[group]
	if delete(members, peerID); len(members) == 0 {
		delete(p.groups, group)
	}
	leave(p.joined, peerID, group)
}

// Channels returns the members of a group, the longest connected first.
func (p *Producers) Channels(group string) []Client {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return sortedClients(p.groups[group])
}

// Find returns the producer with a client id; of two connections the later one.
func (p *Producers) Find(clientID string) (found Client, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, members := range p.groups {
		for _, c := range members {
			if c.ClientID == clientID && (!ok || c.Peer.ID() > found.Peer.ID()) {
				found, ok = c, true
			}
		}
	}
	return found, ok
}

// All returns the members of every group.
func (p *Producers) All() map[string][]Client {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make(map[string][]Client, len(p.groups))
	for group, members := range p.groups {
		all[group] = sortedClients(members)
	}
	return all
}

// Drop ends all memberships of a connection.
func (p *Producers) Drop(peer remoting.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for group := range p.joined[peer.ID()] {
		p.remove(group, peer.ID())
	}
}

// Expire ends the memberships that were last seen before the given time and returns their
// connections, which the caller closes.
func (p *Producers) Expire(beforeMs int64) []remoting.Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	gone := map[uint64]remoting.Peer{}
	for group, members := range p.groups {
		for id, c := range members {
			if c.LastSeenMs < beforeMs {
				gone[id] = c.Peer
				p.remove(group, id)
			}
		}
	}
	return slices.Collect(maps.Values(gone))
}

func join(joined map[uint64]map[string]bool, peerID uint64, group string) {
	groups := joined[peerID]
	if groups == nil {
		groups = map[string]bool{}
		joined[peerID] = groups
	}
	groups[group] = true
}

func leave(joined map[uint64]map[string]bool, peerID uint64, group string) {
	groups := joined[peerID]
	if delete(groups, group); len(groups) == 0 {
		delete(joined, peerID)
	}
}

func sortedClients(members map[uint64]Client) []Client {
	return slices.SortedFunc(maps.Values(members), func(a, b Client) int { return cmp.Compare(a.Peer.ID(), b.Peer.ID()) })
}
