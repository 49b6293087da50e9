// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

func TestABroadcasterThatChangesBetweenProxyAndBroker(t *testing.T) {
	b := newBareBroker(t, nil)
	for range 5 {
		b.mustSend("T", "", "x")
	}
	b.mustAsk(protocol.HeartBeat, "", strings.Replace(heartbeatBody("cid", "G", 0, false, "T"), "CLUSTERING", "BROADCASTING", 1))
	pull := func(offset int64, more string, want ...any) {
		t.Helper()
		answer := b.ask(protocol.PullMessage, pullFields("T", offset, more), "")
		next, _ := answer.Field("nextBeginOffset")
		require.Equal(t, want, []any{answer.Code, answer.Remark, next})
	}
	const byProxy = "requestSource=1 proxyFrowardClientId=cid"
	pull(3, "", protocol.Success, "FOUND", "5")
	pull(0, byProxy, protocol.PullOffsetMoved, "OFFSET_RESET", "3")
	pull(4, byProxy, protocol.Success, "FOUND", "5")
	pull(0, "", protocol.PullOffsetMoved, "OFFSET_RESET", "4")
	pull(4, "", protocol.Success, "FOUND", "5")
	pull(-1, "requestSource=1 proxyFrowardClientId=new", protocol.PullOffsetMoved, "OFFSET_RESET", "0")
	pull(2, "requestSource=1 proxyFrowardClientId=new", protocol.Success, "FOUND", "5")

	b.commitBroadcasts()
	reached, ok := b.offsets.Query("G@broadcast", "T", 0)
	require.True(t, ok)
	require.EqualValues(t, 2, reached, "the lowest of the clients")
	pull(-1, "requestSource=1 proxyFrowardClientId=third", protocol.PullOffsetMoved, "OFFSET_RESET", "2")
}

func TestOnlyBroadcastersAreKept(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "", "x")
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "T"))
	b.ask(protocol.PullMessage, pullFields("T", 0, ""), "")
	b.commitBroadcasts()
	_, ok := b.offsets.Query("G@broadcast", "T", 0)
	require.False(t, ok)

	off := newBareBroker(t, func(c *Config) { c.EnableBroadcastOffsetStore = false })
	off.mustSend("T", "", "x")
	answer := off.ask(protocol.PullMessage, pullFields("T", 0, "requestSource=1 proxyFrowardClientId=cid"), "")
	require.Equal(t, protocol.Success, answer.Code)
	off.commitBroadcasts()
	_, ok = off.offsets.Query("G@broadcast", "T", 0)
	require.False(t, ok)
}
