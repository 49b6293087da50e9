// SPDX-License-Identifier: Apache-2.0

// The last heartbeat of each connection, as it came and decoded. A client sends the same bytes again every 30 s, and
// decoding them is most of what a heartbeat costs.

package session

import (
	"bytes"
	"sync"

	"rocketd/protocol"
	"rocketd/remoting"
)

// maxHeartbeatKeptBytes bounds what a connection can have remembered. Larger heartbeats are decoded each time.
const maxHeartbeatKeptBytes = 16 << 10

// Heartbeats is the table.
type Heartbeats struct {
	mu   sync.RWMutex
	last map[uint64]heartbeat // by peer
}

type heartbeat struct {
	body []byte
	beat *protocol.Heartbeat
}

// NewHeartbeats returns an empty table.
func NewHeartbeats() *Heartbeats { return &Heartbeats{last: map[uint64]heartbeat{}} }

// Again returns the connection's last heartbeat if its body was the same. Callers must not change it.
func (t *Heartbeats) Again(peer remoting.Peer, body []byte) (*protocol.Heartbeat, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	last, ok := t.last[peer.ID()]
	return last.beat, ok && bytes.Equal(last.body, body)
}

// Keep makes beat, which is what body says, the connection's last heartbeat. It copies body; beat must not change from
// now on.
func (t *Heartbeats) Keep(peer remoting.Peer, body []byte, beat *protocol.Heartbeat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(body) > maxHeartbeatKeptBytes {
		delete(t.last, peer.ID())
		return
	}
	t.last[peer.ID()] = heartbeat{bytes.Clone(body), beat}
}

// Drop forgets a connection that is gone.
func (t *Heartbeats) Drop(peer remoting.Peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, peer.ID())
}
