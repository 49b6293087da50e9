// SPDX-License-Identifier: Apache-2.0

// The mark: what the next start may believe, finer than Java's checkpoint
// (docs/format/mark.md). It holds the contents of Java's checkpoint; when that
// has become another, somebody else had the store, and nothing in here counts.

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"hash/fnv"
	"io/fs"
	"path"
	"sync"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

const (
	markName  = "rocketd.mark"
	markMagic = "RKTDMRK1"
	markBytes = 512 // a sector: old or new, never half
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// javaCheckpoint is the part of Java's checkpoint file that says something.
type javaCheckpoint [40]byte

// markState is what the file says.
type markState struct {
	clean    bool              // the store was closed
	distrust bool              // queues are known to be wrong: make them again
	cutting  bool              // recovery after a crash was at work
	boot     [16]byte          // the start of the system that wrote it, zeros: not known
	flushed  int64             // the log is durable up to here
	end      int64             // clean: the end of the log
	tailSum  uint32            // clean: checksum of the log's last bytes
	listID   uint64            // the queue list that counts, 0: none does
	java     [2]javaCheckpoint // before and after the save that follows
}

func (m *markState) bytes() []byte {
	b := make([]byte, 0, markBytes)
	be := binary.BigEndian
	b = append(b, markMagic...)
	b = append(b, 0, 0, 0, 0)
	flags := uint32(0)
	for i, set := range []bool{m.clean, m.distrust, m.cutting} {
		if set {
			flags |= 1 << i
		}
	}
	b = be.AppendUint32(b, flags)
	b = append(b, m.boot[:]...)
	for _, v := range []int64{m.flushed, m.end, int64(m.listID)} {
		b = be.AppendUint64(b, uint64(v))
	}
	b = be.AppendUint32(b, m.tailSum)
	b = append(append(b, m.java[0][:]...), m.java[1][:]...)
	b = b[:markBytes]
	be.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli))
	return b
}

// parse is false for a file that is missing, damaged or of another version.
func (m *markState) parse(b []byte) bool {
	be := binary.BigEndian
	if len(b) < markBytes || string(b[:8]) != markMagic || be.Uint32(b[8:]) != crc32.Checksum(b[12:markBytes], castagnoli) {
		return false
	}
	flags := be.Uint32(b[12:])
	m.clean, m.distrust, m.cutting = flags&1 != 0, flags&2 != 0, flags&4 != 0
	copy(m.boot[:], b[16:])
	m.flushed, m.end, m.listID = int64(be.Uint64(b[32:])), int64(be.Uint64(b[40:])), be.Uint64(b[48:])
	m.tailSum = be.Uint32(b[56:])
	copy(m.java[0][:], b[60:])
	copy(m.java[1][:], b[100:])
	return true
}

// mark is the open file.
type mark struct {
	fs   vfs.FS
	name string

	mu    sync.Mutex
	file  vfs.File
	state markState
	saved []byte // what the file has
}

// loadMark reads the file; valid is false when it is missing or damaged.
func loadMark(fsys vfs.FS, root string, bootID string, java javaCheckpoint) (m *mark, was markState, valid bool, err error) {
	m = &mark{fs: fsys, name: path.Join(root, markName)}
	b, err := vfs.ReadFile(fsys, m.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, was, false, err
	}
	if len(b) >= markBytes {
		m.saved = bytes.Clone(b[:markBytes])
	}
	valid = was.parse(b)
	m.state = markState{java: [2]javaCheckpoint{java, java}}
	if bootID != "" {
		h := fnv.New128a()
		h.Write([]byte(bootID))
		h.Sum(m.state.boot[:0])
	}
	return m, was, valid, nil
}

// sameBoot says whether the system has run since the other state was written.
func (m *mark) sameBoot(was *markState) bool {
	return m.state.boot != [16]byte{} && m.state.boot == was.boot
}

// update changes the state and makes it durable.
func (m *mark) update(change func(s *markState)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.state)
	return m.write(m.state.bytes())
}

// restore puts back what the file had.
func (m *mark) restore(was []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if was == nil {
		return nil // a state that says "running" does no harm
	}
	return m.write(was)
}

func (m *mark) write(b []byte) error {
	if m.file != nil && bytes.Equal(b, m.saved) {
		return nil
	}
	if m.file == nil {
		f, err := m.fs.Open(m.name, vfs.Create)
		if err != nil {
			return err
		}
		m.file = f
		if err := m.fs.SyncDir(path.Dir(m.name)); err != nil {
			return err
		}
	}
	if _, err := m.file.WriteAt(b, 0); err != nil {
		return err
	}
	if err := m.file.Sync(); err != nil {
		return err
	}
	m.saved = b
	return nil
}

func (m *mark) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	m.file = nil
	return err
}

// saveCheckpoint records how far the log is durable. The mark goes first: it
// knows the contents of Java's checkpoint before and after.
func (s *Store) saveCheckpoint() error {
	return s.check.save(s.deps.FS, func(old, next javaCheckpoint) error {
		return s.mark.update(func(m *markState) {
			m.flushed = s.log.flushed.Load()
			m.java = [2]javaCheckpoint{old, next}
		})
	})
}

// markClean records an orderly stop: the next start compares the log's last
// bytes and reads nothing else.
func (s *Store) markClean() error {
	end := s.log.appended.Load()
	return s.mark.update(func(m *markState) { m.clean, m.end, m.tailSum = true, end, s.log.tailSum(end) })
}

// tailSum is the checksum of the last bytes before end.
func (l *commitLog) tailSum(end int64) uint32 {
	seg := l.at(end - 1)
	if seg == nil {
		return 0
	}
	defer seg.unpin()
	pos := end - seg.base
	return crc32.Checksum(seg.data[max(pos-4096, 0):pos], castagnoli)
}

// untouched says whether the log ends as the mark says: with the same bytes, and
// with nothing behind them.
func (l *commitLog) untouched(was *markState) bool {
	if seg := l.at(was.end); seg != nil {
		defer seg.unpin()
		rest := seg.data[was.end-seg.base:]
		if !zeros(rest[:min(len(rest), message.FillerBytes)]) {
			return false
		}
	}
	segs := l.segments()
	if len(segs) == 0 {
		return was.end == 0
	}
	last := segs[len(segs)-1]
	return was.end >= segs[0].base && was.end <= last.base+last.size && l.tailSum(was.end) == was.tailSum
}
