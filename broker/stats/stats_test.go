// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"context"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestRatesAndMornings(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Date(2024, 1, 1, 23, 59, 0, 0, time.Local))
	s := New(clock, func(topic string) bool { return topic == "system" })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		require.NoError(t, s.Run(ctx))
	}()
	seconds := 0
	tick := func() {
		require.NoError(t, clock.BlockUntilContext(ctx, 1))
		clock.Advance(time.Second)
		seconds++
		testkit.Eventually(t, func() bool { return s.PutMessages.newest() == clock.Now().UnixMilli() }, "sampled")
	}
	for range 30 {
		s.Put("T", 5, 500)
		s.Get("T", "G", 2, 200)
		tick()
	}
	require.InDelta(t, 5, s.PutMessages.Rate(10), 0.01)
	require.InDelta(t, 500, s.PutBytes.Rate(10), 0.01)
	require.InDelta(t, 5, s.PutRate("T"), 0.6)
	require.InDelta(t, 2, s.GetRate("T", "G"), 0.3)
	require.Zero(t, s.PutRate("other"))
	for range 20 {
		tick()
	}
	require.Zero(t, s.PutMessages.Rate(10))
	require.InDelta(t, 3, s.PutMessages.Rate(600), 0.01)
	for range 20 {
		tick()
	}
	puts, gets := s.UserTotals()
	s.Put("system", 7, 70)
	s.Get("system", "G", 7, 70)
	putsNow, getsNow := s.UserTotals()
	require.Equal(t, []int64{puts, gets}, []int64{putsNow, getsNow}, "the broker's own messages count for nobody")
	require.EqualValues(t, 157, s.PutMessages.Total())
	_, today, _, getToday := s.Mornings()
	require.EqualValues(t, []int64{150, 60}, []int64{today, getToday})
	s.Forget("T")
	require.Zero(t, s.PutRate("T"))
	cancel()
	<-ended
}

func (m *Meter) newest() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.samples[(m.next-1+len(m.samples))%len(m.samples)].atMs
}
