// SPDX-License-Identifier: Apache-2.0

// Package store owns a data directory: the commit log, the consume queues, the
// key index, the checkpoint. The bytes are those of Java 5.5.0, both ways
// (docs/format). Open recovers and starts nothing; Run owns the goroutines;
// Close leaves the directory as a clean stop does. Java: DefaultMessageStore.
//
// Locks, always taken in this order: the dispatch lock (files of queues and
// index), then the append lock (the end of the log, the tails of the queues).
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"rocketd/internal/run"
	"rocketd/store/vfs"
)

// Host is what the store knows about the machine and process it runs in.
type Host struct {
	PID         int
	MemoryBytes int64 // physical memory; 0: ask the system
	// BootID names this start of the system: as long as it is the same, what
	// was written and not synced is still there. Empty: ask the system.
	BootID string
}

// Deps are the store's surroundings. OnArrive is called outside the append
// lock, on the appender's goroutine, for every appended message that entered a
// queue; it must not block.
type Deps struct {
	FS       vfs.FS
	Clock    clockwork.Clock
	Log      zerolog.Logger
	Metrics  prometheus.Registerer
	Host     Host
	OnArrive func(a Arrival)
	// OnFlush is called after each sync of the log, by whoever did it: up to where the log is durable, or why it will be
	// no more. It must not block.
	OnFlush func(flushed int64, err error)
	// FilterBits gives the bitmap that a record's extension unit keeps for
	// filters, with enableConsumeQueueExt; nil: none. It is called by the
	// dispatcher and may not keep the record.
	FilterBits func(topic string, rec []byte) []byte
}

// Arrival is one message that can now be read.
type Arrival struct {
	Topic            string
	QueueID          int32
	QueueOffset      int64
	TagsCode         int64
	PhyOffset        int64
	StoreTimestampMs int64
}

// Receipt says where a message went. EndOffset is what AwaitFlush wants.
type Receipt struct {
	PhyOffset, EndOffset, QueueOffset, StoreTimestampMs int64
	Size                                                int32
}

// Marks are the log's positions: Appended >= Flushed, Confirmed; readers see
// what is below Readable.
type Marks struct {
	Min, Appended, Flushed, Confirmed, Readable int64
}

// Store is an open data directory.
type Store struct {
	cfg    atomic.Pointer[Config] // replaced whole by SetConfig
	deps   Deps
	root   string
	delays []time.Duration
	memory int64 // of the machine

	lock   io.Closer
	log    *commitLog
	queues *queueTable
	index  *keyIndex // nil: messageIndexEnable=false
	check  *checkpoint
	mark   *mark

	closed   atomic.Bool
	failure  atomic.Pointer[error] // a disk error that writing cannot go on after
	diskFull atomic.Pointer[error] // why no message is taken: a partition is full

	manualCleans atomic.Int32 // cleanings that ignore deleteWhen, asked for by DeleteExpired
	deletedFiles atomic.Int64
	cleanedBelow int64 // housekeeper only: queues and index have nothing of the log below
	startMs      int64

	flushing    sync.Mutex // the log is being synced, or cut; after the dispatch lock, before the append lock
	flushHealth flushHealth
	distrusted  atomic.Bool // a queue has a wrong unit, and the mark says so

	dirty   []*queue     // under the append lock: queues with units to write
	fresh   freshKeys    // under the append lock: keys to enter in the index
	pending atomic.Int64 // units in tails that are not in the files

	dispatch  dispatcher
	kick      chan struct{} // the dispatcher has work
	kicked    atomic.Bool
	urgent    chan struct{} // it should not wait to gather more
	flushKick chan struct{}
	waiters   flushWaiters

	prepareAt   int64 // under the append lock: the preparer is woken when the log's end is there
	prepareKick chan struct{}

	puts struct{ count, bytes atomic.Int64 }
	gets struct{ found, miss, messages atomic.Int64 }

	collectors []prometheus.Collector
}

// Open locks the directory, loads what is there and recovers it: afterwards log,
// queues and index agree. Errors name the file.
func Open(cfg Config, deps Deps) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	delays, err := cfg.DelayLevels()
	if err != nil {
		return nil, err
	}
	if deps.FS == nil {
		deps.FS = vfs.OS
	}
	if deps.Clock == nil {
		deps.Clock = clockwork.NewRealClock()
	}
	if deps.Host.BootID == "" && deps.FS == vfs.OS {
		deps.Host.BootID = vfs.BootID()
	}
	memory := deps.Host.MemoryBytes
	if memory == 0 {
		memory = vfs.PhysicalMemory()
	}
	root := cfg.StorePathRootDir
	queueFileSize := (cfg.ConsumeQueueFileSize + unitBytes - 1) / unitBytes * unitBytes
	s := &Store{
		deps: deps, root: root, delays: delays,
		memory: memory,
		log: &commitLog{
			fs: deps.FS, paths: newLogPaths(&cfg), fileSize: cfg.CommitLogFileSize, step: cfg.CommitLogAllocateStep,
			pwrite: cfg.pwrites(),
		},
		kick:      make(chan struct{}, 1),
		urgent:    make(chan struct{}, 1),
		flushKick: make(chan struct{}, 1),

		prepareKick: make(chan struct{}, 1),
	}
	s.queues = newQueueTable(deps.FS, path.Join(root, "consumequeue"), queueFileSize, func() int { return s.config().MaxOpenQueueFiles })
	s.queues.extDir, s.queues.extFileSize = path.Join(root, "consumequeue_ext"), cfg.ConsumeQueueExtFileSize
	s.queues.extEnabled, s.queues.extOf = cfg.EnableConsumeQueueExt, s.extOf
	s.cfg.Store(&cfg)
	s.log.segs.Store(&[]*segment{})
	s.startMs = s.nowMs()
	if err := vfs.MkdirAllSync(deps.FS, root); err != nil {
		return nil, err
	}
	if s.lock, err = deps.FS.Lock(path.Join(root, "lock")); err != nil {
		if errors.Is(err, vfs.ErrLocked) {
			err = fmt.Errorf("the store directory %s is in use: %w", root, err)
		}
		return nil, err
	}
	if err = refuseForeign(deps.FS, root); err == nil {
		err = s.load()
	}
	if err != nil {
		s.release()
		return nil, err
	}
	s.checkDisk(s.config())
	s.register(deps.Metrics)
	return s, nil
}

// release lets go of files and lock without writing anything.
func (s *Store) release() {
	s.log.close()
	_ = s.queues.close()
	if s.index != nil {
		_ = s.index.close()
	}
	if s.check != nil {
		_ = s.check.close()
	}
	if s.mark != nil {
		_ = s.mark.close()
	}
	_ = s.lock.Close()
}

// Run writes queues and index behind the log and flushes, until ctx ends. It
// returns nil then, with everything appended so far dispatched and flushed.
func (s *Store) Run(ctx context.Context) error {
	g := run.NewGroup(ctx)
	g.Go(0, "store.housekeeper", s.keepHouse)
	g.Go(0, "store.preparer", s.runPreparer)
	g.Go(1, "store.dispatcher", s.runDispatcher)
	g.Go(2, "store.logflusher", s.runLogFlusher)
	g.Go(2, "store.queueflusher", s.runQueueFlusher)
	return g.Wait()
}

// Close refuses further messages, writes and flushes what is left, and leaves
// the directory clean: without an abort file. After a disk error the abort file
// stays, so that the next start checks everything. Run must have returned.
func (s *Store) Close() error {
	s.log.mu.Lock()
	already := s.closed.Swap(true)
	s.log.mu.Unlock()
	if already {
		return ErrClosed
	}
	err := s.failed()
	if err == nil {
		err = s.dispatchAll()
	}
	if err == nil {
		err = s.flushAll()
	}
	if err == nil {
		err = s.markClean()
	}
	if err == nil {
		if err = s.deps.FS.Remove(path.Join(s.root, "abort")); errors.Is(err, fs.ErrNotExist) {
			err = nil // somebody was faster
		}
	}
	if err == nil {
		err = s.deps.FS.SyncDir(s.root)
	}
	s.unregister(s.deps.Metrics)
	s.release()
	return err
}

func (s *Store) config() *Config { return s.cfg.Load() }

// SetConfig puts new values of the hot keys in force. The caller has seen to it
// that static keys are unchanged.
func (s *Store) SetConfig(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	cfg.CommitLogFileSize = s.log.fileSize
	s.cfg.Store(&cfg)
	return nil
}

// adoptSizes takes over the size that the files of the log have; the key counts
// for a new log only.
func (s *Store) adoptSizes() {
	cfg := *s.config()
	if cfg.CommitLogFileSize == s.log.fileSize {
		return
	}
	s.deps.Log.Warn().Int64("mappedFileSizeCommitLog", cfg.CommitLogFileSize).Int64("found", s.log.fileSize).
		Msg("the commit log's files have another size than configured, which is kept")
	cfg.CommitLogFileSize = s.log.fileSize
	s.cfg.Store(&cfg)
}

func (s *Store) nowMs() int64 { return s.deps.Clock.Now().UnixMilli() }

// fail records an error after which the bytes on the disk are not known.
func (s *Store) fail(err error) { s.failure.CompareAndSwap(nil, &err) }

func (s *Store) failed() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// writeable says why no message can be taken, nil when one can.
func (s *Store) writeable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if err := s.failed(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWriteable, err)
	}
	if full := s.diskFull.Load(); full != nil {
		return fmt.Errorf("%w: %w", ErrNotWriteable, *full)
	}
	return nil
}

// Writeable is the reason why Put would refuse a message now, or nil.
func (s *Store) Writeable() error { return s.writeable() }

// Marks returns the positions of the log.
func (s *Store) Marks() Marks {
	flushed := s.log.flushed.Load() // before appended: Flushed <= Appended must hold
	appended := s.log.appended.Load()
	return Marks{Min: s.log.minOffset(), Appended: appended, Flushed: flushed, Confirmed: appended, Readable: s.readable()}
}

// readable is where readers stop: the end of the log, as long as no replica has
// to confirm first.
func (s *Store) readable() int64 { return s.log.appended.Load() }

// InMemory guesses whether a record is still in the page cache: it is not further
// from the end than accessMessageInMemoryMaxRatio of memory. Java guesses so for
// the sizes of its answers, but not for where a new group begins.
func (s *Store) InMemory(phyOffset int64) bool {
	return s.log.appended.Load()-phyOffset <= s.inMemory()
}

// inMemory is how far behind the end of the log bytes are taken to be in memory.
func (s *Store) inMemory() int64 {
	return s.memory / 100 * int64(s.config().AccessMessageInMemoryMaxRatio)
}

// DelayLevels are the delays of messageDelayLevel; element 0 is level 1.
func (s *Store) DelayLevels() []time.Duration { return s.delays }
