// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// pullAll returns the bodies of queue 0 of a topic, pulled in several steps.
func (w *wire) pullAll(t *testing.T, topic string) (bodies []string) {
	t.Helper()
	for {
		answer := w.ask(protocol.PullMessage, pullFields(topic, int64(len(bodies)), ""), "")
		if answer.Code != protocol.Success {
			return bodies
		}
		bodies = append(bodies, bodiesOf(t, answer.Body)...)
	}
}

// A whole broker lives in memory: nothing of it needs a disk or a socket.
func TestABrokerInMemoryKeepsItsMessages(t *testing.T) {
	disk := vfs.NewMem()
	var want []string
	for round := range 3 {
		b := newBroker(t, disk, clockwork.NewRealClock(), nil)
		w := dial(t, b, "10911")
		require.Equal(t, want, w.pullAll(t, "T"))
		for i := range 40 {
			body := fmt.Sprint(round, "-", i)
			answer := w.ask(protocol.SendMessage, sendFields("T", ""), body)
			require.Equal(t, protocol.Success, answer.Code, answer.Remark)
			want = append(want, body)
		}
		require.Equal(t, want, w.pullAll(t, "T"))
		require.Equal(t, protocol.Success, w.ask(protocol.UpdateConsumerOffset, fmt.Sprintf("consumerGroup=G topic=T queueId=0 commitOffset=%d", len(want)), "").Code)
		require.NoError(t, b.stop())
	}
	b := newBroker(t, disk, clockwork.NewRealClock(), nil)
	answer := dial(t, b, "10911").ask(protocol.QueryConsumerOffset, "consumerGroup=G topic=T queueId=0", "")
	offset, _ := answer.Field("offset")
	require.Equal(t, fmt.Sprint(len(want)), offset)
}

// On a full disk a send is refused with the cause; old files go, and it works again.
func TestAFullDiskRefusesAndHeals(t *testing.T) {
	disk, clock := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	b := newBroker(t, disk, clock, func(c *Config) { c.CommitLogFileSize = 64 << 10; c.DeleteWhen = "99" })
	w := dial(t, b, "10911")
	for i := range 60 {
		require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), strings.Repeat("x", 8000)).Code, i)
	}
	disk.SetCapacity(disk.Used() * 100 / 95)
	send := func() *protocol.Command {
		clock.Advance(5 * time.Second)
		return w.ask(protocol.SendMessage, sendFields("T", ""), "y")
	}
	testkit.Eventually(t, func() bool { return send().Code == protocol.ServiceNotAvailable }, "a send to be refused")
	remark := b.putOutcome(b.store.Writeable()).Error()
	require.Contains(t, remark, "service not available now. It may be caused by one of the following reasons: the broker's disk is full [CL:  0.9")
	// the log and the rest share the partition: whichever was looked at last may be the fuller by a write
	require.Regexp(t, "of the partition of /store(/commitlog)? are used, more than diskSpaceWarningLevelRatio=90", remark)
	testkit.Eventually(t, func() bool { return send().Code == protocol.Success }, "sends to be taken again")
	low, _, _ := b.store.QueueRange("T", 0)
	require.Positive(t, low)
	answer := w.ask(protocol.PullMessage, pullFields("T", 0, ""), "")
	require.Equal(t, protocol.PullOffsetMoved, answer.Code)
	next, _ := answer.Field("nextBeginOffset")
	require.Equal(t, fmt.Sprint(low), next)
}

func TestCleaningOnDemand(t *testing.T) {
	b := newBareBroker(t, func(c *Config) { c.CommitLogFileSize = 4096; c.DeleteWhen = "99" })
	put := func(topic string, queue int32) {
		_, err := b.store.Put(&message.Message{Topic: topic, QueueID: queue, Body: make([]byte, 1000),
			BornHost: b.storeHost, StoreHost: b.storeHost})
		require.NoError(t, err)
	}
	require.NoError(t, b.topics.Put(protocol.NewTopicConfig("T", 1, 1, 6)))
	for _, topic := range []string{"T", "Gone", message.ScheduleTopic} {
		put(topic, 0)
	}
	put("T", 5)
	for range 8 {
		put("Fresh", 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.store.Run(ctx) }()
	b.mustAsk(protocol.CleanExpiredConsumeQueue, "", "")
	require.Equal(t, []string{"Fresh", "Gone", message.ScheduleTopic, "T"}, b.store.Topics(), "all messages are there")
	b.clock.Advance(100 * time.Hour)
	b.mustAsk(protocol.DeleteExpiredCommitLog, "", "")
	testkit.Eventually(t, func() bool {
		b.clock.Advance(time.Second)
		return b.store.Marks().Min > 4096
	}, "old files to be deleted at once")
	cancel()
	require.NoError(t, <-ended)

	b.mustAsk(protocol.CleanExpiredConsumeQueue, "", "")
	require.Equal(t, []string{"Fresh", message.ScheduleTopic, "T"}, b.store.Topics())
	require.Equal(t, []int32{0}, b.store.Queues("T"), "a queue in use keeps its next offset")
	b.mustAsk(protocol.CleanUnusedTopic, "", "")
	require.Equal(t, []string{message.ScheduleTopic, "T"}, b.store.Topics(), "Fresh is in no topic table")
	require.Equal(t, protocol.RequestCodeNotSupported, b.ask(protocol.TriggerDeleteFiles, "", "").Code, "as with Java")
}

// mapped is a disk that knows which files somebody still has mapped.
type mapped struct {
	vfs.FS
	mu    sync.Mutex
	files map[string]int
}

func (m *mapped) Open(name string, flag vfs.Flag) (vfs.File, error) {
	f, err := m.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &mappedFile{f, m, name}, nil
}

func (m *mapped) add(name string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] += n
}

func (m *mapped) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[name] > 0
}

type mappedFile struct {
	vfs.File
	disk *mapped
	name string
}

func (f *mappedFile) Map(size int64, write bool) (vfs.Mapping, error) {
	m, err := f.File.Map(size, write)
	if err != nil {
		return nil, err
	}
	f.disk.add(f.name, 1)
	return &mapping{m, f}, nil
}

type mapping struct {
	vfs.Mapping
	file *mappedFile
}

func (m *mapping) Close() error {
	m.file.disk.add(m.file.name, -1)
	return m.Mapping.Close()
}

// A consumer that takes nothing of what it has pulled keeps the blocks of a deleted file until its write deadline, no
// longer.
func TestADeletedFileIsHeldUntilTheWriteDeadline(t *testing.T) {
	const first = "/store/commitlog/00000000000000000000"
	mem := vfs.NewMem()
	disk, clock := &mapped{FS: mem, files: map[string]int{}}, clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	b := newBroker(t, disk, clock, func(c *Config) {
		c.CommitLogFileSize, c.DeleteWhen, c.WriteTimeoutSeconds = 512<<10, "99", 10
		c.MaxTransferBytesOnMessageInMemory = 1 << 20
	})
	w := dial(t, b, "10911")
	for i := range 150 {
		require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), strings.Repeat("x", 8000)).Code, i)
	}
	slow := dial(t, b, "10911")
	for range 4 {
		slow.send(protocol.PullMessage, pullFields("T", 0, ""), "")
	}
	testkit.Eventually(t, func() bool { return b.store.Stats().GetFound >= 4 }, "the pulls to be served")
	clock.Advance(100 * time.Hour)
	require.Equal(t, protocol.Success, w.ask(protocol.DeleteExpiredCommitLog, "", "").Code)
	testkit.Eventually(t, func() bool {
		clock.Advance(10 * time.Second)
		there, err := vfs.Exists(mem, first)
		return err == nil && !there
	}, "the file's name to go")
	require.True(t, disk.has(first), "the consumer holds it")
	testkit.Eventually(t, func() bool { return !disk.has(first) }, "the write deadline to release it")
	require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), "y").Code)
}
