// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

// Appenders, readers that follow them, a flusher that is waited for, queries:
// every reader sees its queue's messages once, in order.
func TestConcurrent(t *testing.T) {
	const writers, perWriter, queues = 4, 400, 3
	cfg := smallConfig(t.TempDir())
	cfg.CommitLogFileSize = 64 << 10
	cfg.FlushIntervalCommitLog, cfg.FlushIntervalConsumeQueue = 1, 1
	s, err := Open(cfg, Deps{FS: vfs.OS, Clock: clockwork.NewRealClock(), Log: zerolog.Nop()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()

	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range perWriter {
				r, err := s.Put(newMessage("T", int32(i%queues), fmt.Sprintf("%d.%d", w, i)))
				if err != nil {
					t.Error(err)
					return
				}
				if i%50 == 0 {
					if err := s.AwaitFlush(ctx, r.EndOffset); err != nil {
						t.Error(err)
					}
					if offs, _, _, err := s.QueryIndex("T", fmt.Sprintf("U%d.%d", w, i), 10, 0, 1<<60); err != nil || len(offs) != 1 {
						t.Error("the index does not have what was acknowledged", offs, err)
					}
				}
			}
		})
	}
	for q := range queues {
		wg.Go(func() {
			var seen int
			last := map[string]int{}
			for offset := int64(0); seen < (perWriter-q+queues-1)/queues*writers && !t.Failed(); {
				b, ms := mustGet(t, s, GetRequest{Topic: "T", QueueID: int32(q), Offset: offset, MaxMsgs: 10})
				for _, m := range ms {
					w, text, _ := strings.Cut(string(m.Body), ".")
					var i int
					fmt.Sscan(text, &i)
					if before, ok := last[w]; ok && i <= before || m.QueueOffset != offset {
						t.Errorf("queue %d offset %d: %s after %d", q, m.QueueOffset, m.Body, before)
					}
					last[w] = i
					offset++
					seen++
				}
				if b.Status == Found && b.NextOffset != offset {
					t.Errorf("next offset %d, not %d", b.NextOffset, offset)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	require.NoError(t, <-ran)
	require.Zero(t, s.DispatchBehind())
	require.Equal(t, s.Marks().Appended, s.Marks().Flushed)
	require.NoError(t, s.Close())
}

func TestUnitGolden(t *testing.T) {
	b, err := hex.DecodeString("0000000098f425940000011a000000000027a807")
	require.NoError(t, err)
	u := unitAt(b)
	require.Equal(t, unit{phyOffset: 2566137236, size: 282, tagsCode: 2598919}, u)
	var out [unitBytes]byte
	u.put(out[:])
	require.Equal(t, b, out[:])
	blank.put(out[:])
	require.Equal(t, "00000000000000007fffffff0000000000000000", hex.EncodeToString(out[:]))
}
