// SPDX-License-Identifier: Apache-2.0

// One consume queue: units of 20 bytes, physical offset, size and tag code,
// in the order of queue offsets. New units stand in a tail in memory and are
// readable at once; the dispatcher writes them to the files later. Readers take
// no lock: they load the published end, then the tail's head; what is below the
// head is in the files. Java: ConsumeQueue.

package store

import (
	"encoding/binary"
	"math"
	"sort"
	"sync/atomic"
)

// unitBytes is the size of a unit in a file.
const unitBytes = 20

// unit is one entry of a consume queue.
type unit struct {
	phyOffset int64
	tagsCode  int64
	size      int32
}

// blank is the unit that stands for "not here": a queue whose first unit is not
// at the beginning of its file has these before it.
var blank = unit{size: math.MaxInt32}

func (u unit) isBlank() bool { return u == blank }

// valid says whether a unit read from a file was written there.
func (u unit) valid() bool { return u.phyOffset >= 0 && u.size > 0 }

func (u unit) put(b []byte) {
	binary.BigEndian.PutUint64(b, uint64(u.phyOffset))
	binary.BigEndian.PutUint32(b[8:], uint32(u.size))
	binary.BigEndian.PutUint64(b[12:], uint64(u.tagsCode))
}

func unitAt(b []byte) unit {
	return unit{
		phyOffset: int64(binary.BigEndian.Uint64(b)),
		size:      int32(binary.BigEndian.Uint32(b[8:])),
		tagsCode:  int64(binary.BigEndian.Uint64(b[12:])),
	}
}

// chunk is a piece of a tail. Its units are written once, before the queue's
// end is published past them, and never again.
type chunk struct {
	base  int64 // queue offset of units[0]
	units []unit
	next  atomic.Pointer[chunk]
}

const (
	firstChunkUnits = 8
	maxChunkUnits   = 256
)

type queue struct {
	topic string
	id    int32
	files *queueFiles

	next    int64  // under the append lock: the next queue offset
	last    *chunk // under the append lock: where the next unit goes
	dirty   bool   // under the append lock: in the store's list of queues to write
	deleted bool   // under the append lock: its topic is gone

	min  atomic.Int64          // first offset that can be read
	end  atomic.Int64          // published by append under the append lock; read by anyone
	head atomic.Pointer[chunk] // units below its base are in the files; moved by the dispatcher

	written int64 // under the dispatch lock: units below are in the files
	touched int64 // recovery only: end of what the log says, -1 when it said nothing
	listed  int64 // recovery only: its end in a list that counts, -1 without one
	based   int64 // recovery only: where the first unit that it had points to, -1: nowhere
	newest  int64 // recovery only: the greatest offset that a unit pointed to, with zeros behind them all; -1: not known
}

func newQueue(topic string, id int32, files *queueFiles) *queue {
	return &queue{topic: topic, id: id, files: files, touched: -1, listed: -1, based: -1, newest: -1}
}

// push adds the unit with the offset next; publish makes it readable. Both
// under the append lock.
func (q *queue) push(u unit) {
	c := q.last
	if c == nil || q.next == c.base+int64(len(c.units)) {
		n := firstChunkUnits
		switch {
		case c == nil:
		case q.head.Load() == c: // the dispatcher keeps up
			n = max(len(c.units)/2, firstChunkUnits)
		default:
			n = min(2*len(c.units), maxChunkUnits)
		}
		grown := &chunk{base: q.next, units: make([]unit, n)}
		if c != nil {
			c.next.Store(grown)
		} else {
			q.head.Store(grown)
		}
		q.last, c = grown, grown
	}
	c.units[q.next-c.base] = u
	q.next++
}

func (q *queue) publish() { q.end.Store(q.next) }

// place makes an empty queue, whose tail is written, begin at an offset. Under
// the append lock.
func (q *queue) place(offset int64) {
	q.last = nil
	q.head.Store(nil)
	q.next, q.written = offset, offset
	q.end.Store(offset)
}

// read copies units from an offset on and returns how many; fewer than asked at
// the end of the queue and where the tail begins.
func (q *queue) read(offset int64, dst []unit, raw []byte) (int, error) {
	n, _, err := q.readMatching(offset, dst, raw, nil)
	return n, err
}

// readMatching is read that also says, a bit for each unit, which ones have an
// extension that does not match. Units of the tail have none yet.
func (q *queue) readMatching(offset int64, dst []unit, raw []byte, match func(ext *ExtUnit) bool) (got int, refused uint64, err error) {
	end := q.end.Load()
	if offset >= end || offset < 0 {
		return 0, 0, nil
	}
	n := int(min(int64(len(dst)), end-offset))
	c := q.head.Load()
	if c == nil || offset < c.base {
		if c != nil {
			n = int(min(int64(n), c.base-offset))
		}
		return q.files.readMatching(offset, dst[:n], raw, match)
	}
	for ; c != nil && got < n; c = c.next.Load() {
		if from := offset + int64(got) - c.base; from < int64(len(c.units)) {
			got += copy(dst[got:n], c.units[from:])
		}
	}
	return got, 0, nil
}

// unit reads one unit.
func (q *queue) unit(offset int64) (unit, bool) {
	var one [1]unit
	var raw [unitBytes]byte
	n, err := q.read(offset, one[:], raw[:])
	return one[0], err == nil && n == 1
}

// search returns the first offset in [from, to) for which after is true, or to;
// after must be false up to some unit and true from there on. A unit that
// cannot be read counts as after.
func (q *queue) search(from, to int64, after func(u unit) bool) int64 {
	n := sort.Search(int(to-from), func(i int) bool {
		u, ok := q.unit(from + int64(i))
		return !ok || after(u)
	})
	return from + int64(n)
}

// raise moves the first readable offset past what the log no longer has.
func (q *queue) raise(logMin int64) {
	from, end := q.min.Load(), q.end.Load()
	q.min.Store(q.search(from, end, func(u unit) bool { return !u.isBlank() && u.phyOffset >= logMin }))
}

// flushTail writes the units that are only in memory to the files, in runs, and
// lets go of chunks that are written whole. Under the dispatch lock.
func (q *queue) flushTail(scratch []byte) (int64, error) {
	end, from := q.end.Load(), q.written
	c := q.head.Load()
	for ; c != nil && q.written < end; c = c.next.Load() {
		last := min(end, c.base+int64(len(c.units)))
		if last <= q.written {
			continue
		}
		run := c.units[max(q.written-c.base, 0) : last-c.base]
		if err := q.files.write(max(q.written, c.base), run, scratch); err != nil {
			return q.written - from, err
		}
		q.written = last
	}
	for c = q.head.Load(); c != nil && c.base+int64(len(c.units)) <= q.written; {
		n := c.next.Load()
		if n == nil {
			break // the newest chunk stays: it serves readers that keep up
		}
		q.head.Store(n)
		c = n
	}
	return q.written - from, nil
}

// truncate makes end the end of the queue, in memory and in the files. Nothing
// of the tail may be unwritten. Under the dispatch lock and the append lock.
func (q *queue) truncate(end int64) error {
	q.place(end)
	if q.min.Load() > end {
		q.min.Store(end)
	}
	return q.files.truncate(end)
}
