// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

var faults = []struct {
	name  string
	fault func(rng *rand.Rand) func(op vfs.Op) error
	heals bool // messages are taken again when it ends
}{
	{"ENOSPC", func(*rand.Rand) func(vfs.Op) error { return vfs.FullDisk }, true},
	{"EROFS", func(*rand.Rand) func(vfs.Op) error { return vfs.ReadOnlyDisk }, true},
	{"gone", func(*rand.Rand) func(vfs.Op) error { return vfs.GoneDisk }, false},
	{"EIO now and then", func(rng *rand.Rand) func(vfs.Op) error {
		return func(vfs.Op) error {
			if rng.Intn(3) == 0 {
				return syscall.EIO
			}
			return nil
		}
	}, false},
	{"EIO of writes", func(rng *rand.Rand) func(vfs.Op) error {
		return func(op vfs.Op) error {
			if op.Changes() && !op.Syncs() && rng.Intn(2) == 0 {
				return syscall.EIO
			}
			return nil
		}
	}, true},
}

// TestDiskFails lets the disk fail for a while, anywhere. Calls return errors;
// what was acknowledged is there afterwards, in the running store, after a kill,
// and what was flushed after a power loss. A disk that only was full is used
// again by itself.
func TestDiskFails(t *testing.T) {
	for _, f := range faults {
		for seed := int64(1); seed <= 60; seed++ {
			t.Run(fmt.Sprintf("%s/seed=%d", f.name, seed), func(t *testing.T) { faultRun(t, seed, f.fault, f.heals) })
		}
	}
}

func faultRun(t *testing.T, seed int64, fault func(rng *rand.Rand) func(op vfs.Op) error, heals bool) {
	m := &crashModel{t: t, seed: seed, rng: rand.New(rand.NewSource(seed)), fs: vfs.NewMem(), cfg: smallConfig("/store")}
	m.cfg.CommitLogWritePath = []string{"pwrite", "mmap"}[m.rng.Intn(2)]
	m.s = m.open(m.fs, "")
	for range 10 + m.rng.Intn(20) {
		m.step()
	}
	m.fs.SetFault(fault(m.rng))
	for range 20 {
		m.stepFailing()
	}
	m.fs.SetFault(nil)
	if heals {
		require.NoError(t, m.s.failed())
	}
	if m.s.failed() == nil {
		for range 10 {
			m.step()
		}
		m.compare(m.s, m.acknowledged())
	} else {
		_, err := m.s.Put(newMessage("T0", 0, "x"))
		require.ErrorIs(t, err, ErrNotWriteable)
	}
	m.verify(m.fs.Clone(), "", m.acknowledged(), true)
	m.verify(m.fs.CrashClone(m.rng), " later", m.flushed, true)
	if err := m.s.Close(); m.s.failed() == nil {
		require.NoError(t, err)
	}
	m.verify(m.fs.Clone(), "", m.acknowledged(), true)
}

// stepFailing does one thing that may fail.
func (m *crashModel) stepFailing() {
	switch m.rng.Intn(6) {
	case 0:
		if m.s.flushLog() == nil {
			m.flushed = m.s.Marks().Flushed
		}
	case 1:
		_ = m.s.dispatchAll()
	case 2:
		if m.s.flushQueues(0) == nil {
			_ = m.s.saveCheckpoint()
		}
	case 3:
		_, _ = m.s.Get(GetRequest{Topic: "T0", MaxMsgs: 32})
		_, _, _, _ = m.s.QueryIndex("T0", "common", 10, 0, 1<<60)
	default:
		m.serial++
		msg := newMessage(fmt.Sprintf("T%d", m.rng.Intn(2)), int32(m.rng.Intn(2)), fmt.Sprint(m.serial))
		msg.Body = append(msg.Body, strings.Repeat(".", m.rng.Intn(600))...)
		r, err := m.s.Put(msg)
		if err == nil {
			m.log = append(m.log, modelRecord{msg.Topic, msg.QueueID, string(msg.Body), r})
			return
		}
		require.True(m.t, errors.Is(err, ErrNotWriteable), err)
	}
}

// A start on a failing disk is an error, and the next one finds everything.
func TestStartOnFailingDisk(t *testing.T) {
	step, first := testkit.Sparse(5), 0
	for _, ending := range endings {
		for _, f := range faults {
			first++ // not the same places each time
			for at := first % step; at < 30; at += step {
				d := leave(t, ending)
				fail, n := f.fault(rand.New(rand.NewSource(int64(at)))), 0
				d.fs.SetFault(func(op vfs.Op) error {
					if n++; n > at*4 {
						return fail(op)
					}
					return nil
				})
				deps := newDeps(d.fs)
				deps.Host.BootID += d.boot
				s, err := Open(d.cfg, deps)
				d.fs.SetFault(nil)
				if err == nil {
					s.release()
				}
				d.open(t)
			}
		}
	}
}

// The running store outlives a disk that fails: Run goes on, messages that are
// there can be read, and the failure is in the log once.
func TestRunOutlivesFailingDisk(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	cfg.FlushIntervalCommitLog, cfg.FlushIntervalConsumeQueue = 1, 1
	var failures atomic.Int64
	s, err := Open(cfg, Deps{FS: fsys, Clock: clockwork.NewRealClock(), Host: Host{BootID: "x"}, Log: zerolog.New(zerolog.LevelWriterAdapter{
		Writer: writerFunc(func(p []byte) { failures.Add(int64(strings.Count(string(p), `"flush failed"`))) }),
	})})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	mustPut(t, s, newMessage("T", 0, "before"))
	fsys.SetFault(func(op vfs.Op) error {
		if op.Kind == "sync" {
			return syscall.EIO
		}
		return nil
	})
	r, err := s.Put(newMessage("T", 0, "while"))
	if err == nil {
		require.ErrorIs(t, s.AwaitFlush(ctx, r.EndOffset), syscall.EIO)
	}
	testkit.Eventually(t, func() bool { return failures.Load() > 0 }, "the failure in the log")
	_, err = s.Put(newMessage("T", 0, "after"))
	require.ErrorIs(t, err, ErrNotWriteable)
	require.Equal(t, "before", readAll(t, s, "T", 0)[0])
	select {
	case err := <-done:
		t.Fatal("Run has ended:", err)
	default:
	}
	cancel()
	require.Error(t, <-done)
	require.Error(t, s.Close())
	require.EqualValues(t, 1, failures.Load())
	ok, err := vfs.Exists(fsys, "/store/abort")
	require.NoError(t, err)
	require.True(t, ok, "the next start checks everything")
}

// Who waits together shares one sync.
func TestGroupCommit(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	cfg.CommitLogFileSize, cfg.FlushDiskType = 1<<20, SyncFlush
	s := newStore(t, fsys, cfg)
	const waiting = 20
	answered := make(chan error, waiting)
	for i := range waiting {
		r := mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
		go func() { answered <- s.AwaitFlush(t.Context(), r.EndOffset) }()
	}
	testkit.Eventually(t, func() bool {
		s.waiters.mu.Lock()
		defer s.waiters.mu.Unlock()
		return len(s.waiters.list) == waiting
	}, "all wait")
	var syncs atomic.Int64
	fsys.SetFault(func(op vfs.Op) error {
		if op.Kind == "sync" && strings.HasPrefix(op.Name, "/store/commitlog/") {
			syncs.Add(1)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for range waiting {
		require.NoError(t, <-answered)
	}
	require.LessOrEqual(t, syncs.Load(), int64(2), "the file's first sync, and that of its name")
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, s.Close())
}

// Who waits for the log does not wait for the queues, be there ever so many to write and to sync.
func TestQueuesHoldUpNoFlush(t *testing.T) {
	for _, slow := range []string{"write", "sync"} {
		t.Run(slow, func(t *testing.T) {
			fsys, cfg := vfs.NewMem(), smallConfig("/store")
			cfg.FlushDiskType, cfg.FlushIntervalConsumeQueue, cfg.FlushConsumeQueueThoroughInterval = SyncFlush, 1, 1
			s, err := Open(cfg, Deps{FS: fsys, Clock: clockwork.NewRealClock(), Host: Host{BootID: "x"}, Log: zerolog.Nop()})
			require.NoError(t, err)
			reached, goOn := make(chan struct{}), make(chan struct{})
			var once sync.Once
			fsys.SetFault(func(op vfs.Op) error {
				if op.Kind == slow && strings.HasPrefix(op.Name, "/store/consumequeue/") {
					once.Do(func() { close(reached) })
					<-goOn
				}
				return nil
			})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			mustPut(t, s, newMessage("T", 0, "first"))
			<-reached
			for i := range 10 {
				r := mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
				require.NoError(t, s.AwaitFlush(ctx, r.EndOffset))
			}
			close(goOn)
			cancel()
			require.NoError(t, <-done)
			require.NoError(t, s.Close())
		})
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// A log file that is cut under the running store takes its pages away. That is
// an error of the calls that need them, and not the end of the process.
func TestMappedFileVanishes(t *testing.T) {
	cfg := smallConfig(t.TempDir())
	cfg.CommitLogFileSize = 1 << 20
	s := newStore(t, vfs.OS, cfg)
	var rs []Receipt
	for i := range 100 {
		rs = append(rs, mustPut(t, s, newMessage("T", 0, fmt.Sprint(i))))
	}
	require.NoError(t, s.dispatchAll())
	require.NoError(t, os.Truncate(cfg.StorePathRootDir+"/commitlog/"+segmentName(0), 0))
	_, err := s.Get(GetRequest{Topic: "T", MaxMsgs: 10})
	require.ErrorIs(t, err, vfs.ErrFault)
	_, err = s.Message(rs[5].PhyOffset)
	require.ErrorIs(t, err, vfs.ErrFault)
	_, ok := s.StoreTime("T", 0, 5)
	require.False(t, ok)
	_, err = s.Put(newMessage("T", 0, "more"))
	require.ErrorIs(t, err, vfs.ErrFault)
	require.ErrorIs(t, err, ErrNotWriteable)
	s.release()
}

// TestSameAnswers does the same on stores of other shapes: what callers see is
// the same, byte for byte.
func TestSameAnswers(t *testing.T) {
	shapes := map[string]func(cfg *Config) vfs.FS{
		"small": func(*Config) vfs.FS { return vfs.NewMem() },
		"pwrite": func(cfg *Config) vfs.FS {
			cfg.CommitLogWritePath = "pwrite"
			return vfs.NewMem()
		},
		"real disk": func(cfg *Config) vfs.FS {
			cfg.StorePathRootDir = t.TempDir()
			return vfs.OS
		},
		"real disk, pwrite": func(cfg *Config) vfs.FS {
			cfg.StorePathRootDir, cfg.CommitLogWritePath = t.TempDir(), "pwrite"
			return vfs.OS
		},
		"large files": func(cfg *Config) vfs.FS {
			cfg.CommitLogFileSize, cfg.ConsumeQueueFileSize, cfg.MaxIndexNum = 1<<20, 6000, 5000
			return vfs.NewMem()
		},
		"tiny queue files": func(cfg *Config) vfs.FS {
			cfg.ConsumeQueueFileSize, cfg.MaxIndexNum, cfg.QueueTailMaxUnits, cfg.MaxOpenQueueFiles = unitBytes, 10, 1, 1
			return vfs.NewMem()
		},
		"synchronous": func(cfg *Config) vfs.FS {
			cfg.FlushDiskType = SyncFlush
			return vfs.NewMem()
		},
	}
	for seed := max(*crashSeed, 1); seed < max(*crashSeed, 1)+8; seed++ {
		var want []string
		for _, name := range []string{"small", "pwrite", "real disk", "real disk, pwrite", "large files", "tiny queue files", "synchronous"} {
			cfg := smallConfig("/store")
			fsys := shapes[name](&cfg)
			got := answers(t, seed, fsys, cfg)
			if want == nil {
				want = got
			}
			require.Equal(t, want, got, "%s, seed %d", name, seed)
		}
	}
}

// answers runs operations that depend on the seed only, and says what came back.
func answers(t *testing.T, seed int64, fsys vfs.FS, cfg Config) (said []string) {
	rng := rand.New(rand.NewSource(seed))
	s := newStore(t, fsys, cfg)
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	for i := range 150 {
		topic, id := fmt.Sprintf("T%d", rng.Intn(3)), int32(rng.Intn(3))
		switch rng.Intn(12) {
		case 0:
			require.NoError(t, s.flushLog())
		case 1:
			require.NoError(t, s.flushQueues(int64(rng.Intn(2)*100)))
		case 2:
			s.deps.Clock.(*clockwork.FakeClock).Advance(time.Second)
		case 3:
			now := s.deps.Clock.Now()
			require.NoError(t, s.Close())
			s = newStore(t, fsys, cfg)
			s.deps.Clock.(*clockwork.FakeClock).Advance(now.Sub(s.deps.Clock.Now()))
		case 4:
			if rng.Intn(4) == 0 {
				say("delete %v", s.DeleteTopic(topic))
			}
		case 5, 6:
			offset, _, _ := s.QueueRange(topic, id)
			b, ms := mustGet(t, s, GetRequest{Topic: topic, QueueID: id, Offset: offset + int64(rng.Intn(30)), MaxMsgs: 1 + rng.Intn(8)})
			say("get %s %v %d %d", b.Status, bodiesOf(ms), b.NextOffset, b.MaxOffset)
		case 7:
			offs, _, _, err := s.QueryIndex(topic, "common", 5, 0, 1<<60)
			require.NoError(t, err)
			var found []string
			for _, off := range offs {
				if m, err := s.Message(off); err == nil {
					found = append(found, string(m.Body))
				}
			}
			say("key %v", found)
		case 8:
			at, err := s.OffsetByTime(topic, id, s.nowMs()-int64(rng.Intn(5000)), rng.Intn(2) == 0)
			say("time %d %v", at, err)
		default:
			var ms []message.Message
			for k := range 1 + rng.Intn(4) {
				ms = append(ms, *newMessage(topic, id, fmt.Sprintf("%d.%d", i, k)))
			}
			rs, err := s.PutBatch(ms)
			require.NoError(t, err)
			say("put %d %d", rs[0].QueueOffset, rs[0].StoreTimestampMs)
		}
	}
	for _, topic := range s.Topics() {
		for _, id := range s.Queues(topic) {
			if bodies := readAll(t, s, topic, id); len(bodies) > 0 {
				say("%s-%d %v", topic, id, bodies)
			}
		}
	}
	require.NoError(t, s.Close())
	return slices.Clip(said)
}
