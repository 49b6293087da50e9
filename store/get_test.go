// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// DefaultMessageStoreTest.testGetMessage_* of Java, and the rest of the table.
func TestGetStatuses(t *testing.T) {
	s := newStore(t, vfs.NewMem(), smallConfig("/store"))
	defer s.Close()
	for i := range 10 {
		mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
	}
	_, err := s.queues.ensure("Empty", 0)
	require.NoError(t, err)
	s.queues.get("T", 0).min.Store(2)
	none := func(int64) bool { return false }
	for _, c := range []struct {
		r      GetRequest
		status GetStatus
		next   int64
		count  int
	}{
		{GetRequest{Topic: "Unknown", Offset: 5}, NoMatchedLogicQueue, 0, 0},
		{GetRequest{Topic: "T", QueueID: 9, Offset: 5}, NoMatchedLogicQueue, 0, 0},
		{GetRequest{Topic: "Empty", Offset: 5}, NoMessageInQueue, 0, 0},
		{GetRequest{Topic: "T", Offset: 1}, OffsetTooSmall, 2, 0},
		{GetRequest{Topic: "T", Offset: -1}, OffsetTooSmall, 2, 0},
		{GetRequest{Topic: "T", Offset: math.MinInt64}, OffsetTooSmall, 2, 0},
		{GetRequest{Topic: "T", Offset: 10}, OffsetOverflowOne, 10, 0},
		{GetRequest{Topic: "T", Offset: 11}, OffsetOverflowBadly, 10, 0},
		{GetRequest{Topic: "T", Offset: math.MaxInt64}, OffsetOverflowBadly, 10, 0},
		{GetRequest{Topic: "T", Offset: 2, MaxMsgs: 3}, Found, 5, 3},
		{GetRequest{Topic: "T", Offset: 8, MaxMsgs: 32}, Found, 10, 2},
		{GetRequest{Topic: "T", Offset: 8}, Found, 9, 1}, // the first always comes
		{GetRequest{Topic: "T", Offset: 3, MaxMsgs: 32, MaxBytes: 1}, Found, 4, 1},
		{GetRequest{Topic: "T", Offset: 3, MaxMsgs: 32, MatchTags: none}, NoMatchedMessage, 10, 0},
		{GetRequest{Topic: "T", Offset: 3, MaxMsgs: 32, MatchRecord: func([]byte) bool { return false }}, NoMatchedMessage, 10, 0},
	} {
		b, _ := mustGet(t, s, c.r)
		name := fmt.Sprintf("%+v", c.r)
		require.Equal(t, c.status.String(), b.Status.String(), name)
		require.Equal(t, c.next, b.NextOffset, name)
		require.Equal(t, c.count, b.Count, name)
	}
	// Only every other tag.
	even := func(rec []byte) bool { return message.RecordQueueOffset(rec)%2 == 0 }
	b, ms := mustGet(t, s, GetRequest{Topic: "T", Offset: 2, MaxMsgs: 3, MatchRecord: even})
	require.Equal(t, []int64{2, 4, 6}, []int64{ms[0].QueueOffset, ms[1].QueueOffset, ms[2].QueueOffset})
	require.Equal(t, int64(7), b.NextOffset)
}

func TestGetLimits(t *testing.T) {
	cfg := smallConfig("/store")
	cfg.CommitLogFileSize = 1 << 20
	cfg.QueueTailMaxUnits = 1 << 20
	deps := newDeps(vfs.NewMem())
	deps.Host.MemoryBytes = 100 << 10 // 40 KiB count as in memory
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	defer s.Close()
	for i := range 100 {
		m := newMessage("T", 0, fmt.Sprint(i))
		m.Body = []byte(strings.Repeat("x", 1000))
		mustPut(t, s, m)
	}
	get := func(offset int64) int {
		b, _ := mustGet(t, s, GetRequest{Topic: "T", Offset: offset, MaxMsgs: 32})
		return b.Count
	}
	require.Equal(t, 8, get(0), "on disk: by count")
	require.Equal(t, 32, get(68), "in memory: by count")
	cfg.MaxTransferBytesOnMessageInMemory, cfg.MaxTransferBytesOnMessageInDisk = 5000, 3000
	require.NoError(t, s.SetConfig(cfg))
	require.Equal(t, 2, get(0), "on disk: by bytes")
	require.Equal(t, 4, get(68), "in memory: by bytes")
	require.True(t, s.InMemory(s.Marks().Appended))
	require.False(t, s.InMemory(0))

	// The scan of units is bounded even when nothing matches.
	cfg.MaxFilterMessageSize = 40 * unitBytes
	require.NoError(t, s.SetConfig(cfg))
	b, _ := mustGet(t, s, GetRequest{Topic: "T", MaxMsgs: 1, MatchTags: func(int64) bool { return false }})
	require.Equal(t, NoMatchedMessage, b.Status)
	require.Equal(t, int64(40), b.NextOffset)
}

// The log's file is gone, its units are still there.
func TestGetWasRemoved(t *testing.T) {
	s := newStore(t, vfs.NewMem(), smallConfig("/store"))
	defer s.Close()
	for i := range 60 {
		mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)+strings.Repeat("x", 200)))
	}
	require.NoError(t, s.dispatchAll())
	segs := s.log.segments()
	require.Greater(t, len(segs), 2)
	rest := segs[1:]
	s.log.segs.Store(&rest)
	b, ms := mustGet(t, s, GetRequest{Topic: "T", MaxMsgs: 1})
	require.Equal(t, Found, b.Status)
	require.Equal(t, rest[0].base, ms[0].PhyOffset)
	b, _ = mustGet(t, s, GetRequest{Topic: "T", MaxMsgs: 32, MatchTags: func(int64) bool { return true }, MatchRecord: func([]byte) bool { return false }})
	require.Equal(t, NoMatchedMessage, b.Status)
	s.queues.get("T", 0).raise(s.log.minOffset())
	min, _, _ := s.QueueRange("T", 0)
	require.Equal(t, ms[0].QueueOffset, min)
	segs[0].unpin()
}

// A reader keeps its bytes when their file is removed.
func TestBatchOutlivesSegment(t *testing.T) {
	s := newStore(t, vfs.OS, smallConfig(t.TempDir()))
	defer s.Close()
	mustPut(t, s, newMessage("T", 0, "kept"))
	b, err := s.Get(GetRequest{Topic: "T", MaxMsgs: 1})
	require.NoError(t, err)
	s.log.close()
	require.Contains(t, string(b.Buffers()[0]), "kept")
	b.Release()
	_, err = s.Record(0)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestOffsetByTime(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.UnixMilli(1000))
	deps := newDeps(vfs.NewMem())
	deps.Clock = clock
	s, err := Open(smallConfig("/store"), deps)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.queues.ensure("Empty", 0)
	require.NoError(t, err)
	// Offsets 0-1 at 1000, 2-4 at 2000, 5 at 3000, ... over several queue files.
	for i := range 60 {
		if i == 2 || i >= 5 {
			clock.Advance(time.Second)
		}
		mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
	}
	for _, c := range []struct{ at, lower, upper int64 }{
		{0, 0, 0}, {999, 0, 0}, {1000, 0, 1}, {1500, 2, 1}, {2000, 2, 4}, {2001, 5, 4}, {3000, 5, 5},
		{3001, 6, 5}, {57000, 59, 59}, {57001, 60, 59}, {math.MaxInt64, 60, 59}, {math.MinInt64, 0, 0},
	} {
		lower, err := s.OffsetByTime("T", 0, c.at, false)
		require.NoError(t, err)
		upper, err := s.OffsetByTime("T", 0, c.at, true)
		require.NoError(t, err)
		require.Equal(t, []int64{c.lower, c.upper}, []int64{lower, upper}, "at %d", c.at)
	}
	for _, topic := range []string{"Empty", "Unknown"} {
		got, err := s.OffsetByTime(topic, 0, 5, true)
		require.NoError(t, err)
		require.Zero(t, got)
	}
	at, ok := s.StoreTime("T", 0, 5)
	require.True(t, ok)
	require.Equal(t, int64(3000), at)
	require.Equal(t, int64(1000), s.EarliestStoreTime())
}

// A clock that goes back does not take store times back.
func TestStoreTimesAscend(t *testing.T) {
	s := newStore(t, vfs.NewMem(), smallConfig("/store"))
	defer s.Close()
	first := mustPut(t, s, newMessage("T", 0, "1"))
	s.deps.Clock = clockwork.NewFakeClockAt(time.UnixMilli(5))
	require.Equal(t, first.StoreTimestampMs, mustPut(t, s, newMessage("T", 0, "2")).StoreTimestampMs)
}

// loads is a mapping that notes what is asked to be loaded.
type loads struct {
	vfs.Mapping
	ranges [][2]int64
}

func (m *loads) Load(off, n int64) { m.ranges = append(m.ranges, [2]int64{off, n}) }

// Records that may have left memory are loaded before they are looked at, neighbours at once; those near the end of the
// log are not asked for.
func TestColdRecordsAreLoadedInPieces(t *testing.T) {
	const base, size = 1 << 30, 1 << 20
	m := &loads{}
	seg := &segment{base: base, size: size, m: m, data: make([]byte, size)}
	seg.refs.Store(1)
	l := &commitLog{fileSize: size}
	l.segs.Store(&[]*segment{seg})
	l.appended.Store(base + size + hotBytes)
	b := &Batch{}
	for _, pos := range []int64{1000, 2000, loadBytes, 300 << 10, size - 500} {
		rec, _ := b.slice(l, base+pos, 500)
		require.Len(t, rec, 500)
	}
	rec, _ := b.slice(l, base, 100<<10)
	require.Len(t, rec, 100<<10)
	require.Equal(t, [][2]int64{{1000, 500}, {2000, loadBytes}, {300 << 10, loadBytes}, {size - 500, 500}, {0, 100 << 10}}, m.ranges)
	l.appended.Store(base + hotBytes)
	b.slice(l, base+1000, 500)
	require.Len(t, m.ranges, 5)
	b.Release()
	require.EqualValues(t, 1, seg.refs.Load())
}

// slowLoads is a mapping whose loads last until the test lets them end.
type slowLoads struct {
	vfs.Mapping
	begun chan struct{}
	end   chan struct{}
}

func (m *slowLoads) Load(int64, int64) {
	m.begun <- struct{}{}
	<-m.end
}

// However many consumers read old messages, no more loads than planned wait for the disk at a time.
func TestLoadsAreBounded(t *testing.T) {
	const size, consumers = 1 << 20, 64
	m := &slowLoads{begun: make(chan struct{}, consumers), end: make(chan struct{})}
	seg := &segment{size: size, m: m, data: make([]byte, size)}
	seg.refs.Store(1)
	l := &commitLog{fileSize: size}
	l.segs.Store(&[]*segment{seg})
	l.appended.Store(size + hotBytes)
	var all sync.WaitGroup
	for range consumers {
		all.Go(func() {
			b := &Batch{}
			b.slice(l, 1000, 500)
			b.Release()
		})
	}
	for done := 0; done < consumers; {
		batch := min(cap(loading), consumers-done)
		for range batch {
			<-m.begun
		}
		require.Empty(t, m.begun, "while %d wait for the disk", batch)
		for range batch {
			m.end <- struct{}{}
		}
		done += batch
	}
	all.Wait()
}
