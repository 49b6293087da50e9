// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

func TestAConnectionsLastHeartbeatIsKnownAgain(t *testing.T) {
	h := NewHeartbeats()
	one, two := &fakePeer{id: 1}, &fakePeer{id: 2}
	known := func(peer *fakePeer, body string) *protocol.Heartbeat {
		beat, _ := h.Again(peer, []byte(body))
		return beat
	}
	first, second := &protocol.Heartbeat{ClientID: "a"}, &protocol.Heartbeat{ClientID: "b"}
	body := []byte("first")
	h.Keep(one, body, first)
	copy(body, "other")
	require.Same(t, first, known(one, "first"), "the body's bytes are the caller's")
	_, ok := h.Again(two, []byte("first"))
	require.False(t, ok, "it is another connection's")

	h.Keep(one, []byte("second"), second)
	_, ok = h.Again(one, []byte("first"))
	require.False(t, ok)
	require.Same(t, second, known(one, "second"))

	h.Keep(one, bytes.Repeat([]byte("x"), maxHeartbeatKeptBytes+1), first)
	require.Empty(t, h.last, "one that is too large takes the place of the last, and is not kept")

	h.Keep(two, []byte("first"), first)
	h.Drop(two)
	require.Empty(t, h.last)
}
