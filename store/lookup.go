// SPDX-License-Identifier: Apache-2.0

// What can be asked of queues besides their messages: ranges, offsets by time,
// store times; and the removal of a topic. Java: ConsumeQueueStore,
// ConsumeQueue.getOffsetInQueueByTime.

package store

import (
	"maps"
	"path"
	"slices"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// QueueRange returns the first readable and the next queue offset.
func (s *Store) QueueRange(topic string, queueID int32) (min, max int64, ok bool) {
	q := s.queues.get(topic, queueID)
	if q == nil {
		return 0, 0, false
	}
	return q.min.Load(), q.end.Load(), true
}

// Queues returns the ids of the queues that a topic has in the store, sorted.
func (s *Store) Queues(topic string) []int32 {
	return slices.Sorted(maps.Keys(s.queues.topic(topic)))
}

// Topics returns the topics that have queues in the store, sorted.
func (s *Store) Topics() []string { return s.queues.topics() }

// TagsCodeAt returns one queue unit: where the record is, and its tag code.
func (s *Store) TagsCodeAt(topic string, queueID int32, offset int64) (phyOffset int64, size int32, tagsCode int64, ok bool) {
	q := s.queues.get(topic, queueID)
	if q == nil || offset < q.min.Load() {
		return 0, 0, 0, false
	}
	u, ok := q.unit(offset)
	if !ok {
		return 0, 0, 0, false
	}
	return u.phyOffset, u.size, u.tagsCode, true
}

// StoreTime returns the store time of the message at a queue offset.
func (s *Store) StoreTime(topic string, queueID int32, offset int64) (int64, bool) {
	q := s.queues.get(topic, queueID)
	if q == nil {
		return 0, false
	}
	u, ok := q.unit(offset)
	if !ok {
		return 0, false
	}
	return s.storeTimeAt(u.phyOffset)
}

func (s *Store) storeTimeAt(phyOffset int64) (int64, bool) {
	head, seg := s.log.slice(phyOffset, message.PeekBytes)
	if seg == nil {
		return 0, false
	}
	defer seg.unpin()
	var storeMs int64
	err := vfs.Guard(func() error {
		storeMs = message.RecordStoreTimestamp(head)
		return nil
	})
	return storeMs, err == nil
}

// EarliestStoreTime is the store time of the oldest record, -1 without one.
func (s *Store) EarliestStoreTime() int64 {
	if t, ok := s.storeTimeAt(s.log.minOffset()); ok {
		return t
	}
	return -1
}

// OffsetByTime returns the first offset whose store time is at or after tsMs,
// or with upper the last one at or before it. Of equal times the lower bound
// takes the first, the upper the last. Older than all is the first offset;
// younger than all is the end for the lower bound, the last for the upper.
func (s *Store) OffsetByTime(topic string, queueID int32, tsMs int64, upper bool) (int64, error) {
	if s.closed.Load() {
		return 0, ErrClosed
	}
	q := s.queues.get(topic, queueID)
	if q == nil {
		return 0, nil
	}
	from, to := q.min.Load(), q.end.Load()
	at := q.search(from, to, func(u unit) bool {
		t, ok := s.storeTimeAt(u.phyOffset)
		if !ok {
			return false // the log no longer has it: too old
		}
		if upper {
			return t > tsMs
		}
		return t >= tsMs
	})
	if upper {
		at--
	}
	return max(at, from), nil
}

// DeleteTopic removes the queues of a topic, in memory and on disk. The log
// keeps the records until their files go.
func (s *Store) DeleteTopic(topic string) error {
	if !message.SafeName(topic) {
		return ErrMessageIllegal
	}
	return s.deleteQueues(topic, func(*queue) bool { return true })
}

func (s *Store) deleteQueues(topic string, match func(q *queue) bool) error {
	s.dispatch.mu.Lock()
	defer s.dispatch.mu.Unlock()
	if err := s.forgetList(); err != nil {
		return err
	}
	s.log.mu.Lock()
	queues := s.queues.remove(topic, match)
	isGone := func(q *queue) bool { return q.deleted }
	for _, q := range queues {
		q.deleted = true
		s.pending.Add(q.written - q.end.Load())
	}
	s.dirty = slices.DeleteFunc(s.dirty, isGone)
	s.dispatch.taken = slices.DeleteFunc(s.dispatch.taken, isGone)
	s.log.mu.Unlock()

	for _, q := range queues {
		if err := q.files.close(); err != nil {
			return err
		}
	}
	if len(queues) == 0 {
		return nil
	}
	for _, q := range queues {
		if q.files.ext != nil {
			if err := vfs.RemoveAll(s.deps.FS, q.files.ext.files.dir); err != nil {
				return err
			}
		}
	}
	topicDir := path.Join(s.queues.dir, topic)
	if len(s.queues.topic(topic)) == 0 {
		if err := vfs.RemoveAll(s.deps.FS, topicDir); err != nil {
			return err
		}
		return s.deps.FS.SyncDir(s.queues.dir)
	}
	for _, q := range queues {
		if err := vfs.RemoveAll(s.deps.FS, q.files.dir); err != nil {
			return err
		}
	}
	return s.deps.FS.SyncDir(topicDir)
}
