// SPDX-License-Identifier: Apache-2.0

// The commit log: one byte sequence over files of one size. There is one
// append lock, mu; whoever moves the end of the log holds it (put, batch, raw
// bytes from a master, truncation). Readers hold nothing: they load the
// published end and the list of segments, and pin what they use.
// Java: CommitLog, MappedFileQueue.

package store

import (
	"encoding/binary"
	"path"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

type commitLog struct {
	fs       vfs.FS
	paths    *logPaths
	fileSize int64
	step     int64
	pwrite   bool

	mu          sync.Mutex   // the append lock
	lockedSince atomic.Int64 // Unix ms while an append holds mu, 0 otherwise
	lastStoreMs int64        // under mu; store times never go back
	parsed      int64        // under mu; end of the last complete record

	segs     atomic.Pointer[[]*segment] // ascending, contiguous; replaced under mu
	appended atomic.Int64               // published under mu, read by anyone
	flushed  atomic.Int64               // published by the flusher, read by anyone
}

// load opens all files of the directory. Java pre-allocates the file after the
// current one and may leave an empty one last; both are fine.
func (l *commitLog) load() error {
	files, err := findOffsetFiles(l.fs, l.paths.all())
	if err != nil {
		return err
	}
	l.fileSize = foundFileSize(files, l.fileSize, 1, minSegmentBytes)
	files, err = listOffsetFiles(l.fs, files, l.fileSize, "mappedFileSizeCommitLog")
	if err != nil {
		return err
	}
	var segs []*segment
	l.segs.Store(&segs)
	for i, f := range files {
		readOnly := i < len(files)-1 && slices.Contains(l.paths.read, f.dir)
		s, err := openSegment(l.fs, f.name(), f.offset, l.fileSize, l.pwrite, readOnly)
		if err != nil {
			l.close()
			return err
		}
		segs = append(segs, s)
		l.segs.Store(&segs)
	}
	return nil
}

func (l *commitLog) segments() []*segment { return *l.segs.Load() }

// minOffset is the start of the oldest file.
func (l *commitLog) minOffset() int64 {
	if segs := l.segments(); len(segs) > 0 {
		return segs[0].base
	}
	return l.appended.Load()
}

// at returns the segment that holds a physical offset, pinned; nil when there
// is none.
func (l *commitLog) at(phyOffset int64) *segment {
	for {
		segs := l.segments()
		if len(segs) == 0 || phyOffset < segs[0].base {
			return nil
		}
		i := (phyOffset - segs[0].base) / l.fileSize
		if i >= int64(len(segs)) {
			return nil
		}
		if segs[i].pin() {
			return segs[i]
		}
	}
}

// hotBytes from the end of the log are taken to be in memory.
const hotBytes = 128 << 20

// hot says whether the bytes at a physical offset need no Load before they are
// looked at (see vfs.Mapping).
func (l *commitLog) hot(phyOffset int64) bool { return l.appended.Load()-phyOffset <= hotBytes }

// loading bounds the loads at a time. In each a processor of the scheduler waits for the disk; with all of them there nobody
// looks at the sockets.
var loading = make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1))

// bring loads bytes of a segment that may have left memory.
func (l *commitLog) bring(s *segment, pos, n int64) {
	loading <- struct{}{}
	defer func() { <-loading }()
	s.m.Load(pos, n)
}

// slice returns n bytes at a physical offset, in memory, and the pinned segment
// they alias; nil when they are not all in one file below the published end.
func (l *commitLog) slice(phyOffset int64, n int64) ([]byte, *segment) {
	if n <= 0 || phyOffset < 0 || phyOffset+n > l.appended.Load() {
		return nil, nil
	}
	s := l.at(phyOffset)
	if s == nil {
		return nil, nil
	}
	pos := phyOffset - s.base
	if pos+n > s.size {
		s.unpin()
		return nil, nil
	}
	if !l.hot(phyOffset) {
		l.bring(s, pos, n)
	}
	return s.data[pos : pos+n : pos+n], s
}

// room returns where a unit of n bytes goes, reserved. It writes the filler and
// starts the next file when the unit does not fit. Under mu; on an error
// nothing has changed.
func (l *commitLog) room(n int64) (*segment, int64, error) {
	end := l.appended.Load()
	seg, err := l.last(end)
	if err != nil {
		return nil, 0, err
	}
	pos := end - seg.base
	if n+message.FillerBytes > seg.size-pos {
		next, err := l.grow(seg.base + seg.size)
		if err != nil {
			return nil, 0, err
		}
		if err := l.fill(seg, pos); err != nil {
			return nil, 0, err
		}
		l.appended.Store(next.base)
		l.parsed = next.base
		seg, pos = next, 0
	}
	if err := seg.reserve(pos+n, l.step); err != nil {
		return nil, 0, err
	}
	return seg, pos, nil
}

// last returns the segment that the end of the log lies in, made when missing.
func (l *commitLog) last(end int64) (*segment, error) {
	segs := l.segments()
	if n := len(segs); n > 0 && end < segs[n-1].base+l.fileSize {
		return segs[(end-segs[0].base)/l.fileSize], nil
	}
	return l.grow(end - end%l.fileSize)
}

// grow returns the segment that starts at base, which is in the list already
// when Java had allocated it or an earlier append failed after this step.
func (l *commitLog) grow(base int64) (*segment, error) {
	segs := l.segments()
	if n := len(segs); n > 0 && base <= segs[n-1].base {
		return segs[(base-segs[0].base)/l.fileSize], nil
	}
	if n := len(segs); n > 0 {
		// A file must not outlive its predecessor in a power loss.
		if err := l.settle(segs[n-1]); err != nil {
			return nil, err
		}
	}
	s, err := createSegment(l.fs, l.paths.place(base, l.fileSize), base, l.fileSize, l.pwrite)
	if err != nil {
		return nil, err
	}
	if err := s.reserve(1, l.step); err != nil {
		s.unpin()
		_ = l.fs.Remove(s.name)
		return nil, err
	}
	grown := append(append(make([]*segment, 0, len(segs)+1), segs...), s)
	l.segs.Store(&grown)
	return s, nil
}

// mayWait says whether an append of n bytes may have to wait for the disk: it would begin the next file before the name
// of this one is durable.
func (l *commitLog) mayWait(n int64) bool {
	segs := l.segments()
	if len(segs) == 0 {
		return false
	}
	last := segs[len(segs)-1]
	return !last.named.Load() && l.appended.Load()+n+message.FillerBytes > last.base+last.size
}

// settle makes a new file's name and size durable; mostly the flusher has done
// so long before the next file is made.
func (l *commitLog) settle(s *segment) error {
	if s.named.Load() {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	if err := l.fs.SyncDir(path.Dir(s.name)); err != nil {
		return err
	}
	s.named.Store(true)
	return nil
}

// fill writes the mark that says "this file ends here" at pos.
func (l *commitLog) fill(seg *segment, pos int64) error {
	left := seg.size - pos
	if left < message.FillerBytes {
		return nil
	}
	if err := seg.reserve(pos+message.FillerBytes, l.step); err != nil {
		return err
	}
	var filler [message.FillerBytes]byte
	binary.BigEndian.PutUint32(filler[:], uint32(left))
	binary.BigEndian.PutUint32(filler[4:], message.MagicBlank)
	return seg.write(pos, filler[:])
}

// cut makes end the end of the log: later files are removed, the bytes after
// end in its file read as zeros, both durably unless what was there is known to
// be no records, so that it can never be taken for some again. Under mu, or before the store is shared.
func (l *commitLog) cut(end int64, durably bool) error {
	segs := l.segments()
	keep := len(segs)
	for keep > 0 && segs[keep-1].base >= end && keep-1 > 0 {
		keep--
	}
	if keep == 1 && segs[0].base > end {
		keep = 0
	}
	kept := append([]*segment(nil), segs[:keep]...)
	if keep > 0 {
		s := kept[keep-1]
		if pos := end - s.base; pos < s.size {
			if err := s.file.Zero(pos, s.size-pos); err != nil {
				return err
			}
			if durably {
				if err := s.file.Sync(); err != nil {
					return err
				}
			}
			s.allocated = 0 // nothing is known of the blocks any more
		}
	}
	l.segs.Store(&kept)
	for i := len(segs) - 1; i >= keep; i-- { // a crash must not leave a hole
		if err := l.fs.Remove(segs[i].name); err != nil {
			return err
		}
		segs[i].unpin()
	}
	if keep < len(segs) {
		if err := l.paths.syncNames(l.fs); err != nil {
			return err
		}
	}
	l.appended.Store(end)
	l.parsed = end
	if l.flushed.Load() > end {
		l.flushed.Store(end)
	}
	return nil
}

// sync makes the log durable up to end and publishes that.
func (l *commitLog) sync(end int64) error {
	from := l.flushed.Load()
	if end <= from {
		return nil
	}
	for _, s := range l.segments() {
		if s.base+s.size <= from || s.base >= end || !s.pin() {
			continue
		}
		err := s.file.Sync()
		if err == nil {
			err = l.settle(s)
		}
		s.unpin()
		if err != nil {
			return err
		}
	}
	l.flushed.Store(min(end, l.appended.Load())) // the log may have been cut meanwhile
	return nil
}

func (l *commitLog) close() {
	segs := l.segments()
	var none []*segment
	l.segs.Store(&none)
	for _, s := range segs {
		s.unpin()
	}
}
