// SPDX-License-Identifier: Apache-2.0

package delay

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

// fakeLog is a schedule topic in memory and the list of what was delivered.
type fakeLog struct {
	clock clockwork.Clock

	mu        sync.Mutex
	low       int64
	waiting   map[int32][]entry // by queue; element 0 is at offset low
	delivered []string          // "body topic/queue"
	putError  error
	puts      int
}

type entry struct {
	dueMs int64
	m     *message.Message
}

func (l *fakeLog) QueueRange(topic string, queueID int32) (int64, int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue, ok := l.waiting[queueID]
	return l.low, l.low + int64(len(queue)), ok && topic == message.ScheduleTopic
}

func (l *fakeLog) TagsCodeAt(_ string, queueID int32, offset int64) (int64, int32, int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.waiting[queueID]
	if i := offset - l.low; i >= 0 && i < int64(len(queue)) {
		return int64(queueID)<<32 | i, 0, queue[i].dueMs, true
	}
	return 0, 0, 0, false
}

func (l *fakeLog) Message(phyOffset int64) (*message.Message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.waiting[int32(phyOffset>>32)][uint32(phyOffset)].m; m != nil {
		return m, nil
	}
	return nil, store.ErrNotFound
}

func (l *fakeLog) Put(m *message.Message) (store.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.puts++
	if l.putError != nil {
		return store.Receipt{}, l.putError
	}
	l.delivered = append(l.delivered, fmt.Sprintf("%s %s/%d", m.Body, m.Topic, m.QueueID))
	return store.Receipt{EndOffset: int64(len(l.delivered)) * 100}, nil
}

func (l *fakeLog) got() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.delivered...)
}

type fakeProgress struct {
	mu      sync.Mutex
	offsets map[int32]int64
}

func (p *fakeProgress) Get(level int32) (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	offset, ok := p.offsets[level]
	return offset, ok
}

func (p *fakeProgress) Put(level int32, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offsets[level] = offset
}

type fixture struct {
	*Levels
	t        *testing.T
	clock    *clockwork.FakeClock
	log      *fakeLog
	progress *fakeProgress
}

// newLevels has three levels of 1 s, 5 s and 10 s.
func newLevels(t *testing.T) *fixture {
	clock := clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	f := &fixture{t: t, clock: clock, log: &fakeLog{clock: clock, waiting: map[int32][]entry{}}, progress: &fakeProgress{offsets: map[int32]int64{}}}
	f.Levels = New([]time.Duration{time.Second, 5 * time.Second, 10 * time.Second}, f.log, f.progress, clock, zerolog.Nop())
	return f
}

func (f *fixture) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		require.NoError(f.t, f.Run(ctx))
	}()
	f.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// send lets a message wait in a level for topic T, queue 2.
func (f *fixture) send(level int32, body string, dueIn time.Duration) {
	f.sendTo(level, body, dueIn, "T", "2")
}

func (f *fixture) sendTo(level int32, body string, dueIn time.Duration, topic, queue string) {
	m := &message.Message{Topic: message.ScheduleTopic, QueueID: level - 1, Body: []byte(body)}
	m.SetProperty(message.PropDelay, "1")
	m.SetProperty(message.PropRealTopic, topic)
	m.SetProperty(message.PropRealQID, queue)
	f.log.mu.Lock()
	f.log.waiting[level-1] = append(f.log.waiting[level-1], entry{f.clock.Now().Add(dueIn).UnixMilli(), m})
	f.log.mu.Unlock()
	f.Arrive(level - 1)
}

func (f *fixture) expect(want ...string) {
	f.t.Helper()
	testkit.Eventually(f.t, func() bool { return len(f.log.got()) >= len(want) }, fmt.Sprint("delivered ", want))
	require.Equal(f.t, want, f.log.got())
}

func (f *fixture) settled(level int32) int64 {
	f.Settle(1 << 40)
	offset, _ := f.progress.Get(level)
	return offset
}

func TestMessagesAreDeliveredWhenDueAndInOrder(t *testing.T) {
	f := newLevels(t)
	f.run()
	f.send(2, "a", 5*time.Second)
	f.send(1, "b", time.Second)
	require.NoError(t, f.clock.BlockUntilContext(t.Context(), 2))
	f.clock.Advance(999 * time.Millisecond)
	require.Empty(t, f.log.got())
	f.send(1, "c", time.Second)
	f.clock.Advance(time.Millisecond)
	f.expect("b T/2")
	require.NoError(t, f.clock.BlockUntilContext(t.Context(), 2))
	f.clock.Advance(time.Second)
	f.expect("b T/2", "c T/2")
	f.clock.Advance(3 * time.Second)
	f.expect("b T/2", "c T/2", "a T/2")
	testkit.Eventually(t, func() bool { return f.settled(1) == 2 && f.settled(2) == 1 }, "progress")
}

func TestAMessageDueTooLateIsDueAtOnce(t *testing.T) {
	f := newLevels(t)
	f.send(1, "a", time.Hour)
	f.run()
	f.expect("a T/2")
}

func TestDeliveryGoesOnWhereItStopped(t *testing.T) {
	for _, c := range []struct {
		name       string
		low, saved int64
		want       string
	}{
		{"inside", 10, 11, "[b T/2]"},
		{"below", 10, 3, "[a T/2 b T/2]"},
		{"above", 10, 99, "[]"},
		{"new", 0, 0, "[a T/2 b T/2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newLevels(t)
			f.log.low = c.low
			f.progress.Put(1, c.saved)
			f.send(1, "a", 0)
			f.send(1, "b", 0)
			f.run()
			testkit.Eventually(t, func() bool { return f.settled(1) == c.low+2 }, "all dealt with")
			require.Equal(t, c.want, fmt.Sprint(f.log.got()))
		})
	}
}

// A delayOffset.json that outlived its data directory must not make the new queue's first messages skipped.
func TestProgressOfAQueueThatIsGoneCountsForNothing(t *testing.T) {
	f := newLevels(t)
	f.progress.Put(1, 50)
	f.run()
	testkit.Eventually(t, f.Unsettled, "corrected")
	f.send(1, "a", 0)
	f.expect("a T/2")
}

func TestAPutThatFailsIsTriedAgain(t *testing.T) {
	f := newLevels(t)
	f.log.putError = errors.New("disk full")
	f.send(1, "a", 0)
	f.send(1, "b", 0)
	f.run()
	wait := firstRetry
	for i := 1; i <= 10; i++ {
		testkit.Eventually(t, func() bool {
			f.log.mu.Lock()
			defer f.log.mu.Unlock()
			return f.log.puts == i
		}, "tried")
		require.NoError(t, f.clock.BlockUntilContext(t.Context(), 1))
		require.Zero(t, f.settled(1), "no progress")
		if i == 10 {
			f.log.mu.Lock()
			f.log.putError = nil
			f.log.mu.Unlock()
		}
		f.clock.Advance(wait)
		wait = min(2*wait, lastRetry)
	}
	f.expect("a T/2", "b T/2")
}

func TestWhatCanNeverBeDeliveredKeepsNobodyWaiting(t *testing.T) {
	f := newLevels(t)
	f.sendTo(1, "half", 0, message.HalfTopic, "0")
	f.sendTo(1, "path", 0, "../../etc", "0")
	f.sendTo(1, "queue", 0, "T", "-1")
	f.sendTo(1, "no topic", 0, "", "0")
	f.log.waiting[0] = append(f.log.waiting[0], entry{})
	f.send(1, "good", 0)
	f.run()
	f.expect("good T/2")
	testkit.Eventually(t, func() bool { return f.settled(1) == 6 }, "all dealt with")
}

func TestOnlyDurableDeliveryIsProgress(t *testing.T) {
	f := newLevels(t)
	f.send(1, "a", 0)
	f.run()
	f.expect("a T/2")
	testkit.Eventually(t, f.Unsettled, "delivered")
	f.Settle(99)
	_, ok := f.progress.Get(1)
	require.False(t, ok)
	f.Settle(100)
	offset, _ := f.progress.Get(1)
	require.EqualValues(t, 1, offset)
	require.False(t, f.Unsettled())
}
