// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/settings"
	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// A change of a store's key is in force for the next request, and for what runs in the background.
func TestHotStoreKeysReachTheStore(t *testing.T) {
	disk, clock := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	b := newBroker(t, disk, clock, func(c *Config) { c.CommitLogFileSize = 64 << 10; c.DeleteWhen = "99" })
	w := dial(t, b, "10911")
	change := func(text string) {
		t.Helper()
		answer := w.ask(protocol.UpdateBrokerConfig, "", text)
		require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	}
	send := func(bytes int) int32 {
		return w.ask(protocol.SendMessage, sendFields("T", ""), strings.Repeat("x", bytes)).Code
	}

	change("maxMessageSize=1000\n")
	require.Equal(t, protocol.MessageIllegal, send(1001))
	change("maxMessageSize=8000\n")
	require.Equal(t, protocol.Success, send(1001))
	_, err := b.store.Put(&message.Message{Topic: "T", Body: make([]byte, 8001)})
	require.Error(t, err, "the store itself, not only the broker's check before it")

	change("maxTransferCountOnMessageInMemory=1\n")
	require.Equal(t, protocol.Success, send(10))
	require.Len(t, bodiesOf(t, w.ask(protocol.PullMessage, pullFields("T", 0, "maxMsgNums=32"), "").Body), 1)

	for range 60 {
		require.Equal(t, protocol.Success, send(8000))
	}
	disk.SetCapacity(disk.Used() * 2) // half full
	change("diskSpaceWarningLevelRatio=35\ndiskSpaceCleanForciblyRatio=30\ncleanFileForciblyEnable=false\ndiskMaxUsedSpaceRatio=95\n")
	testkit.Eventually(t, func() bool { clock.Advance(5 * time.Second); return send(1) == protocol.ServiceNotAvailable }, "half full is too full now")
	change("diskSpaceWarningLevelRatio=90\ndiskSpaceCleanForciblyRatio=85\n")
	testkit.Eventually(t, func() bool { clock.Advance(5 * time.Second); return send(1) == protocol.Success }, "and is not any more")

	low := func() int64 { first, _, _ := b.store.QueueRange("T", 0); return first }
	require.Zero(t, low())
	change("diskMaxUsedSpaceRatio=10\nfileReservedTime=1\n")
	testkit.Eventually(t, func() bool { clock.Advance(10 * time.Minute); return low() > 0 }, "old files to be deleted")
}

// Whatever number a hot key is given, it is refused by name or the broker lives with it.
func TestHotKeysTakeAnyNumber(t *testing.T) {
	disk, clock := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	b := newBroker(t, disk, clock, func(c *Config) { c.CommitLogFileSize = 64 << 10 })
	w := dial(t, b, "10911")
	for _, key := range settings.Keys(b.Config()) {
		if !key.Hot || key.Type != "int" && key.Type != "long" {
			continue
		}
		for _, n := range []int64{math.MinInt64, math.MinInt32, -1, 0, 1, math.MaxInt32, math.MaxInt64} {
			answer := w.ask(protocol.UpdateBrokerConfig, "", fmt.Sprintf("%s=%d\n", key.Name, n))
			if answer.Code != protocol.Success {
				require.Equal(t, protocol.InvalidParameter, answer.Code, "%s=%d: %s", key.Name, n, answer.Remark)
				require.Contains(t, answer.Remark, key.Name)
			}
			clock.Advance(time.Minute)
			w.ask(protocol.SendMessage, sendFields("T", ""), "m")
			w.ask(protocol.PullMessage, pullFields("T", 0, ""), "")
			w.ask(protocol.QueryMessage, "topic=T key=k maxNum=32 beginTimestamp=0 endTimestamp=1800000000000", "")
		}
		back := w.ask(protocol.UpdateBrokerConfig, "", key.Name+"="+key.Default+"\n")
		require.Equal(t, protocol.Success, back.Code, back.Remark)
	}
	require.Zero(t, b.mux.Panics())
	require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), "m").Code)
}

// A rewritten configuration file keeps its comments, its other lines and its permissions.
func TestTheConfigurationFileStaysTheOperators(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broker.conf")
	require.NoError(t, os.WriteFile(file, []byte(confText), 0o600))
	b := newBareBroker(t, nil)
	b.fs, b.deps.ConfigFile = vfs.OS, file
	b.mustAsk(protocol.UpdateBrokerConfig, "", "traceOn=false\nmaxMessageSize=65536\n")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "# the broker\nbrokerName = broker-a\ntraceOn=false\nmaxMessageSize=65536\n", string(text))
	for name, want := range map[string]os.FileMode{file: 0o600, file + ".bak": 0o600} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}
}
