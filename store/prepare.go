// SPDX-License-Identifier: Apache-2.0

// The preparer: has disk blocks and memory ready for what is appended next. In
// memory that a file never had the kernel makes pages at the first store, as many
// as it reads ahead, and zeroes them: that takes milliseconds, for which the
// appender would hold the append lock. Java: AllocateMappedFileService,
// warmMapedFileEnable.

package store

import "context"

// With SYNC_FLUSH nothing is read ahead: the kernel reads ahead in large pieces,
// and a store through the mapping makes the whole piece dirty, which each sync
// would write.

// preparedBytes are made ready ahead of the log's end, each time when half of
// them are used up.
const preparedBytes = 16 << 20

// noteAppended wakes the preparer when there is something to do. Under the
// append lock.
func (s *Store) noteAppended(end int64) {
	if end < s.prepareAt || s.config().FlushDiskType == SyncFlush {
		return
	}
	s.prepareAt = end + preparedBytes/2
	select {
	case s.prepareKick <- struct{}{}:
	default:
	}
}

func (s *Store) runPreparer(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.prepareKick:
			s.log.prepare()
		}
	}
}

// prepare makes the bytes after the log's end ready, up to the end of their
// file. A disk that is full is told to the append that gets there.
func (l *commitLog) prepare() {
	l.mu.Lock()
	end := l.appended.Load()
	seg := l.at(end)
	if seg == nil || seg.pwrite {
		l.mu.Unlock()
		return
	}
	defer seg.unpin()
	pos := end - seg.base
	err := seg.reserve(min(pos+preparedBytes, seg.size), l.step)
	ready := min(pos+preparedBytes, seg.allocated)
	l.mu.Unlock()
	for piece := make([]byte, 64<<10); err == nil && pos < ready; pos += int64(len(piece)) {
		_, err = seg.file.ReadAt(piece[:min(int64(len(piece)), ready-pos)], pos)
	}
}
