// SPDX-License-Identifier: Apache-2.0

// Put and PutBatch: encode outside the append lock, then, under it, give the
// offsets and the store time, copy, push the queue units, publish. Waiting for
// the disk is a separate step (AwaitFlush). Java: CommitLog.asyncPutMessage(s).

package store

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"rocketd/internal/invariant"
	"rocketd/protocol/message"
)

// maxExtraBytes is what a record may be longer than maxMessageSize, the bound
// of a body.
const maxExtraBytes = 64 << 10

// appending is one unit on its way into the log: one record or a batch.
type appending struct {
	buf    []byte
	recs   []appendingRecord
	hashes []int32 // of the keys of all records
}

type appendingRecord struct {
	start, end int
	unit       unit
	delayMs    int64 // added to the store time to make the tag code, -1: no
	queued     bool  // enters the consume queue
	keys       int32 // how many of the hashes are its
	receipt    Receipt
}

var appendings = sync.Pool{New: func() any { return new(appending) }}

// maxPooledBytes keeps one huge message from staying in memory for good.
const maxPooledBytes = 256 << 10

func (a *appending) free() {
	if cap(a.buf) > maxPooledBytes {
		return
	}
	a.buf, a.recs, a.hashes = a.buf[:0], a.recs[:0], a.hashes[:0]
	appendings.Put(a)
}

// maxRecordHead is more than a record holds besides its body and properties.
const maxRecordHead = 1 << 10

// MayWait says whether storing a message of that many bytes of body and
// properties may have to wait for the disk, or for the dispatcher. Then it is
// not for a connection's reader.
func (s *Store) MayWait(bytes int) bool {
	return s.pending.Load() >= int64(s.config().QueueTailMaxUnits) || s.log.mayWait(int64(bytes)+maxRecordHead)
}

// Put appends a message. When it returns, the message can be read and is in
// the page cache; whether it is on the disk is AwaitFlush's answer. The message
// is not changed.
func (s *Store) Put(m *message.Message) (Receipt, error) {
	a := appendings.Get().(*appending)
	defer a.free()
	if err := s.encode(a, m); err != nil {
		return Receipt{}, err
	}
	if err := s.append(a, m.Topic, m.QueueID); err != nil {
		return Receipt{}, err
	}
	return a.recs[0].receipt, nil
}

// PutBatch appends messages of one topic and queue as one unit: consecutive
// queue offsets, one file, all or nothing.
func (s *Store) PutBatch(ms []message.Message) ([]Receipt, error) {
	if len(ms) == 0 {
		return nil, fmt.Errorf("%w: empty batch", ErrMessageIllegal)
	}
	a := appendings.Get().(*appending)
	defer a.free()
	for i := range ms {
		if ms[i].Topic != ms[0].Topic || ms[i].QueueID != ms[0].QueueID {
			return nil, fmt.Errorf("%w: a batch of several queues", ErrMessageIllegal)
		}
		if err := s.encode(a, &ms[i]); err != nil {
			return nil, err
		}
	}
	if len(a.buf) > s.config().MaxMessageSize+maxExtraBytes {
		return nil, fmt.Errorf("%w: batch of %d bytes, maxMessageSize=%d", ErrMessageIllegal, len(a.buf), s.config().MaxMessageSize)
	}
	if err := s.append(a, ms[0].Topic, ms[0].QueueID); err != nil {
		return nil, err
	}
	receipts := make([]Receipt, len(a.recs))
	for i := range a.recs {
		receipts[i] = a.recs[i].receipt
	}
	return receipts, nil
}

// encode checks the limits and adds a message's record to the unit.
func (s *Store) encode(a *appending, m *message.Message) error {
	cfg := s.config()
	switch {
	case m.Body == nil:
		return fmt.Errorf("%w: no body", ErrMessageIllegal)
	case len(m.Body) > cfg.MaxMessageSize:
		return fmt.Errorf("%w: body of %d bytes, maxMessageSize=%d", ErrMessageIllegal, len(m.Body), cfg.MaxMessageSize)
	case len(m.Topic) > message.MaxRetryTopicBytes,
		len(m.Topic) > cfg.MaxTopicLength && !message.IsRetryTopic(m.Topic) && !message.IsDLQTopic(m.Topic):
		return fmt.Errorf("%w: topic of %d bytes, maxTopicLength=%d", ErrMessageIllegal, len(m.Topic), cfg.MaxTopicLength)
	case len(m.Topic) > message.MaxTopicBytes && !cfg.AutoMessageVersionOnTopicLen:
		return fmt.Errorf("%w: topic of %d bytes, autoMessageVersionOnTopicLen=false", ErrMessageIllegal, len(m.Topic))
	}
	start := len(a.buf)
	if cfg.EnabledAppendPropCRC {
		sealed := *m
		sealed.Properties = message.ReserveSeal(m.Properties)
		m = &sealed
	}
	buf, err := message.AppendRecord(a.buf, m)
	if err != nil {
		return err
	}
	a.buf = buf
	n := len(buf) - start
	if n > cfg.MaxMessageSize+maxExtraBytes || int64(n)+message.FillerBytes > cfg.CommitLogFileSize {
		return fmt.Errorf("%w: record of %d bytes", ErrMessageIllegal, n)
	}
	uniqKey, keys, tags := message.IndexedProperties(m.Properties)
	tagsCode, delayMs := s.tagsCode(m.Topic, m.Properties, tags)
	known := len(a.hashes)
	if s.index != nil {
		a.hashes = keyHashes(a.hashes, m.Topic, m.SysFlag, uniqKey, keys, tags)
	}
	a.recs = append(a.recs, appendingRecord{
		start: start, end: len(buf), keys: int32(len(a.hashes) - known),
		unit:    unit{size: int32(n), tagsCode: tagsCode},
		delayMs: delayMs,
		queued:  message.Queued(m.SysFlag),
	})
	return nil
}

// tagsCode is what the queue unit remembers of a record: the hash of its tag,
// or for a delayed message the time to deliver it, for which the store time is
// still to be added (delayMs >= 0).
func (s *Store) tagsCode(topic, properties, tags string) (code, delayMs int64) {
	if topic == message.ScheduleTopic {
		if text, ok := message.Property(properties, message.PropDelay); ok {
			if level, err := strconv.ParseInt(text, 10, 32); err == nil && level > 0 && len(s.delays) > 0 {
				return 0, s.delays[min(int(level), len(s.delays))-1].Milliseconds()
			}
		}
	}
	return message.TagsCode(tags), -1
}

// append puts an encoded unit into the log and its queue, then tells who waits.
func (s *Store) append(a *appending, topic string, queueID int32) error {
	q, err := s.queues.ensure(topic, queueID)
	if err != nil {
		return err
	}
	if s.pending.Load() >= int64(s.config().QueueTailMaxUnits) {
		if err := s.awaitTail(); err != nil {
			return err
		}
	}
	if err := s.lockAppend(); err != nil {
		return err
	}
	for q.deleted {
		// The topic was deleted between the lookup and the lock.
		if q, err = s.queues.ensure(topic, queueID); err != nil {
			s.unlockAppend()
			return err
		}
	}
	err = s.appendLocked(a, q)
	s.unlockAppend()
	if err != nil {
		return err
	}
	s.kickDispatcher()
	if s.deps.OnArrive != nil {
		for i := range a.recs {
			if r := &a.recs[i]; r.queued {
				s.deps.OnArrive(Arrival{
					Topic: topic, QueueID: queueID, QueueOffset: r.receipt.QueueOffset, TagsCode: r.unit.tagsCode,
					PhyOffset: r.receipt.PhyOffset, StoreTimestampMs: r.receipt.StoreTimestampMs,
				})
			}
		}
	}
	return nil
}

// lockAppend takes the append lock. An append that holds it for longer than
// osPageCacheBusyTimeOutMills makes the others fail instead of queueing up.
func (s *Store) lockAppend() error {
	if s.log.mu.TryLock() {
		return nil
	}
	since := s.log.lockedSince.Load()
	if since != 0 && s.nowMs()-since > int64(s.config().OSPageCacheBusyTimeout) {
		return ErrPageCacheBusy
	}
	s.log.mu.Lock()
	return nil
}

func (s *Store) unlockAppend() {
	s.log.lockedSince.Store(0)
	s.log.mu.Unlock()
}

// appendLocked is the critical section.
func (s *Store) appendLocked(a *appending, q *queue) error {
	if err := s.writeable(); err != nil {
		return err
	}
	l := s.log
	if l.parsed != l.appended.Load() {
		return fmt.Errorf("%w: the log ends inside a record", ErrNotWriteable)
	}
	formerEnd := l.parsed
	now := max(s.nowMs(), l.lastStoreMs)
	l.lockedSince.Store(now)
	seg, pos, err := l.room(int64(len(a.buf)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWriteable, err)
	}
	phy, queued := seg.base+pos, int64(0)
	for i := range a.recs {
		r := &a.recs[i]
		queueOffset := int64(0)
		if r.queued {
			queueOffset = q.next + queued
			queued++
		}
		r.unit.phyOffset = phy + int64(r.start)
		if r.delayMs >= 0 {
			r.unit.tagsCode = now + r.delayMs
		}
		message.PatchRecord(a.buf[r.start:r.end], queueOffset, r.unit.phyOffset, now)
		if s.config().EnabledAppendPropCRC {
			message.SealRecord(a.buf[r.start:r.end])
		}
		r.receipt = Receipt{
			PhyOffset: r.unit.phyOffset, EndOffset: phy + int64(r.end), QueueOffset: queueOffset,
			StoreTimestampMs: now, Size: int32(r.end - r.start),
		}
	}
	if err := seg.write(pos, a.buf); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWriteable, err)
	}
	for i := range a.recs {
		if a.recs[i].queued {
			q.push(a.recs[i].unit)
		}
	}
	end := phy + int64(len(a.buf))
	invariant.Check(end+message.FillerBytes <= seg.base+seg.size, "the record leaves no room for a filler")
	if s.index != nil {
		s.fresh.add(formerEnd, end, a)
	}
	l.lastStoreMs, l.parsed = now, end
	l.appended.Store(end) // before the queue's end: who sees the unit must see its bytes
	s.noteAppended(end)
	if queued > 0 {
		q.publish()
		s.markDirty(q, queued)
	}
	s.puts.count.Add(int64(len(a.recs)))
	s.puts.bytes.Add(int64(len(a.buf)))
	return nil
}

// markDirty enters a queue in the list that the dispatcher takes. Under the
// append lock.
func (s *Store) markDirty(q *queue, units int64) {
	s.pending.Add(units)
	if !q.dirty {
		q.dirty = true
		s.dirty = append(s.dirty, q)
	}
}

// RequestFlush has the flusher make durable what is appended. OnFlush tells when that is done.
func (s *Store) RequestFlush() {
	select {
	case s.flushKick <- struct{}{}:
	default:
	}
}

// AwaitFlush waits until the log is durable up to endOffset. Callers that wait
// together share one sync.
func (s *Store) AwaitFlush(ctx context.Context, endOffset int64) error {
	if s.log.flushed.Load() >= endOffset {
		return nil
	}
	wait := s.waiters.add(endOffset, s.deps.Clock, time.Duration(s.config().SyncFlushTimeout)*time.Millisecond)
	defer s.waiters.drop(wait)
	s.RequestFlush()
	if s.log.flushed.Load() >= endOffset {
		return nil
	}
	select {
	case err := <-wait.done:
		return err
	case <-wait.timeout.Chan():
		return ErrFlushTimeout
	case <-ctx.Done():
		return ctx.Err()
	}
}
