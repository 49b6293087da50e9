// SPDX-License-Identifier: Apache-2.0

// Looking into the directories of the queues when no list tells what is there.
// There can be very many, and most queues have one file with few units: that
// one is read right when its directory is.

package store

import (
	"path"
	"strconv"
	"sync"
	"sync/atomic"

	"rocketd/internal/run"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// queueDir is a queue's directory with the files in it.
type queueDir struct {
	topic string
	id    int32
	files []offsetFile
	head  *queueHead // of the only file there is, if it says all
}

// queueHead is what a file has whose units end in its first bytes.
type queueHead struct {
	units  int
	based  int64 // where the first unit points to, -1: nowhere
	newest int64 // the greatest offset that a unit points to; -1 when behind the units there may be something but zeros
	last   unit
}

// headBytes of a file are read: what the system reads anyhow.
const headBytes = 4096

var headBuffers = sync.Pool{New: func() any { return new([headBytes]byte) }}

// headOf reads the beginning of a file; nil when the units may go on behind it.
func headOf(b []byte, rest bool) *queueHead {
	h := &queueHead{based: -1, newest: -1}
	newest := int64(0)
	for ; len(b) >= unitBytes; b = b[unitBytes:] {
		u := unitAt(b)
		if !u.valid() {
			if !rest && zeros(b) {
				h.newest = newest
			}
			return h
		}
		if !u.isBlank() {
			newest = max(newest, u.phyOffset)
			if h.units == 0 {
				h.based = u.phyOffset
			}
		}
		h.last = u
		h.units++
	}
	return nil
}

// strange is something that is in no queue.
type strange struct{ file, what string }

// topicDir is what the directory of a topic has.
type topicDir struct {
	queues  []queueDir
	strange []strange
}

// list looks into the directories of topics and queues.
func (t *queueTable) list(repaired repairs, working func(done int)) (dirs []queueDir, err error) {
	root, err := t.fs.OpenDir(t.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // it was only read
	topics, err := root.Entries()
	if err != nil {
		return nil, err
	}
	found := make([]topicDir, len(topics))
	var done atomic.Int64
	err = spread(len(topics), func(i int) error {
		if err := t.listTopic(root, topics[i], &found[i]); err != nil {
			return err
		}
		working(int(done.Add(int64(len(found[i].queues)))))
		return nil
	})
	if err != nil {
		return nil, err
	}
	dirs = make([]queueDir, 0, done.Load())
	for _, topic := range found {
		for _, s := range topic.strange {
			repaired(s.file, s.what)
		}
		dirs = append(dirs, topic.queues...)
	}
	return dirs, nil
}

func (t *queueTable) listTopic(root vfs.Dir, topic vfs.Entry, found *topicDir) error {
	topicPath := path.Join(t.dir, topic.Name)
	if !topic.Dir || !message.SafeName(topic.Name) {
		found.strange = []strange{{topicPath, "this is no topic and is left alone"}}
		return nil
	}
	dir, err := root.OpenDir(topic.Name)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // it was only read
	ids, err := dir.Entries()
	if err != nil {
		return err
	}
	found.queues = make([]queueDir, 0, len(ids))
	for _, e := range ids {
		id, err := strconv.ParseInt(e.Name, 10, 32)
		if err != nil || !e.Dir || id < 0 || id > maxQueueID || strconv.FormatInt(id, 10) != e.Name {
			found.strange = append(found.strange, strange{path.Join(topicPath, e.Name), "this is no queue and is left alone"})
			continue
		}
		d := queueDir{topic: topic.Name, id: int32(id)}
		if err := t.listQueue(dir, e.Name, path.Join(topicPath, e.Name), &d, found); err != nil {
			return err
		}
		found.queues = append(found.queues, d)
	}
	return nil
}

func (t *queueTable) listQueue(topic vfs.Dir, id, full string, d *queueDir, found *topicDir) error {
	dir, err := topic.OpenDir(id)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, err := dir.Entries()
	if err != nil {
		return err
	}
	if len(names) == 1 && names[0].Regular {
		if offset := offsetOf(names[0].Name); offset >= 0 {
			buf := headBuffers.Get().(*[headBytes]byte)
			defer headBuffers.Put(buf)
			h, err := dir.Head(names[0].Name, buf[:])
			if err != nil {
				return err
			}
			d.files = []offsetFile{{full, names[0].Name, offset, h.Size}}
			d.head = headOf(buf[:h.N], h.Rest)
			return nil
		}
	}
	files, err := findOffsetFiles(t.fs, []string{full})
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.offset < 0 {
			found.strange = append(found.strange, strange{f.name(), "this is no file of a queue and is left alone"})
			continue
		}
		d.files = append(d.files, f)
	}
	return nil
}

// usualFileSize is the size that most files have, so that a changed key does not
// make them all wrong; of sizes that are as frequent, the configured one.
func usualFileSize(dirs []queueDir, configured int64) int64 {
	count := map[int64]int{}
	for _, d := range dirs {
		for _, f := range d.files {
			if f.size > 0 && f.size%unitBytes == 0 && f.offset%f.size == 0 {
				count[f.size]++
			}
		}
	}
	best := configured
	for size, n := range count {
		if n > count[best] || n == count[best] && best != configured && size > best {
			best = size
		}
	}
	return best
}

const (
	// spreadLeast is how many things are worth more than one goroutine.
	spreadLeast = 64
	// spreadOver is how many goroutines do them: as many reads as a disk likes to
	// have at once.
	spreadOver = 8
)

// spread calls fn for 0 to n-1, on several goroutines if there are many. Of the
// errors it returns the one with the lowest number; behind it some have not
// been done.
func spread(n int, fn func(i int) error) error {
	over := spreadOver
	if n < spreadLeast {
		over = 1
	}
	errs := make([]error, over)
	at := make([]int, over)
	var next atomic.Int64
	var ended sync.WaitGroup
	work := func(worker int) {
		for errs[worker] == nil {
			if at[worker] = int(next.Add(1)) - 1; at[worker] >= n {
				return
			}
			errs[worker] = fn(at[worker])
		}
		next.Store(int64(n))
	}
	for worker := 1; worker < over; worker++ {
		ended.Add(1)
		run.Spawn("store.reader", func() {
			defer ended.Done()
			work(worker)
		})
	}
	work(0)
	ended.Wait()
	var err error
	lowest := n
	for worker, e := range errs {
		if e != nil && at[worker] < lowest {
			lowest, err = at[worker], e
		}
	}
	return err
}
