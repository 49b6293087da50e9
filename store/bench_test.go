// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/invariant"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// newRunning opens a store of default size on the real disk and runs it.
func newRunning(b testing.TB, cfg Config) *Store {
	s, err := Open(cfg, Deps{FS: vfs.OS, Clock: clockwork.NewRealClock(), Log: zerolog.Nop()})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-done)
		require.NoError(b, s.Close())
	})
	return s
}

func benchMessage(n int) *message.Message {
	props := message.AppendProperty(nil, message.PropUniqKey, "7F0000010A2B18B4AAC2000000000000")
	props = message.AppendProperty(props, message.PropWait, "true")
	props = message.AppendProperty(props, message.PropTags, "TagA")
	props = message.AppendProperty(props, message.PropMsgRegion, "DefaultRegion")
	props = message.AppendProperty(props, message.PropTraceOn, "true")
	props = message.AppendProperty(props, message.PropCluster, "DefaultCluster")
	return &message.Message{
		Topic: "BenchmarkTest", Body: []byte(strings.Repeat("x", n)), BornHost: testHost, StoreHost: testHost,
		BornTimestampMs: 1, Properties: string(props),
	}
}

// BenchmarkAppend is Put of 1 KiB messages over 8 queues, with everything that
// follows from it: queue files, index, flush. cpu-ns/op counts all threads.
func BenchmarkAppend(b *testing.B) {
	for _, path := range []string{"mmap", "pwrite"} {
		for _, index := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/index=%v", path, index), func(b *testing.B) {
				cfg := DefaultConfig()
				cfg.StorePathRootDir = b.TempDir()
				cfg.CommitLogWritePath = path
				cfg.MessageIndexEnable = index
				s := newRunning(b, cfg)
				m := benchMessage(1024)
				props := []byte(m.Properties)
				var id [8]byte
				b.ReportAllocs()
				b.SetBytes(1024)
				from := cpuTime()
				b.ResetTimer()
				for i := 0; i < b.N; i++ {
					m.QueueID = int32(i & 7)
					for k, n := 0, i; k < 8; k, n = k+1, n>>4 {
						id[k] = "0123456789ABCDEF"[n&15]
					}
					copy(props[len("UNIQ_KEY")+1+24:], id[:])
					m.Properties = unsafeString(props)
					if _, err := s.Put(m); err != nil {
						b.Fatal(err)
					}
				}
				require.NoError(b, s.dispatchAll())
				b.StopTimer()
				b.ReportMetric(float64(cpuTime()-from)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// BenchmarkAppendParallel is the same from several goroutines.
func BenchmarkAppendParallel(b *testing.B) {
	cfg := DefaultConfig()
	cfg.StorePathRootDir = b.TempDir()
	s := newRunning(b, cfg)
	b.ReportAllocs()
	b.SetBytes(1024)
	b.RunParallel(func(pb *testing.PB) {
		m := benchMessage(1024)
		for i := 0; pb.Next(); i++ {
			m.QueueID = int32(i & 7)
			if _, err := s.Put(m); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkGet reads 32 messages of 1 KiB at a time: from the tail in memory's
// chunks, and from the queue's file.
func BenchmarkGet(b *testing.B) {
	cfg := DefaultConfig()
	cfg.StorePathRootDir = b.TempDir()
	s := newRunning(b, cfg)
	m := benchMessage(1024)
	const n = 10000
	for range n {
		mustPut(b, s, m)
	}
	require.NoError(b, s.dispatchAll())
	for _, where := range []string{"file", "tail"} {
		b.Run(where, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				offset := int64(i*32) % (n - 1000)
				if where == "tail" {
					offset = n - 32
				}
				batch, err := s.Get(GetRequest{Topic: m.Topic, Offset: offset, MaxMsgs: 32})
				if err != nil || batch.Count != 32 {
					b.Fatal(err, batch.Count)
				}
				batch.Release()
			}
		})
	}
}

// TestPutAllocs keeps the promise of at most one allocation a message.
func TestPutAllocs(t *testing.T) {
	if invariant.On {
		t.Skip("the race detector allocates")
	}
	cfg := smallConfig(t.TempDir())
	cfg.CommitLogFileSize = 64 << 20
	cfg.QueueTailMaxUnits = 1 << 20
	s := newStore(t, vfs.OS, cfg)
	m := benchMessage(1024)
	got := testing.AllocsPerRun(1000, func() { mustPut(t, s, m) })
	require.LessOrEqual(t, got, 1.0)
	require.NoError(t, s.Close())
}
