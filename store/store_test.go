// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// smallConfig makes files of a few records.
func smallConfig(root string) Config {
	cfg := DefaultConfig()
	cfg.StorePathRootDir = root
	cfg.CommitLogFileSize = 8 << 10
	cfg.CommitLogAllocateStep = 4096
	cfg.ConsumeQueueFileSize = 20 * unitBytes
	cfg.MaxHashSlotNum = 50
	cfg.MaxIndexNum = 200
	cfg.QueueTailMaxUnits = 64
	return cfg
}

var testHost = netip.MustParseAddrPort("10.1.2.3:10911")

func newMessage(topic string, queueID int32, body string) *message.Message {
	props := message.AppendProperty(nil, message.PropUniqKey, "U"+body)
	props = message.AppendProperty(props, message.PropKeys, "K"+body+" common")
	props = message.AppendProperty(props, message.PropTags, "TagA")
	return &message.Message{
		Topic: topic, QueueID: queueID, Body: []byte(body), BornTimestampMs: 1, BornHost: testHost, StoreHost: testHost,
		Properties: string(props),
	}
}

func newDeps(fsys vfs.FS) Deps {
	return Deps{FS: fsys, Clock: clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000)), Log: zerolog.Nop(), Host: Host{PID: 7, BootID: "the test's"}}
}

func newStore(t testing.TB, fsys vfs.FS, cfg Config) *Store {
	t.Helper()
	return newStoreAfter(t, fsys, cfg, "")
}

// newStoreAfter opens a store on a machine that has been started anew when boot
// is not empty.
func newStoreAfter(t testing.TB, fsys vfs.FS, cfg Config, boot string) *Store {
	t.Helper()
	deps := newDeps(fsys)
	deps.Host.BootID = "the test's" + boot
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	return s
}

func mustPut(t testing.TB, s *Store, m *message.Message) Receipt {
	t.Helper()
	r, err := s.Put(m)
	require.NoError(t, err)
	return r
}

// mustGet decodes what a Get returns.
func mustGet(t testing.TB, s *Store, r GetRequest) (*Batch, []message.Message) {
	t.Helper()
	b, err := s.Get(r)
	require.NoError(t, err)
	defer b.Release()
	var ms []message.Message
	for _, buf := range b.Buffers() {
		for len(buf) > 0 {
			var m message.Message
			n := message.RecordSize(buf)
			require.NoError(t, message.DecodeRecord(append([]byte(nil), buf[:n]...), &m))
			require.NoError(t, m.VerifyBody())
			ms = append(ms, m)
			buf = buf[n:]
		}
	}
	require.Equal(t, b.Count, len(ms))
	return b, ms
}

// readAll returns the bodies of a queue.
func readAll(t testing.TB, s *Store, topic string, queueID int32) (bodies []string) {
	t.Helper()
	offset, _, _ := s.QueueRange(topic, queueID)
	for {
		b, ms := mustGet(t, s, GetRequest{Topic: topic, QueueID: queueID, Offset: offset, MaxMsgs: 32})
		if b.Status != Found {
			return bodies
		}
		for i, m := range ms {
			require.Equal(t, offset+int64(i), m.QueueOffset)
			require.Equal(t, topic, m.Topic)
			bodies = append(bodies, string(m.Body))
		}
		offset = b.NextOffset
	}
}

// eachDisk runs a test over the memory and the real disk, mapped and not.
func eachDisk(t *testing.T, fn func(t *testing.T, fsys vfs.FS, cfg Config)) {
	for _, path := range []string{"mmap", "pwrite"} {
		t.Run("mem-"+path, func(t *testing.T) {
			cfg := smallConfig("/store")
			cfg.CommitLogWritePath = path
			fn(t, vfs.NewMem(), cfg)
		})
		t.Run("os-"+path, func(t *testing.T) {
			cfg := smallConfig(t.TempDir())
			cfg.CommitLogWritePath = path
			fn(t, vfs.OS, cfg)
		})
	}
}

func TestPutGetRollReopen(t *testing.T) {
	eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
		s := newStore(t, fsys, cfg)
		want := map[int32][]string{}
		put := func(n int) {
			for i := range n {
				q := int32(i % 3)
				body := fmt.Sprintf("body-%d-%d", q, len(want[q]))
				r := mustPut(t, s, newMessage("T", q, body))
				require.Equal(t, int64(len(want[q])), r.QueueOffset)
				want[q] = append(want[q], body)
				m, err := s.Message(r.PhyOffset)
				require.NoError(t, err)
				require.Equal(t, body, string(m.Body))
			}
		}
		check := func() {
			for q := range int32(3) {
				require.Equal(t, want[q], readAll(t, s, "T", q))
			}
			for _, key := range []string{"Kbody-1-20", "Ubody-2-0"} {
				offs, _, _, err := s.QueryIndex("T", key, 10, 0, 1<<60)
				require.NoError(t, err)
				require.Len(t, offs, 1, key)
				m, err := s.Message(offs[0])
				require.NoError(t, err)
				require.Contains(t, m.Properties, key)
			}
		}
		put(200)
		check()
		require.NoError(t, s.Close())
		_, err := fsys.Stat(cfg.StorePathRootDir + "/abort")
		require.Error(t, err)

		s = newStore(t, fsys, cfg)
		check()
		put(200)
		check()
		// As a killed process leaves it.
		s.log.close()
		require.NoError(t, s.lock.Close())
		s = newStore(t, fsys, cfg)
		check()
		put(100)
		check()
		require.NoError(t, s.Close())
	})
}

func TestRun(t *testing.T) {
	cfg := smallConfig(t.TempDir())
	cfg.FlushDiskType = SyncFlush
	deps := newDeps(vfs.OS)
	deps.Clock = clockwork.NewRealClock()
	arrived := make(chan Arrival, 100)
	deps.OnArrive = func(a Arrival) { arrived <- a }
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for i := range 20 {
		r := mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
		require.NoError(t, s.AwaitFlush(ctx, r.EndOffset))
		require.GreaterOrEqual(t, s.Marks().Flushed, r.EndOffset)
		require.Equal(t, int64(i), (<-arrived).QueueOffset)
	}
	testkit.Eventually(t, func() bool { return s.DispatchBehind() == 0 }, "the dispatcher catches up")
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, s.Close())
	_, err = s.Put(newMessage("T", 0, "late"))
	require.ErrorIs(t, err, ErrClosed)
}

func TestSecondOpenIsRefused(t *testing.T) {
	eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
		s := newStore(t, fsys, cfg)
		_, err := Open(cfg, newDeps(fsys))
		require.ErrorIs(t, err, vfs.ErrLocked)
		require.ErrorContains(t, err, cfg.StorePathRootDir)
		require.NoError(t, s.Close())
	})
}
