// SPDX-License-Identifier: Apache-2.0

// The queue list: where each queue began and ended when everything below an
// offset of the log was durable in queues and index, so that a start needs to
// look into no directory (docs/format/mark.md). It counts when the mark says so.

package store

import (
	"encoding/binary"
	"errors"
	"hash/crc64"
	"io/fs"
	"path"

	"rocketd/store/vfs"
)

const (
	listName  = "rocketd.queues"
	listMagic = "RKTDQUE1"
)

var crcECMA = crc64.MakeTable(crc64.ECMA)

type queueList struct {
	mark     int64 // the log is in queues and index, durably, up to here
	lastMs   int64 // store time of the last record before
	logMin   int64
	fileSize int64 // of queue files
	queues   []listedQueue
	index    []listedIndex
}

type listedQueue struct {
	topic          string
	id             int32
	files          int32
	base, min, end int64
}

// listedIndex is an index file that has all records up to endPhy but those that
// older files have.
type listedIndex struct {
	name   string
	endPhy int64
}

// encode returns the file and its checksum, which is the list's id.
func (l *queueList) encode() ([]byte, uint64) {
	be := binary.BigEndian
	b := make([]byte, 16, 64+len(l.queues)*64)
	text := func(s string) {
		b = be.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	for _, v := range []int64{l.mark, l.lastMs, l.logMin, l.fileSize, int64(len(l.queues)), int64(len(l.index))} {
		b = be.AppendUint64(b, uint64(v))
	}
	for i := range l.queues {
		q := &l.queues[i]
		text(q.topic)
		b = be.AppendUint32(b, uint32(q.id))
		b = be.AppendUint32(b, uint32(q.files))
		for _, v := range []int64{q.base, q.min, q.end} {
			b = be.AppendUint64(b, uint64(v))
		}
	}
	for _, f := range l.index {
		text(f.name)
		b = be.AppendUint64(b, uint64(f.endPhy))
	}
	return seal(b)
}

// seal puts magic and checksum into the room before a list.
func seal(b []byte) ([]byte, uint64) {
	copy(b, listMagic)
	id := crc64.Checksum(b[16:], crcECMA)
	binary.BigEndian.PutUint64(b[8:], id)
	return b, id
}

// isList says whether a file is a list as it was written.
func isList(b []byte) bool {
	return len(b) >= 64 && string(b[:8]) == listMagic && binary.BigEndian.Uint64(b[8:]) == crc64.Checksum(b[16:], crcECMA)
}

var errList = errors.New("the queue list is damaged")

// decodeList takes a file apart; the checksum has been compared with id, so
// what does not fit is a damage that nobody expects.
func decodeList(b []byte, id uint64) (*queueList, error) {
	if !isList(b) || binary.BigEndian.Uint64(b[8:]) != id {
		return nil, errList
	}
	r := listReader{b: b[16:]}
	l := &queueList{mark: r.int64(), lastMs: r.int64(), logMin: r.int64(), fileSize: r.int64()}
	queues, index := r.int64(), r.int64()
	if queues < 0 || queues > int64(len(b)) || index < 0 || index > int64(len(b)) {
		return nil, errList
	}
	l.queues = make([]listedQueue, queues)
	topic := ""
	for i := range l.queues {
		if t := r.text(); t != topic { // queues of a topic share its name
			topic = t
		}
		l.queues[i] = listedQueue{topic: topic, id: r.int32(), files: r.int32(), base: r.int64(), min: r.int64(), end: r.int64()}
	}
	for range index {
		l.index = append(l.index, listedIndex{name: r.text(), endPhy: r.int64()})
	}
	if r.bad || len(r.b) > 0 {
		return nil, errList
	}
	return l, nil
}

// listReader is sticky: after the end everything is zero.
type listReader struct {
	b   []byte
	bad bool
}

func (r *listReader) take(n int) []byte {
	if len(r.b) < n {
		r.b, r.bad = nil, true
		return make([]byte, n)
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *listReader) int32() int32 { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *listReader) int64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }
func (r *listReader) text() string {
	return string(r.take(int(binary.BigEndian.Uint16(r.take(2)))))
}

// loadList reads the list with an id, 0 for none. damaged says that the file is missing or was changed. A whole list with
// another id is what a kill leaves that came between list and mark: it is not the one, and no harm was done.
func loadList(fsys vfs.FS, root string, id uint64) (l *queueList, damaged bool, err error) {
	if id == 0 {
		return nil, false, nil
	}
	b, err := vfs.ReadFile(fsys, path.Join(root, listName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	if l, err = decodeList(b, id); err != nil {
		return nil, !isList(b), nil
	}
	return l, false, nil
}

const (
	// listEveryMs and listEveryBytes are when a new list is worth its syncs.
	listEveryMs    = 10_000
	listEveryBytes = 64 << 20
	// unlistedBytes of log are as much as a start after a kill shall read again:
	// beyond it queue files are synced however little they have.
	unlistedBytes = 128 << 20
	// unlistedSyncs bounds that for stores with many busy queues: of them a page each is written every time.
	unlistedSyncs = 1024
	// unlistedMost of log are worth it with any number, where one sync does it.
	unlistedMost = 512 << 20
)

// listing is the queue list that was written last, and since when.
type listing struct {
	mark   int64 // under the dispatch lock
	logMin int64 // under the dispatch lock
	atMs   int64 // under the dispatch lock
	behind bool  // under the dispatch lock: the list that is there does not count
}

func (s *Store) listDue() bool {
	l := &s.dispatch.listed
	grown := s.dispatch.done.Load() - l.mark
	return l.behind || grown >= listEveryBytes || grown > 0 && s.nowMs()-l.atMs >= listEveryMs
}

// worthAllSyncs says whether all queue files are to be synced so that a list can
// be written. Without one a start after a kill has to look into every directory.
func (s *Store) worthAllSyncs() bool {
	l := &s.dispatch.listed
	grown := s.dispatch.done.Load() - l.mark
	if len(s.queues.volumes) > 0 && (l.behind || grown >= unlistedMost) {
		return true
	}
	return (l.behind || grown >= unlistedBytes) && s.unsyncedFiles() <= unlistedSyncs
}

// takeList notes where the queues are. Under the dispatch lock; what it says is
// true on the disk once all that is unsynced now has been synced.
func (s *Store) takeList() *queueList {
	l := &queueList{
		mark: s.dispatch.done.Load(), lastMs: s.dispatch.doneMs, logMin: s.log.minOffset(), fileSize: s.queues.fileSize,
	}
	all := *s.queues.all.Load()
	l.queues = make([]listedQueue, 0, len(all))
	for _, q := range all {
		files := *q.files.list.Load()
		if len(files) == 0 {
			continue
		}
		l.queues = append(l.queues, listedQueue{
			topic: q.topic, id: q.id, files: int32(len(files)), base: files[0].base, min: q.min.Load(), end: q.written,
		})
	}
	if s.index != nil {
		l.index = s.index.listed()
	}
	return l
}

// saveList writes a list and has the mark name it, unless the queues have been
// changed otherwise since it was taken.
func (s *Store) saveList(l *queueList, forgotten int64) error {
	b, id := l.encode()
	if err := vfs.WriteFileAtomic(s.deps.FS, path.Join(s.root, listName), b); err != nil {
		return err
	}
	s.dispatch.mu.Lock()
	defer s.dispatch.mu.Unlock()
	if s.dispatch.forgotten != forgotten {
		return nil
	}
	s.dispatch.listed = listing{mark: l.mark, logMin: l.logMin, atMs: s.nowMs()}
	return s.mark.update(func(m *markState) { m.listID, m.distrust = id, s.distrusted.Load() })
}

// forgetList makes the list void, durably, before queues are removed or cut.
// Under the dispatch lock.
func (s *Store) forgetList() error {
	s.dispatch.forgotten++
	s.dispatch.listed.behind = true
	return s.mark.update(func(m *markState) { m.listID = 0 })
}
