// SPDX-License-Identifier: Apache-2.0

// Opening the queues: by the queue list, or by looking into the directories.
// What does not belong there stays as it is; files of queues that cannot be
// right are to be removed, because the log says what was in them.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"sync/atomic"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// repairs is told what was repaired, or passed over, and why.
type repairs func(file, what string)

// notAsListed says what a file is that the list has otherwise.
type notAsListed struct{ file, what string }

func (e *notAsListed) Error() string { return e.file + ": " + e.what }

// adopt makes the queues that the list has. Their files are looked at, not
// opened: when one is not as it was, none is adopted.
func (t *queueTable) adopt(l *queueList, repaired repairs) (ok bool, err error) {
	if l.fileSize <= 0 || l.fileSize%unitBytes != 0 {
		return false, nil
	}
	for i := range l.queues {
		q := &l.queues[i]
		if !message.SafeName(q.topic) || q.id < 0 || q.id > maxQueueID || q.files < 1 || q.base%l.fileSize != 0 {
			return false, nil
		}
	}
	var not *notAsListed
	switch err := spread(len(l.queues), func(i int) error { return t.asListed(&l.queues[i], l.fileSize) }); {
	case errors.As(err, &not):
		repaired(not.file, not.what)
		return false, nil
	case err != nil:
		return false, err
	}
	t.fileSize = l.fileSize
	queues := make([]*queue, len(l.queues))
	for i := range l.queues {
		e := &l.queues[i]
		q := t.newQueue(e.topic, e.id)
		q.files.take(e.base, int(e.files), true)
		q.place(e.end)
		q.min.Store(e.min)
		queues[i] = q
	}
	t.addAll(queues)
	return true, nil
}

func (t *queueTable) asListed(q *listedQueue, fileSize int64) error {
	dir := t.queueDir(q.topic, q.id)
	for n := range q.files {
		name := path.Join(dir, segmentName(q.base+int64(n)*fileSize))
		info, err := t.fs.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &notAsListed{name, "the file is missing"}
		case err != nil:
			return err
		case info.Size != fileSize:
			return &notAsListed{name, fmt.Sprintf("the file has %d bytes, not %d", info.Size, fileSize)}
		}
	}
	return nil
}

// addAll adds many queues at once, none of which is there.
func (t *queueTable) addAll(queues []*queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	shards := map[*atomic.Pointer[map[string]map[int32]*queue]]map[string]map[int32]*queue{}
	for _, q := range queues {
		p := t.shard(q.topic)
		topics := shards[p]
		if topics == nil {
			topics = maps.Clone(*p.Load())
			shards[p] = topics
		}
		ids := topics[q.topic]
		if ids == nil {
			ids = make(map[int32]*queue, 8)
			topics[q.topic] = ids
		}
		ids[q.id] = q
	}
	for p, topics := range shards {
		p.Store(&topics)
	}
	all := append(*t.all.Load(), queues...)
	t.all.Store(&all)
}

// newestUnit is the unit of all queues' files that points farthest into the log.
type newestUnit struct {
	unit
	dir string // of its queue
}

// end of the record that it points to, 0 without a unit.
func (u newestUnit) end() int64 { return u.phyOffset + int64(u.size) }

// load opens the queues that the directory has, and returns the newest unit of
// all, and the files that cannot be right, which no queue has.
func (t *queueTable) load(durable bool, repaired repairs, working func(done int)) (newest newestUnit, wrong []string, err error) {
	dirs, err := t.list(repaired, working)
	if err != nil {
		return newest, nil, err
	}
	if size := usualFileSize(dirs, t.fileSize); size != t.fileSize {
		repaired(t.dir, fmt.Sprintf("queue files have %d bytes, not mappedFileSizeConsumeQueue=%d; that is kept", size, t.fileSize))
		t.fileSize = size
	}
	for i := range dirs {
		good, bad := inOrder(dirs[i].files, t.fileSize)
		dirs[i].files = good
		wrong = appendWrong(wrong, bad, repaired)
	}
	queues, last, exts := make([]*queue, len(dirs)), make([]unit, len(dirs)), make([][]offsetFile, len(dirs))
	err = spread(len(dirs), func(i int) (err error) {
		working(i)
		queues[i], last[i], exts[i], err = t.openQueue(&dirs[i], durable)
		return err
	})
	if err != nil {
		return newest, nil, err
	}
	for _, bad := range exts {
		wrong = appendWrong(wrong, bad, repaired)
	}
	for i, u := range last {
		if u.valid() && !u.isBlank() && u.phyOffset >= newest.phyOffset {
			newest = newestUnit{u, queues[i].files.dir}
		}
	}
	t.addAll(queues)
	return newest, wrong, nil
}

// appendWrong adds the names of a queue's files, the newest first.
func appendWrong(wrong []string, files []offsetFile, repaired repairs) []string {
	for _, f := range slices.Backward(files) {
		repaired(f.name(), "the file cannot be right and is removed; the log says what it had")
		wrong = append(wrong, f.name())
	}
	return wrong
}

// openQueue finds where a queue's files begin and end, and returns the last unit, and the files of its extension that
// cannot be right.
func (t *queueTable) openQueue(d *queueDir, durable bool) (*queue, unit, []offsetFile, error) {
	q := t.newQueue(d.topic, d.id)
	if len(d.files) > 0 {
		q.files.take(d.files[0].offset, len(d.files), durable)
	}
	wrong, err := t.openExt(q, durable)
	if err != nil {
		return nil, unit{}, nil, err
	}
	if h := d.head; h != nil && len(d.files) == 1 {
		q.place(d.files[0].offset/unitBytes + int64(h.units))
		q.min.Store(d.files[0].offset / unitBytes)
		q.based = h.based
		if q.files.ext == nil {
			q.newest = h.newest
		}
		return q, h.last, wrong, nil
	}
	first, end, last, err := q.files.bounds()
	if err != nil {
		return nil, unit{}, nil, err
	}
	q.place(end)
	q.min.Store(first)
	if u, ok := q.unit(first); ok && u.valid() && !u.isBlank() {
		q.based = u.phyOffset
	}
	return q, last, wrong, nil
}

func (t *queueTable) queueDir(topic string, id int32) string {
	return path.Join(t.dir, topic, strconv.Itoa(int(id)))
}

func (t *queueTable) newQueue(topic string, id int32) *queue {
	files := newQueueFiles(t.fs, t.queueDir(topic, id), t.fileSize)
	files.opened = &t.opened
	return newQueue(topic, id, files)
}

// openExt opens a queue's extension, if it is to have one or has one.
func (t *queueTable) openExt(q *queue, durable bool) (wrong []offsetFile, err error) {
	if !t.extThere {
		return nil, nil
	}
	x := t.newExt(q.topic, strconv.Itoa(int(q.id)), t.extEnabled)
	if there, err := vfs.Exists(t.fs, x.files.dir); err != nil || !there && !t.extEnabled {
		return nil, err
	}
	q.files.ext = x
	return x.load(durable)
}

// findExt looks whether there are any extensions.
func (t *queueTable) findExt() (err error) {
	t.extThere, err = vfs.Exists(t.fs, t.extDir)
	return err
}

// compare notes the ends that the list has, and says which queue has lost units
// that were durable.
func (t *queueTable) compare(l *queueList) (dir string, lost bool) {
	for _, q := range *t.all.Load() {
		q.listed = 0 // one that is younger than the list had nothing
	}
	for i := range l.queues {
		e := &l.queues[i]
		q := t.get(e.topic, e.id)
		if q == nil || q.end.Load() < e.end || q.min.Load() > e.min {
			return t.queueDir(e.topic, e.id), true
		}
		q.listed = e.end
	}
	return "", false
}
