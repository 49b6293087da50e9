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
	view, ok := s.View("TOPIC_PUT_SIZE", "T")
	require.True(t, ok)
	require.Equal(t, Figures{}, view.Of(Hour), "no snapshot yet")
	_, ok = s.View("GROUP_GET_NUMS", "T@G")
	require.True(t, ok)
	for _, unknown := range [][2]string{{"GROUP_GET_NUMS", "T@other"}, {"SNDBCK_PUT_NUMS", "T@G"}, {"NONE", "T"}} {
		_, ok = s.View(unknown[0], unknown[1])
		require.False(t, ok, unknown)
	}
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

// The figures are those of Java's StatsItem: from the first snapshot that is kept to the last.
func TestFigures(t *testing.T) {
	c := &counter{}
	c.sampleAt(Minute, 0)
	require.Equal(t, Figures{}, c.figures(Minute, false), "nothing was counted")
	c.add(50, 5000, 10)
	c.sampleAt(Minute, 1_000_000)
	c.sampleAt(Hour, 1_000_000)
	require.Equal(t, Figures{Sum: 50, PerSecond: 5, PerCall: 5}, c.figures(Minute, false))
	require.Equal(t, Figures{Sum: 5000, PerSecond: 500, PerCall: 500}, c.figures(Minute, true))
	require.Equal(t, Figures{Sum: 50, PerSecond: 50.0 / 600, PerCall: 5}, c.figures(Hour, false))
	for i := range int64(7) {
		c.add(6, 0, 0)
		c.sampleAt(Minute, 1_010_000+i*10_000)
	}
	require.Equal(t, Figures{Sum: 36, PerSecond: 0.6}, c.figures(Minute, false), "the first snapshots have gone")
}
