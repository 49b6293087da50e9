// SPDX-License-Identifier: Apache-2.0

// Check of the consume queues: each record of the log has its unit, each unit
// its record.

package store

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"rocketd/protocol/message"
)

type queueKey struct {
	topic string
	id    int32
}

// checkedQueue is what the log says about a queue.
type checkedQueue struct {
	files   *queueFiles // nil: it has none
	first   int64       // queue offset of its first record in the log
	next    int64       // and after its last
	end     int64       // and after the last unit of its files
	pending []Finding   // held back: when the queue begins again they are about a deleted one
}

// checkQueued compares one record with its queue.
func (c *checker) checkQueued(s *segment, v *message.View) {
	if !message.Queued(v.SysFlag) {
		return
	}
	key := queueKey{string(v.Topic), v.QueueID}
	q := c.queues[key]
	if q == nil {
		q = c.openQueue(key)
		q.first, q.next = v.QueueOffset, v.QueueOffset
		c.queues[key] = q
	}
	if v.QueueOffset < q.next { // its topic was deleted and made again
		q.first, q.pending = v.QueueOffset, nil
	}
	q.next = v.QueueOffset + 1
	if q.files == nil || len(q.pending) >= findingsPerFile {
		return
	}
	file, pos := q.files.place(v.QueueOffset * unitBytes)
	var u [1]unit
	var raw [unitBytes]byte
	n, err := q.files.read(v.QueueOffset, u[:], raw[:])
	switch {
	case err != nil:
		q.hold(Finding{File: file, Offset: pos, Damage: true, Text: err.Error()})
	case n == 0 || !u[0].valid():
		q.hold(Finding{File: file, Offset: pos, Damage: !c.crashed, Text: "no unit for the record at " + strconv.FormatInt(v.PhyOffset, 10)})
	case u[0].phyOffset != v.PhyOffset || u[0].size != v.Size:
		q.hold(Finding{File: file, Offset: pos, Damage: true, Text: "the unit points to " + strconv.FormatInt(u[0].phyOffset, 10) +
			", the record is at " + strconv.FormatInt(v.PhyOffset, 10)})
	case !c.tagsAgree(v, u[0].tagsCode):
		q.hold(Finding{File: file, Offset: pos, Damage: true, Text: "the tag code is not that of the record at " + strconv.FormatInt(v.PhyOffset, 10)})
	}
}

func (q *checkedQueue) hold(f Finding) { q.pending = append(q.pending, f) }

// tagsAgree compares a unit's tag code with the record. In the delay topic it
// is a time, which depends on the levels configured.
func (c *checker) tagsAgree(v *message.View, code int64) bool {
	if string(v.Topic) == message.ScheduleTopic || isExtAddress(code) {
		return true
	}
	return code == tagsCodeOf(v.Properties)
}

func (c *checker) openQueue(key queueKey) *checkedQueue {
	q := &checkedQueue{}
	if !message.SafeName(key.topic) {
		return q
	}
	dir := path.Join(c.root, "consumequeue", key.topic, strconv.Itoa(int(key.id)))
	files, size, err := c.offsetFiles([]string{dir}, c.cfg.ConsumeQueueFileSize, unitBytes, unitBytes)
	if err != nil || len(files) == 0 {
		return q
	}
	q.files = newQueueFiles(c.fs, dir, size)
	q.files.takeToRead(files)
	return q
}

// checkQueues looks at what the queues have beyond the records.
func (c *checker) checkQueues() error {
	dir := path.Join(c.root, "consumequeue")
	for _, key := range c.queueDirs(dir) {
		q := c.queues[key]
		if q == nil {
			q = c.openQueue(key)
			q.next = -1
			c.queues[key] = q
		}
	}
	keys := make([]queueKey, 0, len(c.queues))
	for key := range c.queues {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b queueKey) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.id, b.id))
	})
	for _, key := range keys {
		q := c.queues[key]
		if q.files == nil {
			if q.next >= 0 {
				c.note(path.Join(dir, key.topic, strconv.Itoa(int(key.id))), -1, "no queue for the records of this topic: it was deleted, or the next start builds it")
			}
			continue
		}
		for _, f := range q.pending {
			c.say(f)
		}
		if err := errors.Join(c.checkBeyond(q), q.files.close()); err != nil {
			return err
		}
	}
	return nil
}

// queueDirs lists the queues that a directory has.
func (c *checker) queueDirs(dir string) (keys []queueKey) {
	topics, err := c.fs.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, topic := range topics {
		if !topic.Dir {
			c.note(path.Join(dir, topic.Name), -1, "not a topic's directory")
			continue
		}
		ids, _ := c.fs.List(path.Join(dir, topic.Name))
		for _, info := range ids {
			id, err := strconv.ParseInt(info.Name, 10, 32)
			if err != nil || !info.Dir {
				c.note(path.Join(dir, topic.Name, info.Name), -1, "not a queue's directory")
				continue
			}
			keys = append(keys, queueKey{topic.Name, int32(id)})
		}
	}
	return keys
}

// checkBeyond looks at the units before the first record that the log has, and
// behind the last.
func (c *checker) checkBeyond(q *checkedQueue) error {
	first, end, _, err := q.files.bounds()
	if err != nil {
		return err
	}
	q.end = max(q.next, end)
	from, to := q.next, q.first
	if q.next < 0 {
		from, to = first, first // all of it has to point before the log
	}
	var units [getUnits]unit
	var raw [getUnits * unitBytes]byte
	check := func(from, to int64) error {
		for offset := from; offset < to; {
			n, err := q.files.read(offset, units[:min(getUnits, to-offset)], raw[:])
			if err != nil || n == 0 {
				return err
			}
			for i, u := range units[:n] {
				if u.isBlank() || u.valid() && u.phyOffset < c.logMin {
					continue
				}
				name, pos := q.files.place((offset + int64(i)) * unitBytes)
				c.behind(name, pos, "a unit that points to %d, where the log has no record of this queue", u.phyOffset)
			}
			offset += int64(n)
		}
		return nil
	}
	return errors.Join(check(first, min(to, end)), check(from, end))
}
