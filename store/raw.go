// SPDX-License-Identifier: Apache-2.0

// The append of a replica: bytes as the master's log has them, at the offset
// they have there; and the way back when a replica has to drop what its new
// master does not have. Java: CommitLog.appendData, DefaultMessageStore.truncate.

package store

import (
	"errors"
	"fmt"

	"rocketd/protocol/message"
)

// AppendRaw continues the log with bytes of another one. They need not end
// between records; queues get a record's unit when the record is complete. On
// an empty log any offset may begin.
func (s *Store) AppendRaw(phyOffset int64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	arrivals, err := s.appendRaw(phyOffset, b)
	if err != nil {
		return err
	}
	s.kickDispatcher()
	if s.deps.OnArrive != nil {
		for _, a := range arrivals {
			s.deps.OnArrive(a)
		}
	}
	return nil
}

func (s *Store) appendRaw(phyOffset int64, b []byte) ([]Arrival, error) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := s.writeable(); err != nil {
		return nil, err
	}
	end := l.appended.Load()
	if len(l.segments()) == 0 && phyOffset >= 0 {
		end = phyOffset
		l.parsed = phyOffset
		s.dispatch.done.Store(phyOffset)
	}
	if phyOffset != end {
		return nil, fmt.Errorf("%w: offset %d, the log ends at %d", ErrOffsetMismatch, phyOffset, end)
	}
	for len(b) > 0 {
		seg, err := l.last(end)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotWriteable, err)
		}
		pos := end - seg.base
		n := min(int64(len(b)), seg.size-pos)
		if err := seg.reserve(pos+n, l.step); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotWriteable, err)
		}
		if err := seg.write(pos, b[:n]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotWriteable, err)
		}
		end += n
		b = b[n:]
		l.appended.Store(end)
	}
	return s.parseRaw(end)
}

// parseRaw pushes the units of the records that are complete now.
func (s *Store) parseRaw(end int64) ([]Arrival, error) {
	var arrivals []Arrival
	var v message.View
	l := s.log
	for end-l.parsed >= message.FillerBytes {
		seg := l.at(l.parsed)
		if seg == nil {
			return arrivals, ErrNotFound
		}
		pos := l.parsed - seg.base
		b := seg.data[pos:min(end-seg.base, seg.size)]
		seg.unpin() // the append lock keeps it: only its holder removes the newest files
		if message.RecordMagic(b) == message.MagicBlank {
			l.parsed = seg.base + seg.size
			continue
		}
		if size := int(message.RecordSize(b)); size > len(b) && int64(size) <= seg.size-pos {
			break // the rest is still to come
		}
		if err := v.Parse(b, false); err != nil {
			if errors.Is(err, message.ErrShort) && int64(len(b)) < seg.size-pos {
				break
			}
			return arrivals, &CorruptError{File: seg.name, Offset: pos, Err: err}
		}
		if err := s.pushRaw(&v, &arrivals); err != nil {
			return arrivals, err
		}
		l.parsed += int64(v.Size)
		l.lastStoreMs = max(l.lastStoreMs, v.StoreTimestampMs)
	}
	return arrivals, nil
}

func (s *Store) pushRaw(v *message.View, arrivals *[]Arrival) error {
	if !message.Queued(v.SysFlag) {
		return nil
	}
	q, err := s.queues.ensure(string(v.Topic), v.QueueID)
	if err != nil {
		return err
	}
	switch {
	case v.QueueOffset < q.next:
		return nil // known already
	case v.QueueOffset > q.next && q.next == q.min.Load() && len(*q.files.list.Load()) == 0:
		q.min.Store(v.QueueOffset) // replication began in the middle of the queue
		q.place(v.QueueOffset)
	case v.QueueOffset > q.next:
		return fmt.Errorf("%w: topic %s queue %d continues at %d, the log brings %d", ErrOffsetMismatch, v.Topic, v.QueueID, q.next, v.QueueOffset)
	}
	u := s.unitOf(v)
	q.push(u)
	q.publish()
	s.markDirty(q, 1)
	*arrivals = append(*arrivals, Arrival{
		Topic: q.topic, QueueID: q.id, QueueOffset: v.QueueOffset, TagsCode: u.tagsCode,
		PhyOffset: v.PhyOffset, StoreTimestampMs: v.StoreTimestampMs,
	})
	return nil
}

// unitOf is the queue unit of a record that is in the log.
func (s *Store) unitOf(v *message.View) unit {
	props := unsafeString(v.Properties)
	tags, _ := message.Property(props, message.PropTags)
	code, delayMs := s.tagsCode(unsafeString(v.Topic), props, tags)
	if delayMs >= 0 {
		code = v.StoreTimestampMs + delayMs
	}
	return unit{phyOffset: v.PhyOffset, size: v.Size, tagsCode: code}
}

// TruncateTo makes phyOffset the end of the log, durably: records at and after
// it leave log and queues. It must lie between records.
func (s *Store) TruncateTo(phyOffset int64) error {
	s.dispatch.mu.Lock()
	defer s.dispatch.mu.Unlock()
	if err := s.dispatchLocked(); err != nil {
		return err
	}
	s.flushing.Lock()
	defer s.flushing.Unlock()
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := s.writeable(); err != nil {
		return err
	}
	if phyOffset < l.minOffset() || phyOffset > l.appended.Load() {
		return fmt.Errorf("%w: cannot truncate to %d, the log has %d to %d", ErrOffsetMismatch, phyOffset, l.minOffset(), l.appended.Load())
	}
	lastMs, err := s.lastTimeBefore(phyOffset)
	if err != nil {
		return err
	}
	for _, q := range s.dirty { // what came since the dispatch above
		n, err := q.flushTail(s.dispatch.scratch)
		s.pending.Add(-n)
		if err != nil {
			return err
		}
		q.dirty = false
	}
	s.dirty = s.dirty[:0]
	if err := s.forgetList(); err != nil {
		return err
	}
	// If a crash comes before the end, recovery is to read from before phyOffset,
	// and not to miss what is behind it.
	l.flushed.Store(min(l.flushed.Load(), phyOffset))
	s.check.lower(lastMs)
	if err := s.saveCheckpoint(); err != nil {
		return err
	}
	// Queues first: if a crash comes between, recovery puts units back that the
	// log still has; the other way round units would point behind its end.
	err = s.queues.each(func(q *queue) error {
		end := q.search(q.min.Load(), q.end.Load(), func(u unit) bool { return !u.isBlank() && u.phyOffset >= phyOffset })
		if end == q.end.Load() {
			return nil
		}
		return q.truncate(end)
	})
	if err != nil {
		return err
	}
	if s.index != nil {
		if err := s.index.repair(phyOffset, false); err != nil {
			return err
		}
	}
	if err := l.cut(phyOffset, true); err != nil {
		return err
	}
	l.lastStoreMs = lastMs
	s.check.lower(lastMs)
	if err := s.saveCheckpoint(); err != nil {
		return err
	}
	s.dispatch.done.Store(min(s.dispatch.done.Load(), phyOffset))
	return nil
}

// lastTimeBefore is the store time of the record that ends at phyOffset. It
// walks over the records of the file, so it also proves that one does.
func (s *Store) lastTimeBefore(phyOffset int64) (int64, error) {
	from := phyOffset - phyOffset%s.log.fileSize
	if from == phyOffset && from > s.log.minOffset() {
		from -= s.log.fileSize
	}
	var lastMs, end int64
	err := s.walk(from, phyOffset, func(v *message.View) error {
		lastMs, end = v.StoreTimestampMs, v.PhyOffset+int64(v.Size)
		return nil
	})
	if err == nil && end != phyOffset && phyOffset%s.log.fileSize != 0 {
		err = ErrOffsetMismatch
	}
	if err != nil {
		return 0, fmt.Errorf("cannot truncate to %d, which is not between records: %w", phyOffset, err)
	}
	return lastMs, nil
}
