// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"math/rand"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

// readOnlyDisk lets nobody change what is under /a once it is sealed.
type readOnlyDisk struct {
	*vfs.Mem
	sealed bool
}

func (d *readOnlyDisk) refuse(name string) error {
	if d.sealed && strings.HasPrefix(name, "/a/") {
		return fmt.Errorf("%s: %w", name, syscall.EROFS)
	}
	return nil
}

func (d *readOnlyDisk) Open(name string, flag vfs.Flag) (vfs.File, error) {
	if flag != vfs.ReadOnly {
		if err := d.refuse(name); err != nil {
			return nil, err
		}
	}
	return d.Mem.Open(name, flag)
}

func (d *readOnlyDisk) Remove(name string) error {
	return errors.Join(d.refuse(name), d.Mem.Remove(name))
}

// A path of readOnlyCommitLogStorePaths may be on a disk that cannot be written to: its files are read, at every kind of
// start, and nothing more is wanted of it.
func TestReadOnlyPathOnAReadOnlyDisk(t *testing.T) {
	for _, ending := range []string{"closed", "killed", "queues lost"} {
		t.Run(ending, func(t *testing.T) {
			disk, cfg := &readOnlyDisk{Mem: vfs.NewMem()}, retentionConfig("/store")
			cfg.StorePathCommitLog = "/a/log"
			r := newRetained(t, disk, cfg)
			r.fill(t, 4)
			require.NoError(t, r.Close())
			cfg.StorePathCommitLog, cfg.ReadOnlyCommitLogStorePaths = "/b/log", "/a/log"
			again := newRetained(t, disk, cfg)
			again.bodies = r.bodies
			again.fill(t, 2)
			if ending == "killed" {
				disk.Mem = disk.Clone()
			} else {
				require.NoError(t, again.Close())
			}
			disk.sealed = true
			clean(t, disk, cfg)
			if ending == "queues lost" {
				require.NoError(t, vfs.RemoveAll(disk.Mem, "/store/consumequeue"))
			}
			last := newRetained(t, disk, cfg)
			last.bodies = again.bodies
			last.requireTail(t)
			last.fill(t, 2)
			last.requireTail(t)
			require.Len(t, last.files(t, "../a/log"), 4)
			require.NoError(t, last.Close())
		})
	}
}

// Over several paths a power loss takes no more than over one, and files go in the log's order, whichever path they are in.
func TestLogOverSeveralPathsIsOneLog(t *testing.T) {
	for seed := range int64(20) {
		rng := rand.New(rand.NewSource(seed))
		disk, cfg := vfs.NewMem(), retentionConfig("/store")
		cfg.StorePathCommitLog = "/a,/b,/c"
		r := newRetained(t, disk, cfg)
		r.fill(t, 5)
		require.NoError(t, r.flushAll())
		flushed := len(r.bodies)
		r.fill(t, 1+int(seed%4))
		crashed := disk.CrashClone(rng)
		again := newRetainedAfter(t, crashed, cfg, " later")
		_, high, _ := again.QueueRange("T", 0)
		require.GreaterOrEqual(t, high, int64(flushed))
		again.bodies = r.bodies[:high]
		again.requireTail(t)
		again.fill(t, 3)
		again.clock.Advance(100 * time.Hour)
		again.DeleteExpired()
		before := len(again.log.segments())
		cut := *again.config()
		cut.DeleteFileBatchMax = 1 + int(seed%5)
		require.NoError(t, again.SetConfig(cut))
		again.round(t)
		require.Len(t, again.log.segments(), before-cut.DeleteFileBatchMax)
		again.requireTail(t)
		require.NoError(t, again.Close())
		clean(t, crashed, cfg)
		last := newRetainedAfter(t, crashed, cfg, " later")
		last.bodies = again.bodies
		last.requireTail(t)
		require.NoError(t, last.Close())
	}
}

// A path whose disk is not there took the oldest files with it: the start is refused, and nothing is changed, until it is
// back, or is not named any more. A path whose files have all gone with retention is none of these.
func TestAPathIsMissed(t *testing.T) {
	for _, key := range []string{"storePathCommitLog", "readOnlyCommitLogStorePaths"} {
		t.Run(key, func(t *testing.T) {
			disk, cfg := vfs.NewMem(), retentionConfig("/store")
			cfg.StorePathCommitLog = "/a/log,/b/log"
			r := newRetained(t, disk, cfg)
			r.fill(t, 2)
			require.NoError(t, r.Close())
			only := cfg
			only.StorePathCommitLog = "/b/log"
			if key != "storePathCommitLog" {
				cfg = only
				cfg.ReadOnlyCommitLogStorePaths = "/a/log"
			}
			without := disk.Clone()
			require.NoError(t, vfs.RemoveAll(without, "/a/log"))
			for range 2 {
				require.ErrorContains(t, openFail(t, without, cfg), "/a/log has no file of the commit log, which began at 0 when the store was closed")
			}
			makeSame(t, without, disk, "/a/log/"+segmentName(0))
			again := newRetained(t, without, cfg)
			require.Equal(t, r.bodies, readAll(t, again.Store, "T", 0))
			require.NoError(t, again.Close())

			require.NoError(t, vfs.RemoveAll(without, "/a/log"))
			last := newStore(t, without, only)
			require.NotEmpty(t, readAll(t, last, "T", 0))
			require.NoError(t, last.Close())
		})
	}
	disk, cfg := vfs.NewMem(), retentionConfig("/store")
	cfg.StorePathCommitLog = "/a/log,/b/log"
	r := newRetained(t, disk, cfg)
	r.fill(t, 2)
	require.NoError(t, r.flushEverything())
	r.clock.Advance(100 * time.Hour)
	r.DeleteExpired()
	r.round(t)
	require.NoError(t, r.Close())
	require.Empty(t, mustList(t, disk, "/a/log"))
	last := newStore(t, disk, cfg)
	require.Equal(t, int64(8192), last.Marks().Min)
	require.NoError(t, last.Close())
}

func makeSame(t *testing.T, to, from vfs.FS, name string) {
	t.Helper()
	require.NoError(t, to.MkdirAll(path.Dir(name)))
	require.NoError(t, copySparse(to, name, readFile(t, from, name)))
}
