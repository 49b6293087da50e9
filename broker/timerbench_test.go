// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// Messages of 1 KiB that all wait for the same second, and are then delivered, on a real disk.
func BenchmarkTimer(b *testing.B) {
	dir := b.TempDir()
	clock := clockwork.NewFakeClockAt(time.UnixMilli(timerStartMs))
	live := newBroker(b, vfs.OS, clock, func(c *Config) {
		c.StorePathRootDir, c.StorePathCommitLog, c.CommitLogFileSize = dir, dir+"/commitlog", 1<<30
		c.ConsumeQueueFileSize = 300_000 * 20
	})
	dueMs := int64(timerStartMs/1000*1000 + 5_000)
	body := make([]byte, 1024)
	b.ResetTimer()
	for i := range b.N {
		m := message.Message{Topic: message.TimerTopic, Body: body, BornHost: live.storeHost, StoreHost: live.storeHost, BornTimestampMs: timerStartMs,
			Properties: fmt.Sprintf("UNIQ_KEY\x01%032d\x02TIMER_OUT_MS\x01%s\x02REAL_TOPIC\x01T\x02REAL_QID\x010\x02", i, strconv.FormatInt(dueMs, 10))}
		_, err := live.store.Put(&m)
		require.NoError(b, err)
	}
	testkit.Eventually(b, func() bool { return live.timer.State().Waiting == int64(b.N) }, "messages in the wheel")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entered/s")
	began := time.Now()
	testkit.Eventually(b, func() bool {
		clock.Advance(100 * time.Millisecond)
		_, end, _ := live.store.QueueRange("T", 0)
		return end == int64(b.N)
	}, "delivered messages")
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "fired/s")
}
