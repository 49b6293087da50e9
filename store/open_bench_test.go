// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

// rssBytes is what the process has in memory, without pages of files.
func rssBytes(b testing.TB) int64 {
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, rest, ok := strings.Cut(string(text), "RssAnon:")
	require.True(b, ok)
	var kb int64
	_, err = fmt.Sscan(rest, &kb)
	require.NoError(b, err)
	return kb << 10
}

func openReal(b testing.TB, cfg Config) *Store {
	s, err := Open(cfg, Deps{FS: vfs.OS, Clock: clockwork.NewRealClock(), Log: zerolog.New(os.Stderr)})
	require.NoError(b, err)
	return s
}

// fillRunning puts 1 KiB messages while the store runs, so that it flushes as a
// broker does, and more afterwards that only the log has.
func fillRunning(b testing.TB, s *Store, running, after int64) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	m := benchMessage(1024)
	put := func(end int64) {
		for i := 0; s.Marks().Appended < end; i++ {
			m.QueueID = int32(i & 7)
			m.Properties = strings.Replace(m.Properties, m.Properties[33:41], fmt.Sprintf("%08X", s.Marks().Appended/1000), 1)
			mustPut(b, s, m)
		}
	}
	put(running)
	cancel()
	require.NoError(b, <-done)
	put(running + after)
}

// BenchmarkOpen2GiB opens 2 GiB of messages that were closed, and that a killed
// process left: the last 128 MiB are in no list.
func BenchmarkOpen2GiB(b *testing.B) {
	for _, killed := range []bool{false, true} {
		b.Run(fmt.Sprintf("killed=%v", killed), func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.StorePathRootDir = b.TempDir()
			s := openReal(b, cfg)
			fillRunning(b, s, 2<<30-128<<20, 128<<20)
			if !killed {
				require.NoError(b, s.Close())
			}
			for b.Loop() {
				if killed {
					s.release()
				}
				from := time.Now()
				s = openReal(b, cfg)
				b.ReportMetric(float64(time.Since(from).Milliseconds()), "open-ms")
				if !killed {
					from = time.Now()
					require.NoError(b, s.Close())
					b.ReportMetric(float64(time.Since(from).Milliseconds()), "close-ms")
				}
			}
			if killed {
				s.release()
			}
		})
	}
}

// BenchmarkOpenManyQueues opens 10,000 topics of 8 queues each.
func BenchmarkOpenManyQueues(b *testing.B) {
	const topics, queues = 10_000, 8
	cfg := DefaultConfig()
	cfg.StorePathRootDir = b.TempDir()
	s := openReal(b, cfg)
	m := benchMessage(100)
	for i := range topics * queues {
		m.Topic, m.QueueID = fmt.Sprintf("topic-%05d", i/queues), int32(i%queues)
		mustPut(b, s, m)
	}
	require.NoError(b, s.Close())
	for _, how := range []string{"closed", "killed", "directories"} {
		b.Run(how, func(b *testing.B) {
			for b.Loop() {
				if how == "directories" {
					forgetOurs(b, vfs.OS, cfg)
				}
				runtime.GC()
				from := time.Now()
				s := openReal(b, cfg)
				b.ReportMetric(float64(time.Since(from).Milliseconds()), "open-ms")
				b.ReportMetric(float64(rssBytes(b)>>20), "rss-MiB")
				if how == "killed" {
					s.release()
					s = openReal(b, cfg)
				}
				from = time.Now()
				require.NoError(b, s.Close())
				b.ReportMetric(float64(time.Since(from).Milliseconds()), "close-ms")
			}
		})
	}
}
