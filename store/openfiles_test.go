// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/store/vfs"
)

// descriptors is a disk that counts which files of queues are open.
type descriptors struct {
	*vfs.Mem
	open *atomic.Int64
}

func (d descriptors) Open(name string, flag vfs.Flag) (vfs.File, error) {
	f, err := d.Mem.Open(name, flag)
	if err != nil || !strings.Contains(name, "/consumequeue/") {
		return f, err
	}
	d.open.Add(1)
	return &descriptor{f, d.open}, nil
}

type descriptor struct {
	vfs.File
	open *atomic.Int64
}

func (d *descriptor) Close() error {
	d.open.Add(-1)
	return d.File.Close()
}

// Files of queues are opened when somebody wants them, no more than maxOpenQueueFiles, and closed when nobody does.
func TestQueueFilesAreOpenWhileTheyAreUsed(t *testing.T) {
	const queues, limit = 40, 5
	disk, cfg := descriptors{vfs.NewMem(), new(atomic.Int64)}, smallConfig("/store")
	cfg.MaxOpenQueueFiles = limit
	s := newStore(t, disk, cfg)
	for range 2 {
		for id := range int32(queues) {
			mustPut(t, s, newMessage("T", id, fmt.Sprint(id)))
			require.NoError(t, s.dispatchAll())
			require.LessOrEqual(t, disk.open.Load(), int64(limit))
		}
	}
	require.NoError(t, s.Close())
	require.Zero(t, disk.open.Load())

	deps := newDeps(disk)
	clock := deps.Clock.(*clockwork.FakeClock)
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	require.Zero(t, disk.open.Load(), "a start opens none")
	for id := range int32(queues) {
		require.Len(t, readAll(t, s, "T", id), 2)
		require.Equal(t, min(int64(id)+1, limit), disk.open.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	testkit.Eventually(t, func() bool {
		clock.Advance(time.Duration(cfg.FlushConsumeQueueThoroughInterval) * time.Millisecond)
		return disk.open.Load() == 0
	}, "unused files to be closed")
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, s.Close())
}
