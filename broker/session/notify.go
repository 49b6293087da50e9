// SPDX-License-Identifier: Apache-2.0

// NOTIFY_CONSUMER_IDS_CHANGED(40), sent to the members of a group whose members or subscriptions
// changed, who then share the queues out anew. Java: DefaultConsumerIdsChangeListener.

package session

import (
	"context"
	"maps"
	"slices"
	"sync"

	"rocketd/protocol"
)

// Notify tells groups of their changes. Changes of a group that come while others are being told
// are told once, so that a thousand members that join together cost each other no million
// messages.
type Notify struct {
	consumers *Consumers
	wake      chan struct{}

	mu      sync.Mutex
	pending map[string]bool
}

// NewNotify returns a Notify that sends nothing until Run.
func NewNotify(consumers *Consumers) *Notify {
	return &Notify{consumers: consumers, wake: make(chan struct{}, 1), pending: map[string]bool{}}
}

// NotifyChanged has every member of the group told soon.
func (n *Notify) NotifyChanged(group string) {
	n.mu.Lock()
	n.pending[group] = true
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends.
func (n *Notify) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		}
		n.mu.Lock()
		groups := slices.Sorted(maps.Keys(n.pending))
		clear(n.pending)
		n.mu.Unlock()
		for _, group := range groups {
			n.tell(group)
		}
	}
}

// tell sends to each member. One that cannot be reached has its connection closed by others, and
// its going is a change in turn.
func (n *Notify) tell(group string) {
	g, ok := n.consumers.Group(group)
	if !ok {
		return
	}
	req := protocol.NewRequest(protocol.NotifyConsumerIDsChanged, &protocol.NotifyConsumerIDsChangedHeader{ConsumerGroup: group})
	req.Flag |= protocol.FlagOneway
	for _, c := range g.Channels() {
		_ = c.Peer.Oneway(req)
	}
}
