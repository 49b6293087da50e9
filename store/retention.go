// SPDX-License-Identifier: Apache-2.0

// The housekeeper: deletes commit-log files that are older than
// fileReservedTime, at the hours of deleteWhen or when the disk fills up, and
// after them the files of queues and index that point at nothing any more. On a
// full disk the store takes no messages until there is room again. Java:
// CleanCommitLogService, CleanConsumeQueueService, CorrectLogicOffsetService.
//
// A reader keeps the bytes that it has pinned: the file's name goes at once, its
// blocks when the last pin does. A connection that takes nothing is cut at its
// write deadline, which releases its pins, so no reader holds the disk for ever.

package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// firstClean is how long after its start a store begins to delete.
	firstClean = time.Minute
	// manualRounds is how many cleanings DeleteExpired asks for.
	manualRounds = 20
)

var errDiskFull = errors.New("the disk is full")

// keepHouse looks at the disk's room every cleanResourceInterval, and deletes.
func (s *Store) keepHouse(ctx context.Context) error {
	interval := s.config().CleanResourceInterval
	tick := s.deps.Clock.NewTicker(ms(interval))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.Chan():
		}
		cfg := s.config()
		pressure := s.checkDisk(cfg)
		if s.nowMs()-s.startMs >= firstClean.Milliseconds() {
			if err := s.clean(ctx, cfg, pressure); err != nil {
				s.deps.Log.Error().Err(err).Msg("old files cannot be deleted; trying again")
			}
		}
		if cfg.CleanResourceInterval != interval {
			interval = cfg.CleanResourceInterval
			tick.Reset(ms(interval))
		}
	}
}

// DeleteExpired makes the next cleanings delete expired files at any hour.
func (s *Store) DeleteExpired() { s.manualCleans.Store(manualRounds) }

// pressure is what the disk's room asks of a cleaning.
type pressure int

const (
	roomy   pressure = iota
	filling          // above diskMaxUsedSpaceRatio: expired files go at any hour
	urgent           // above diskSpaceCleanForciblyRatio: the oldest go whatever their age
)

// checkDisk compares the partitions of log and queues with the ratios. Above
// the warning level no message is taken; below the ratio of forced cleaning
// messages are taken again. Between the two it stays as it was.
func (s *Store) checkDisk(cfg *Config) pressure {
	warning := float64(min(max(cfg.DiskSpaceWarningLevelRatio, 35), 90)) / 100
	forced := float64(min(max(cfg.DiskSpaceCleanForciblyRatio, 30), 85)) / 100
	most := float64(min(max(cfg.DiskMaxUsedSpaceRatio, 10), 95)) / 100
	s.log.paths.markFull(s.deps.FS, forced)
	used, dir, err := s.log.paths.usage(s.deps.FS)
	if err != nil {
		s.deps.Log.Warn().Err(err).Msg("the disk's free room is not known")
		return roomy
	}
	ratio := used.UsedRatio()
	if u, err := s.deps.FS.Usage(s.root); err == nil && u.UsedRatio() > ratio {
		ratio, dir = u.UsedRatio(), s.root
	}
	full := s.diskFull.Load() != nil
	switch {
	case ratio > warning:
		cause := fmt.Errorf("%w: %.0f%% of the partition of %s are used, more than diskSpaceWarningLevelRatio=%.0f",
			errDiskFull, math.Ceil(ratio*100), dir, warning*100)
		s.diskFull.Store(&cause)
		if !full {
			s.deps.Log.Error().Err(cause).Msg("no messages are taken until there is room")
		}
	case ratio <= forced && full:
		s.diskFull.Store(nil)
		s.deps.Log.Warn().Str("dir", dir).Float64("used", ratio).Msg("there is room again, messages are taken")
	}
	switch {
	case ratio > min(warning, forced):
		return urgent
	case ratio > most:
		return filling
	}
	return roomy
}

// clean is one round.
func (s *Store) clean(ctx context.Context, cfg *Config, p pressure) error {
	hours, _ := cfg.deleteHours() // checked by Validate
	manual := s.manualCleans.Load() > 0
	if manual {
		s.manualCleans.Add(-1)
	}
	if manual || p > roomy || slices.Contains(hours, s.deps.Clock.Now().Hour()) {
		n, err := s.dropSegments(ctx, cfg, p == urgent && cfg.CleanFileForciblyEnable)
		if err != nil {
			return err
		}
		if n == 0 && p > roomy {
			s.deps.Log.Warn().Msg("the disk is filling up, and there is no commit-log file that may be deleted")
		}
	}
	return s.followLog(ctx, cfg)
}

// dropSegments deletes the oldest files of the log, as many as a round may,
// never the last.
func (s *Store) dropSegments(ctx context.Context, cfg *Config, forced bool) (dropped int, err error) {
	reserved := int64(cfg.FileReservedTime) * time.Hour.Milliseconds()
	segs := s.log.segments()
	for i := 0; i < len(segs)-1 && dropped < max(cfg.DeleteFileBatchMax, 1); i++ {
		seg := segs[i]
		if seg.base+seg.size > s.dispatch.done.Load() {
			break // queues and index do not know it yet
		}
		age, err := s.segmentAge(seg, segs[i+1])
		if err != nil {
			return dropped, err
		}
		if !forced && age < reserved {
			break
		}
		if dropped > 0 && cfg.DeleteCommitLogFilesInterval > 0 && !s.sleep(ctx, ms(cfg.DeleteCommitLogFilesInterval)) {
			break
		}
		if err := s.log.dropFirst(seg); err != nil {
			return dropped, err
		}
		dropped++
		s.deletedFiles.Add(1)
		s.deps.Log.Info().Str("file", seg.name).Int64("ageHours", age/time.Hour.Milliseconds()).Bool("forced", forced).
			Int64("pins", seg.refs.Load()).Msg("commit-log file deleted")
	}
	if dropped > 0 {
		err = s.log.paths.syncNames(s.deps.FS)
	}
	return dropped, err
}

// segmentAge is how long ago a file was last written, as Java counts. A disk
// that keeps no times leaves the store time of what follows.
func (s *Store) segmentAge(seg, next *segment) (ageMs int64, err error) {
	info, err := s.deps.FS.Stat(seg.name)
	if err != nil {
		return 0, err
	}
	if info.ModTimeMs > 0 {
		return s.nowMs() - info.ModTimeMs, nil
	}
	if storeMs, ok := s.storeTimeAt(next.base); ok {
		return s.nowMs() - storeMs, nil
	}
	return 0, nil
}

// dropFirst removes the oldest file. Readers that have it pinned keep it.
func (l *commitLog) dropFirst(seg *segment) error {
	if err := l.fs.Remove(seg.name); err != nil {
		return err
	}
	l.mu.Lock()
	segs := l.segments()
	if len(segs) > 0 && segs[0] == seg {
		rest := slices.Clone(segs[1:])
		l.segs.Store(&rest)
	}
	l.mu.Unlock()
	seg.unpin()
	return nil
}

// followLog moves the queues' first offsets to what the log still has, and
// deletes queue and index files that are wholly before it.
func (s *Store) followLog(ctx context.Context, cfg *Config) error {
	logMin := s.log.minOffset()
	if logMin <= s.cleanedBelow {
		return nil
	}
	err := s.queues.each(func(q *queue) error {
		dropped, err := s.trimQueue(q, logMin)
		if err == nil && dropped > 0 && cfg.DeleteConsumeQueueFilesInterval > 0 && !s.sleep(ctx, ms(cfg.DeleteConsumeQueueFilesInterval)) {
			err = ctx.Err()
		}
		return err
	})
	if err == nil && s.index != nil {
		err = s.index.dropBefore(logMin)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	s.cleanedBelow = logMin
	return nil
}

// trimQueue lets go of what a queue has from before logMin. Its last file stays:
// it holds the queue's next offset.
func (s *Store) trimQueue(q *queue, logMin int64) (dropped int, err error) {
	s.dispatch.mu.Lock()
	defer s.dispatch.mu.Unlock()
	if q.deleted {
		return 0, nil
	}
	q.raise(logMin)
	list := *q.files.list.Load()
	for dropped < len(list)-1 {
		u, ok := q.unit(list[dropped+1].base/unitBytes - 1)
		if !ok || !u.valid() || !u.isBlank() && u.phyOffset >= logMin {
			break
		}
		dropped++
	}
	if q.files.ext != nil {
		if code, ok := q.files.codeAt(q.min.Load()); ok {
			if err := q.files.ext.dropBefore(code); err != nil {
				return 0, err
			}
		}
	}
	if dropped == 0 {
		return 0, nil
	}
	if err := s.forgetList(); err != nil {
		return 0, err
	}
	return dropped, q.files.dropFirst(dropped)
}

// dropFirst removes the n oldest files. A read that has found one meanwhile ends
// without units.
func (f *queueFiles) dropFirst(n int) error {
	list := *f.list.Load()
	for i, q := range list[:n] {
		if err := f.fs.Remove(f.nameOf(q.base)); err != nil {
			return err
		}
		rest := slices.Clone(list[i+1:])
		f.list.Store(&rest)
		if err := q.close(); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	return f.fs.SyncDir(f.dir)
}

// dropBefore removes the files all of whose entries point before logMin, except
// the newest.
func (x *keyIndex) dropBefore(logMin int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.files) > 1 && x.files[0].h.endPhy < logMin {
		if err := x.remove(0); err != nil {
			return err
		}
	}
	return nil
}

// CleanQueues removes the queues that may go and all of whose messages have left
// the log. Their offsets begin at 0 when they are used again.
func (s *Store) CleanQueues(may func(topic string, queueID int32) bool) error {
	logMin := s.log.minOffset()
	expired := func(q *queue) bool {
		u, ok := q.unit(q.end.Load() - 1)
		return ok && u.phyOffset+int64(u.size) <= logMin && may(q.topic, q.id)
	}
	for _, topic := range s.queues.topics() {
		if err := s.deleteQueues(topic, expired); err != nil {
			return err
		}
	}
	return nil
}

// DiskUsed is the used share of the partition of the log, of several the one
// with most room, and of that of queues and index; -1 when it is not known.
func (s *Store) DiskUsed() (log, root float64) {
	log, root = -1, -1
	if u, _, err := s.log.paths.usage(s.deps.FS); err == nil {
		log = u.UsedRatio()
	}
	if u, err := s.deps.FS.Usage(s.root); err == nil {
		root = u.UsedRatio()
	}
	return log, root
}
