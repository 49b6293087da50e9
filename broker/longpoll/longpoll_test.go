// SPDX-License-Identifier: Apache-2.0

package longpoll

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type fixture struct {
	*Table
	t     *testing.T
	clock *clockwork.FakeClock
	stop  func()
}

func newTable(t *testing.T, limit int) *fixture {
	clock := clockwork.NewFakeClock()
	f := &fixture{Table: New(clock, limit), t: t, clock: clock}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		require.NoError(t, f.Run(ctx))
	}()
	f.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(f.stop)
	return f
}

// park parks a request for T@0 and returns how often it was woken.
func (f *fixture) park(offset int64, hold time.Duration, match func(store.Arrival) bool) *atomic.Int32 {
	f.t.Helper()
	woken := new(atomic.Int32)
	ok := f.Park(Parking{
		Key: Key{"T", 0}, Offset: offset, Deadline: f.clock.Now().Add(hold), Peer: 7, Match: match,
		Wake: func() { woken.Add(1) },
	})
	require.True(f.t, ok)
	return woken
}

func (f *fixture) arrive(offset, tagsCode int64) {
	f.Arrive(store.Arrival{Topic: "T", QueueOffset: offset, TagsCode: tagsCode})
}

// advance moves the clock once Run sleeps, so that its timer sees it.
func (f *fixture) advance(d time.Duration) {
	f.t.Helper()
	require.NoError(f.t, f.clock.BlockUntilContext(f.t.Context(), 1))
	f.clock.Advance(d)
}

func TestAnArrivalWakesWhoWaitsForIt(t *testing.T) {
	f := newTable(t, 10)
	here := f.park(5, time.Hour, nil)
	later := f.park(6, time.Hour, nil)
	f.Arrive(store.Arrival{Topic: "T", QueueID: 1, QueueOffset: 9})
	f.arrive(4, 0)
	require.Zero(t, here.Load())
	f.arrive(5, 0)
	require.EqualValues(t, 1, here.Load())
	require.Zero(t, later.Load())
	f.arrive(9, 0)
	require.EqualValues(t, 1, here.Load(), "once")
	require.EqualValues(t, 1, later.Load())
	require.Zero(t, f.Len())
}

func TestARequestPassedOverIsWokenEarly(t *testing.T) {
	f := newTable(t, 10)
	woken := f.park(0, time.Hour, func(a store.Arrival) bool { return a.TagsCode == 1 })
	f.arrive(0, 2)
	require.Zero(t, woken.Load())
	f.advance(recheckAfter)
	testkit.Eventually(t, func() bool { return woken.Load() == 1 }, "woken after the recheck time")
}

func TestADeadlineWakes(t *testing.T) {
	f := newTable(t, 10)
	long := f.park(0, time.Hour, nil)
	short := f.park(0, time.Second, nil) // earlier than the one that Run already sleeps for
	testkit.Eventually(t, func() bool {
		f.clock.Advance(time.Second / 10)
		return short.Load() == 1
	}, "woken at the deadline")
	require.Zero(t, long.Load())
}

func TestRecheckAndDropWake(t *testing.T) {
	f := newTable(t, 10)
	woken := f.park(3, time.Hour, func(store.Arrival) bool { return false })
	f.Recheck(Key{"T", 0}, 2)
	require.Zero(t, woken.Load())
	f.Recheck(Key{"T", 0}, 3)
	require.EqualValues(t, 1, woken.Load())
	mine := f.park(3, time.Hour, nil)
	f.Drop(8)
	require.Zero(t, mine.Load())
	f.Drop(7)
	require.EqualValues(t, 1, mine.Load())
}

func TestTheTableIsBounded(t *testing.T) {
	f := newTable(t, 1)
	f.park(0, time.Hour, nil)
	require.False(t, f.Park(Parking{Key: Key{"T", 0}, Deadline: f.clock.Now().Add(time.Hour), Wake: func() { t.Error("woken") }}))
	require.Equal(t, 1, f.Len())
}

func TestTheEndWakesAllAndTakesNoMore(t *testing.T) {
	f := newTable(t, 10)
	woken := f.park(0, time.Hour, nil)
	f.stop()
	require.EqualValues(t, 1, woken.Load())
	require.False(t, f.Park(Parking{Key: Key{"T", 0}, Wake: func() { t.Error("woken") }}))
}
