// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
)

const (
	goneFor   = 120 * time.Second
	silentFor = 300 * time.Second
)

func direct(clientID string) Broadcaster { return Broadcaster{"T", "G", clientID, false} }

func proxied(clientID string) Broadcaster { return Broadcaster{"T", "G", clientID, true} }

func TestABroadcasterThatMovesGoesOnWhereItWas(t *testing.T) {
	b := NewBroadcasts(NewConsumers(), clockwork.NewFakeClock())
	moved := func(by Broadcaster, queueID int32, asked int64) string {
		offset, ok := b.Moved(by, queueID, asked)
		return fmt.Sprint(offset, ok)
	}
	require.Equal(t, "-1 false", moved(direct("c"), 0, -1), "the group's first pull")
	require.Equal(t, "-1 true", moved(proxied("c"), 0, -1), "a Proxy asks where to begin")
	require.Equal(t, "-1 false", moved(proxied("c"), 0, 0))
	b.Pulled(proxied("c"), 0, 7)
	require.Equal(t, "-1 false", moved(proxied("c"), 0, 7), "goes on")
	require.Equal(t, "7 true", moved(proxied("c"), 0, -1), "a Proxy that has forgotten")
	require.Equal(t, "7 true", moved(direct("c"), 0, 3), "to the Broker")
	require.Equal(t, "-1 true", moved(direct("c"), 1, 3), "a queue that it has not pulled")
	b.Pulled(direct("c"), 0, 9)
	b.Pulled(direct("c"), 0, 8)
	require.Equal(t, "-1 false", moved(direct("c"), 0, -1))
	require.Equal(t, "9 true", moved(proxied("c"), 0, 2), "and back; what was pulled does not go back")
	require.Equal(t, "-1 false", moved(direct("other"), 0, 3), "each client for itself")
}

func TestTheLowestBroadcasterCountsUntilItHasGone(t *testing.T) {
	clock, consumers := clockwork.NewFakeClock(), NewConsumers()
	heard := consumer("T")
	heard.GroupName = "G"
	consumers.Register("G", newClient(1, "online", clock.Now().UnixMilli()), heard)
	b := NewBroadcasts(consumers, clock)
	b.Pulled(proxied("gone"), 0, 3)
	b.Pulled(direct("online"), 0, 5)
	reached := func() string { return fmt.Sprint(b.Reached(goneFor, silentFor)) }
	require.Equal(t, "[{T G 0 3}]", reached())
	clock.Advance(goneFor - time.Second)
	require.Equal(t, "[{T G 0 3}]", reached())
	clock.Advance(time.Second)
	require.Equal(t, "[{T G 0 5}]", reached(), "gone for 120 s")
	clock.Advance(silentFor - goneFor)
	require.Equal(t, "[{T G 0 5}]", reached(), "there, and silent for 300 s")
	require.Equal(t, "[]", reached())
	require.Zero(t, b.clients)
	require.Empty(t, b.topics)
}

func TestBroadcastersAreBounded(t *testing.T) {
	b := NewBroadcasts(NewConsumers(), clockwork.NewFakeClock())
	for i := range maxBroadcasters + 10 {
		b.Pulled(proxied(fmt.Sprint(i)), 0, 1)
	}
	require.Equal(t, maxBroadcasters, b.clients)
	offset, moved := b.Moved(proxied("one more"), 0, -1)
	require.Equal(t, []any{int64(-1), true}, []any{offset, moved}, "served, and not kept")
	require.Equal(t, maxBroadcasters, b.clients)
}
