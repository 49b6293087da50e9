// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/store/vfs"
)

// retained is a store with several log files, whose clock the test moves.
type retained struct {
	*Store
	fs     vfs.FS
	clock  *clockwork.FakeClock
	bodies []string
}

func newRetained(t *testing.T, fsys vfs.FS, cfg Config) *retained {
	t.Helper()
	return newRetainedAfter(t, fsys, cfg, "")
}

// newRetainedAfter opens it on a machine that has been started anew when boot is not empty.
func newRetainedAfter(t *testing.T, fsys vfs.FS, cfg Config, boot string) *retained {
	t.Helper()
	deps := newDeps(fsys)
	deps.Host.BootID += boot
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	return &retained{Store: s, fs: fsys, clock: deps.Clock.(*clockwork.FakeClock)}
}

// retentionConfig deletes at once when a test asks for it.
func retentionConfig(root string) Config {
	cfg := smallConfig(root)
	cfg.DeleteCommitLogFilesInterval, cfg.DeleteConsumeQueueFilesInterval = 0, 0
	cfg.DeleteWhen = "99"
	return cfg
}

// fill puts messages until the log has more files.
func (r *retained) fill(t *testing.T, files int) {
	t.Helper()
	for until := len(r.log.segments()) + files; len(r.log.segments()) < until; {
		body := fmt.Sprint(len(r.bodies), strings.Repeat("x", 100))
		mustPut(t, r.Store, newMessage("T", 0, body))
		r.bodies = append(r.bodies, body)
	}
	require.NoError(t, r.dispatchAll())
}

func (r *retained) round(t *testing.T) {
	t.Helper()
	cfg := r.config()
	require.NoError(t, r.clean(context.Background(), cfg, r.checkDisk(cfg)))
}

func (r *retained) files(t *testing.T, dir string) []string {
	return mustList(t, r.fs, filepath.ToSlash(filepath.Join(r.root, dir)))
}

// requireTail demands that exactly the newest messages are left.
func (r *retained) requireTail(t *testing.T) {
	t.Helper()
	low, high, _ := r.QueueRange("T", 0)
	require.EqualValues(t, len(r.bodies), high)
	require.Equal(t, r.bodies[low:], readAll(t, r.Store, "T", 0))
	first, _, _, ok := r.TagsCodeAt("T", 0, low)
	require.True(t, ok)
	require.GreaterOrEqual(t, first, r.Marks().Min)
	if low > 0 {
		b, err := r.Get(GetRequest{Topic: "T", Offset: low - 1, MaxMsgs: 1})
		require.NoError(t, err)
		require.Equal(t, OffsetTooSmall, b.Status)
		require.Equal(t, low, b.NextOffset)
		b.Release()
	}
}

func TestFilesGoByAgeAtTheirHour(t *testing.T) {
	disk := vfs.NewMem()
	r := newRetained(t, disk, retentionConfig("/store"))
	r.fill(t, 6)
	cfg := *r.config()
	cfg.DeleteWhen = strconv.Itoa(r.clock.Now().Hour())
	require.NoError(t, r.SetConfig(cfg))
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 6, "none is 72 hours old")

	r.clock.Advance(72 * time.Hour)
	r.fill(t, 1)
	cfg.DeleteWhen = strconv.Itoa((r.clock.Now().Hour() + 1) % 24)
	require.NoError(t, r.SetConfig(cfg))
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 7, "it is not the hour")
	cfg.DeleteWhen = "77;" + strconv.Itoa(r.clock.Now().Hour())
	require.NoError(t, r.SetConfig(cfg))
	queueFiles, indexFiles := len(r.files(t, "consumequeue/T/0")), len(r.files(t, "index"))
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 2, "the file that the age ends in, and the last")
	require.Less(t, len(r.files(t, "consumequeue/T/0")), queueFiles)
	require.Less(t, len(r.files(t, "index")), indexFiles)
	r.requireTail(t)

	require.NoError(t, r.Close())
	again := newRetained(t, disk, retentionConfig("/store"))
	again.bodies = r.bodies
	again.requireTail(t)
	again.fill(t, 1)
	again.requireTail(t)
	require.NoError(t, again.Close())
}

func TestDeleteExpiredIgnoresTheHourAndKeepsTheLastFile(t *testing.T) {
	r := newRetained(t, vfs.NewMem(), retentionConfig("/store"))
	defer r.Close()
	r.fill(t, 13)
	r.clock.Advance(100 * time.Hour)
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 13)
	r.DeleteExpired()
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 3, "a round deletes deleteFileBatchMax files")
	for range manualRounds + 1 {
		r.round(t)
	}
	require.Len(t, r.files(t, "commitlog"), 1)
	require.Zero(t, r.manualCleans.Load())
	r.requireTail(t)
}

// A file system whose room the test sets, as shares of a hundred.
type roomFS struct {
	*vfs.Mem
	used map[string]int64
}

func (f roomFS) Usage(dir string) (vfs.Usage, error) {
	return vfs.Usage{Total: 100, Free: 100 - f.used[dir]}, nil
}

func TestDiskRatios(t *testing.T) {
	disk := roomFS{vfs.NewMem(), map[string]int64{}}
	r := newRetained(t, disk, retentionConfig("/store"))
	defer r.Close()
	r.fill(t, 8)
	use := func(log, root int64) { disk.used["/store/commitlog"], disk.used["/store"] = log, root }

	use(84, 84)
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 8, "above diskMaxUsedSpaceRatio only expired files go")
	use(60, 86)
	cfg := *r.config()
	cfg.CleanFileForciblyEnable = false
	require.NoError(t, r.SetConfig(cfg))
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 8, "cleanFileForciblyEnable=false")
	cfg.CleanFileForciblyEnable, cfg.DeleteFileBatchMax = true, 2
	require.NoError(t, r.SetConfig(cfg))
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 6, "above diskSpaceCleanForciblyRatio the oldest go")
	require.NoError(t, r.Writeable())
	r.requireTail(t)

	use(60, 91)
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 4)
	_, err := r.Put(newMessage("T", 0, "x"))
	require.ErrorIs(t, err, ErrNotWriteable)
	require.ErrorContains(t, err, "91% of the partition of /store are used, more than diskSpaceWarningLevelRatio=90")
	use(88, 60)
	r.round(t)
	require.ErrorIs(t, r.Writeable(), errDiskFull, "messages are taken again below the ratio of forced cleaning")
	use(85, 85)
	r.round(t)
	require.NoError(t, r.Writeable())
	r.fill(t, 1)
	r.requireTail(t)
}

// The running store frees a full disk by itself and takes messages again.
func TestFullDiskHealsItself(t *testing.T) {
	disk := vfs.NewMem()
	cfg := retentionConfig("/store")
	cfg.DeleteFileBatchMax = 1
	r := newRetained(t, disk, cfg)
	r.fill(t, 10)
	disk.SetCapacity(disk.Used() * 100 / 95)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	advanceUntil := func(what string, cond func() bool) {
		testkit.Eventually(t, func() bool {
			r.clock.Advance(time.Second)
			return cond()
		}, what)
	}
	advanceUntil("the store to refuse messages", func() bool { return r.Writeable() != nil })
	advanceUntil("the store to take messages again", func() bool { return r.Writeable() == nil })
	require.Less(t, len(r.log.segments()), 10)
	r.requireTail(t)
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, r.Close())
}

// Real files, whose age is their modification time. A reader keeps what it has.
func TestFilesOfTheRealDiskGo(t *testing.T) {
	root := t.TempDir()
	r := newRetained(t, vfs.OS, retentionConfig(root))
	r.fill(t, 4)
	old := r.clock.Now().Add(-80 * time.Hour)
	young := r.clock.Now().Add(-time.Hour)
	for i, name := range r.files(t, "commitlog") {
		when := old
		if i >= 2 {
			when = young
		}
		require.NoError(t, os.Chtimes(filepath.Join(root, "commitlog", name), when, when))
	}
	b, err := r.Get(GetRequest{Topic: "T", MaxMsgs: 1})
	require.NoError(t, err)
	pinned := r.log.segments()[0]
	r.DeleteExpired()
	r.round(t)
	require.Len(t, r.files(t, "commitlog"), 2)
	require.Contains(t, string(b.Buffers()[0]), r.bodies[0])
	require.EqualValues(t, 1, pinned.refs.Load())
	b.Release()
	require.False(t, pinned.pin(), "unmapped with its last pin")
	r.requireTail(t)
	require.NoError(t, r.Close())
}

// A crash between the removals leaves a directory that opens, without a hole.
func TestCrashWhileFilesGo(t *testing.T) {
	for seed := range int64(20) {
		disk := vfs.NewMem()
		r := newRetained(t, disk, retentionConfig("/store"))
		r.fill(t, 8)
		require.NoError(t, r.flushAll())
		r.clock.Advance(100 * time.Hour)
		cfg := *r.config()
		cfg.DeleteFileBatchMax = 1 + int(seed%7)
		require.NoError(t, r.dropWithoutSync(&cfg))
		crashed := disk.CrashClone(rand.New(rand.NewSource(seed)))
		again := newRetainedAfter(t, crashed, retentionConfig("/store"), " later")
		again.bodies = r.bodies
		again.requireTail(t)
		require.NoError(t, again.Close())
		require.NoError(t, r.Close())
	}
}

func (r *retained) dropWithoutSync(cfg *Config) error {
	segs := r.log.segments()
	for i := range cfg.DeleteFileBatchMax {
		if err := r.log.dropFirst(segs[i]); err != nil {
			return err
		}
	}
	_, err := r.trimQueue(r.queues.get("T", 0), r.log.minOffset())
	return err
}

func TestCleanQueuesTakesOnlyWhatMayGo(t *testing.T) {
	r := newRetained(t, vfs.NewMem(), retentionConfig("/store"))
	defer r.Close()
	for id := range int32(3) {
		mustPut(t, r.Store, newMessage("Old", id, "x"))
	}
	r.fill(t, 3)
	r.clock.Advance(100 * time.Hour)
	r.DeleteExpired()
	r.round(t)
	require.NoError(t, r.CleanQueues(func(topic string, queueID int32) bool { return topic == "T" || queueID != 1 }))
	require.Equal(t, []int32{1}, r.Queues("Old"))
	require.Equal(t, []string{"1"}, r.files(t, "consumequeue/Old"))
	require.NoError(t, r.CleanQueues(func(string, int32) bool { return true }))
	require.Equal(t, []string{"T"}, r.Topics())
	require.Equal(t, []string{"T"}, r.files(t, "consumequeue"))
	r.requireTail(t)
}
