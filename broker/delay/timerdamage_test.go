// SPDX-License-Identifier: Apache-2.0

package delay

import (
	"context"
	"fmt"
	"math/rand"
	"strconv"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol/message"
	"rocketd/store"
	"rocketd/store/vfs"
)

// timerQueue is the timer's queue in memory, a message each thousand bytes of the log, and what was put.
type timerQueue struct {
	waiting []*message.Message
	put     map[string]int // by body
}

func (q *timerQueue) QueueRange(string, int32) (min, max int64, ok bool) {
	return 0, int64(len(q.waiting)), true
}

func (q *timerQueue) TagsCodeAt(_ string, _ int32, offset int64) (phyOffset int64, size int32, tagsCode int64, ok bool) {
	return 1000 * offset, 1000, 0, offset >= 0 && offset < int64(len(q.waiting))
}

func (q *timerQueue) Message(phyOffset int64) (*message.Message, error) {
	if i := phyOffset / 1000; phyOffset%1000 == 0 && i >= 0 && i < int64(len(q.waiting)) {
		return q.waiting[i], nil
	}
	return nil, store.ErrNotFound
}

func (q *timerQueue) Put(m *message.Message) (store.Receipt, error) {
	q.put[string(m.Body)]++
	return store.Receipt{}, nil
}

func (q *timerQueue) Marks() store.Marks                      { return store.Marks{} }
func (q *timerQueue) AwaitFlush(context.Context, int64) error { return nil }

func (q *timerQueue) send(dueMs int64) {
	i := len(q.waiting)
	m := &message.Message{Topic: message.TimerTopic, Body: fmt.Append(nil, i), QueueOffset: int64(i), PhyOffset: int64(1000 * i)}
	m.SetProperty(message.PropTimerOutMs, strconv.FormatInt(dueMs, 10))
	m.SetProperty(message.PropRealTopic, "T")
	m.SetProperty(message.PropRealQID, "0")
	q.waiting = append(q.waiting, m)
}

type uncounted struct{}

func (uncounted) Add(int64) {}

func newTestTimer(disk vfs.FS, q *timerQueue, clock clockwork.Clock) *Timer {
	return NewTimer(TimerConfig{Root: "/store", Precision: time.Second, RollSlots: 172_800, FileSize: 52*6 + 20}, TimerDeps{
		FS: disk, Log: q, Entered: uncounted{}, Fired: uncounted{}, Clock: clock, Logger: zerolog.Nop(), Limits: func() TimerLimits { return TimerLimits{SaveEvery: time.Second} },
	})
}

// Whatever stands in the timer's files: a start ends, with the timer or with an error, and what the timer does then ends too.
func TestDamagedTimerFiles(t *testing.T) {
	for seed := int64(0); seed < 60; seed += int64(testkit.Sparse(6)) {
		rng := rand.New(rand.NewSource(seed))
		disk, clock, q := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000)), &timerQueue{put: map[string]int{}}
		require.NoError(t, disk.MkdirAll("/store"))
		timer := newTestTimer(disk, q, clock)
		require.NoError(t, timer.Open())
		for range 20 {
			q.send(clock.Now().UnixMilli() + int64(rng.Intn(10_000)))
		}
		_, err := timer.work(context.Background())
		require.NoError(t, err)
		require.NoError(t, timer.save(context.Background()))
		require.NoError(t, timer.Close())

		due := int64(1_700_000_000_000/1000) % wheelSlots * wheelSlotBytes
		spoil(t, rng, disk, []spoilt{{"/store/config/timercheck", 0, 56}, {"/store/timerwheel", due, due + 10*wheelSlotBytes}, {"/store/timerlog/00000000000000000000", 0, 332}})
		timer = newTestTimer(disk, q, clock)
		if err := timer.Open(); err != nil {
			require.ErrorContains(t, err, "/store/")
			continue
		}
		for range 15 {
			clock.Advance(time.Second)
			_, err := timer.work(context.Background())
			require.NoError(t, err)
		}
		require.NoError(t, timer.save(context.Background()))
		require.NoError(t, timer.Close())
		for body, n := range q.put {
			require.LessOrEqual(t, n, 2, "%s, seed %d", body, seed)
		}
	}
}

// spoilt is a part of a file that matters.
type spoilt struct {
	name     string
	from, to int64
}

// spoil changes some bytes of one of the files.
func spoil(t *testing.T, rng *rand.Rand, disk vfs.FS, files []spoilt) {
	t.Helper()
	file := files[rng.Intn(len(files))]
	f, err := disk.Open(file.name, vfs.ReadWrite)
	require.NoError(t, err)
	for range 1 + rng.Intn(20) {
		_, err := f.WriteAt([]byte{byte(rng.Intn(256))}, file.from+rng.Int63n(file.to-file.from))
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
}
