// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol/message"
	"rocketd/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fakeLog holds half messages and op records in memory, and what happened in which order.
type fakeLog struct {
	clock    clockwork.Clock
	queues   map[string][]*message.Message
	all      []*message.Message
	events   []string
	putError error
	slow     int // so many waits for the disk are too short
	progress map[string]int64
}

func (l *fakeLog) QueueRange(topic string, _ int32) (int64, int64, bool) {
	return 0, int64(len(l.queues[topic])), l.queues[topic] != nil
}

func (l *fakeLog) Queues(string) []int32 { return []int32{0} }

func (l *fakeLog) TagsCodeAt(topic string, _ int32, offset int64) (int64, int32, int64, bool) {
	if offset < 0 || offset >= int64(len(l.queues[topic])) {
		return 0, 0, 0, false
	}
	return l.queues[topic][offset].PhyOffset, 0, 0, true
}

func (l *fakeLog) Message(phyOffset int64) (*message.Message, error) {
	if m := l.all[phyOffset]; m != nil {
		copied := *m
		return &copied, nil
	}
	return nil, store.ErrNotFound
}

func (l *fakeLog) Put(m *message.Message) (store.Receipt, error) {
	if l.putError != nil {
		return store.Receipt{}, l.putError
	}
	copied := *m
	copied.PhyOffset, copied.QueueOffset, copied.StoreTimestampMs = int64(len(l.all)), int64(len(l.queues[m.Topic])), l.clock.Now().UnixMilli()
	l.all = append(l.all, &copied)
	l.queues[m.Topic] = append(l.queues[m.Topic], &copied)
	l.events = append(l.events, "put "+m.Topic)
	return store.Receipt{PhyOffset: copied.PhyOffset, QueueOffset: copied.QueueOffset, StoreTimestampMs: copied.StoreTimestampMs}, nil
}

func (l *fakeLog) Marks() store.Marks { return store.Marks{Appended: int64(len(l.all))} }

func (l *fakeLog) AwaitFlush(_ context.Context, end int64) error {
	l.events = append(l.events, fmt.Sprint("flush ", end))
	if l.slow--; l.slow >= 0 {
		return store.ErrFlushTimeout
	}
	return nil
}

func (l *fakeLog) Query(_, topic string, _ int32) (int64, bool) {
	offset, ok := l.progress[topic]
	return offset, ok
}

func (l *fakeLog) Commit(group, topic string, _ int32, offset int64) {
	l.progress[topic] = offset
	l.events = append(l.events, fmt.Sprintf("commit %s %s %d", group, topic, offset))
}

type fixture struct {
	*Service
	t     *testing.T
	log   *fakeLog
	clock *clockwork.FakeClock
	asked []string
}

func newFixture(t *testing.T) *fixture {
	clock := clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	f := &fixture{t: t, clock: clock, log: &fakeLog{clock: clock, queues: map[string][]*message.Message{}, progress: map[string]int64{}}}
	f.Service = New(Deps{
		Log: f.log, Offsets: f.log, Host: netip.MustParseAddrPort("127.0.0.1:10911"), Clock: clock, Logger: zerolog.Nop(),
		Limits: func() Limits {
			return Limits{Timeout: 6 * time.Second, Every: 30 * time.Second, MaxChecks: 15, MaxAge: 72 * time.Hour, OpMaxBytes: 10, OpEvery: 3 * time.Second}
		},
		Ask:    func(half *message.Message) { f.asked = append(f.asked, string(half.Body)) },
		Place:  func(*message.Message) {},
		GiveUp: func() error { return nil },
	})
	return f
}

// half stores a half message.
func (f *fixture) half(body string) *message.Message {
	f.t.Helper()
	m := &message.Message{Topic: "T", QueueID: 3, BornTimestampMs: f.clock.Now().UnixMilli(), Body: []byte(body), StoreHost: f.host, BornHost: f.host}
	Prepare(m)
	require.NoError(f.t, f.put(m))
	return m
}

func (f *fixture) check() {
	f.t.Helper()
	require.NoError(f.t, f.round(context.Background(), 0))
}

func TestProgressWaitsForTheDisk(t *testing.T) {
	f := newFixture(t)
	f.half("m")
	f.clock.Advance(7 * time.Second)
	f.log.slow = 2
	f.check()
	require.Equal(t, []string{"m"}, f.asked)
	require.Equal(t, []string{
		"put " + message.HalfTopic, "put " + message.HalfTopic, "flush 2", "flush 2", "flush 2", "commit CID_RMQ_SYS_TRANS " + message.HalfTopic + " 1",
	}, f.log.events)
}

// A record of decisions is read again until the rounds have come to all that it names.
func TestARecordIsReadAgainUntilItsLastMessageIsPassed(t *testing.T) {
	f := newFixture(t)
	first := f.half("first")
	f.clock.Advance(7 * time.Second)
	f.half("young")
	last := f.half("last")
	require.NoError(t, f.Rollback(first))
	require.NoError(t, f.Rollback(last))
	f.clock.Advance(time.Second)
	f.check()
	require.Equal(t, map[string]int64{message.HalfTopic: 1}, f.log.progress)
	f.clock.Advance(6 * time.Second)
	again := newFixture(t) // whatever was only in memory is gone
	again.log, again.Service.log, again.offsets, again.Service.clock = f.log, f.log, f.log, f.clock
	again.check()
	require.Equal(t, []string{"young"}, again.asked)
	require.Equal(t, map[string]int64{message.HalfTopic: 3, message.OpHalfTopic: 1}, f.log.progress)
}

func TestDecisionsAreWrittenInPieces(t *testing.T) {
	f := newFixture(t)
	for i := range 12 {
		require.NoError(t, f.Rollback(f.half(fmt.Sprint(i))))
	}
	_, err := f.writeOps(true)
	require.NoError(t, err)
	var bodies []string
	for _, op := range f.log.queues[message.OpHalfTopic] {
		bodies = append(bodies, string(op.Body))
	}
	require.Equal(t, []string{"0,1,2,3,4,", "5,6,7,8,9,", "10,11,"}, bodies)
	f.check()
	require.Empty(t, f.asked)
	require.EqualValues(t, 12, f.log.progress[message.HalfTopic])
	require.EqualValues(t, 3, f.log.progress[message.OpHalfTopic])
}

// Java 4.x writes a record a decision, without a comma.
func TestForeignRecords(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		f.half(fmt.Sprint(i))
	}
	for _, op := range []struct{ tag, body string }{{"d", "1"}, {"x", "0"}, {"d", "a,,3,9223372036854775808,-7"}, {"d", "3"}, {"d", ""}} {
		require.NoError(t, f.put(&message.Message{Topic: message.OpHalfTopic, Body: []byte(op.body),
			Properties: string(message.AppendProperty(nil, message.PropTags, op.tag))}))
	}
	f.clock.Advance(7 * time.Second)
	f.check()
	require.Equal(t, "0 2 4", strings.Join(f.asked, " "))
	require.EqualValues(t, 5, f.log.progress[message.HalfTopic])
	require.EqualValues(t, 5, f.log.progress[message.OpHalfTopic])
}

func TestAFullStoreStopsTheRound(t *testing.T) {
	f := newFixture(t)
	decided := f.half("decided")
	f.half("undecided")
	f.clock.Advance(7 * time.Second)
	f.log.putError = errors.New("full")
	require.NoError(t, f.Rollback(decided))
	require.ErrorContains(t, f.round(context.Background(), 0), "full")
	require.Empty(t, f.asked)
	require.Empty(t, f.log.progress, "nothing is passed by")
	for i := 0; ; i++ {
		if err := f.Rollback(decided); err != nil {
			require.ErrorIs(t, err, ErrOpsPending)
			break
		}
		require.Less(t, i, maxPendingOp, "what waits is bounded")
	}
	f.log.putError = nil
	f.check()
	require.Equal(t, []string{"undecided"}, f.asked)
}

// A half message that is gone, or whose target cannot be, holds up no other.
func TestHalfMessagesThatAreNone(t *testing.T) {
	f := newFixture(t)
	gone := f.half("gone")
	for _, set := range [][2]string{{message.PropRealTopic, "../x"}, {message.PropRealTopic, message.HalfTopic}, {message.PropRealQID, "-1"}, {message.PropRealQID, "x"}} {
		m := f.half(set[0])
		m.SetProperty(set[0], set[1])
		require.ErrorIs(t, f.Commit(m), ErrNoTarget)
		_, err := Shown(m)
		require.ErrorIs(t, err, ErrNoTarget)
	}
	last := f.half("last")
	f.log.all[gone.PhyOffset] = nil
	f.clock.Advance(7 * time.Second)
	f.check()
	require.Equal(t, "last", f.asked[len(f.asked)-1])
	require.EqualValues(t, last.QueueOffset+1, f.log.progress[message.HalfTopic])
}

func TestImmunity(t *testing.T) {
	for text, want := range map[string]time.Duration{"x": 6 * time.Second, "-1": 6 * time.Second, "1": 6 * time.Second,
		"60": time.Minute, strconv.FormatInt(1<<62, 10): time.Duration(1<<63-1) / time.Second * time.Second} {
		m := &message.Message{}
		m.SetProperty(message.PropCheckImmunity, text)
		span, own := immunity(m, 6*time.Second)
		require.Equal(t, want, span, text)
		require.True(t, own, text)
	}
	span, own := immunity(&message.Message{}, 6*time.Second)
	require.Equal(t, 6*time.Second, span)
	require.False(t, own)
}
