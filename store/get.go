// SPDX-License-Identifier: Apache-2.0

// Get: queue units from an offset on, the tag filter on the units, then the
// records as slices of the mapped log. Java: DefaultMessageStore.getMessage.

package store

import (
	"errors"
	"strings"
	"sync"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// GetStatus is the outcome of a Get.
type GetStatus int

const (
	Found GetStatus = iota
	NoMatchedMessage
	MessageWasRemoving
	OffsetFoundNull
	OffsetOverflowBadly
	OffsetOverflowOne
	OffsetTooSmall
	NoMatchedLogicQueue
	NoMessageInQueue
)

var getStatusNames = [...]string{
	"FOUND", "NO_MATCHED_MESSAGE", "MESSAGE_WAS_REMOVING", "OFFSET_FOUND_NULL", "OFFSET_OVERFLOW_BADLY",
	"OFFSET_OVERFLOW_ONE", "OFFSET_TOO_SMALL", "NO_MATCHED_LOGIC_QUEUE", "NO_MESSAGE_IN_QUEUE",
}

// String is the name that Java gives the status; it is a pull answer's remark.
func (s GetStatus) String() string { return getStatusNames[s] }

// GetRequest asks for messages of one queue.
type GetRequest struct {
	Topic       string
	QueueID     int32
	Offset      int64
	MaxMsgs     int
	MaxBytes    int                       // 0: no limit of the caller's
	MatchTags   func(tagsCode int64) bool // nil: all
	MatchExt    func(ext *ExtUnit) bool   // nil: all; a unit without extension is not asked about
	MatchRecord func(rec []byte) bool     // nil: all; rec may not be kept
}

const (
	maxGetBytes = 128 << 20
	minGetBytes = 100
	getUnits    = 64 // units read at a time
)

// Batch is the answer of a Get. Its buffers are slices of the mapped log, valid
// until Release, which must be called exactly once, also when there are none.
type Batch struct {
	Status                           GetStatus
	NextOffset, MinOffset, MaxOffset int64
	Count                            int
	Bytes                            int
	LastPhyOffset                    int64 // of the last unit looked at

	buffers   [][]byte
	pins      []*segment
	end       int64 // where the last buffer ends in the log
	loaded    int64 // the log is in memory up to here ...
	loadedAt  int64 // ... from here on
	firstBufs [4][]byte
	firstPin  [1]*segment
}

// Buffers are the records one after the other; neighbours in the log share a
// slice.
func (b *Batch) Buffers() [][]byte { return b.buffers }

// Release lets go of the mapped files.
func (b *Batch) Release() {
	for _, s := range b.pins {
		s.unpin()
	}
	b.buffers, b.pins = nil, nil
}

// add appends a record. What follows the last one in the log is merged with it.
func (b *Batch) add(rec []byte, seg *segment, phyOffset int64) {
	if n := len(b.buffers); n > 0 && b.end == phyOffset && b.pins[len(b.pins)-1] == seg {
		last := b.buffers[n-1]
		start := phyOffset - seg.base - int64(len(last))
		b.buffers[n-1] = seg.data[start : start+int64(len(last)+len(rec))]
	} else {
		b.buffers = append(b.buffers, rec)
	}
	b.end = phyOffset + int64(len(rec))
	b.Count++
	b.Bytes += len(rec)
}

// slice is commitLog.slice with the pins of the batch: a file is pinned once,
// and pinned stays until Release.
func (b *Batch) slice(l *commitLog, phyOffset, n int64) ([]byte, *segment) {
	if k := len(b.pins); k > 0 {
		if seg := b.pins[k-1]; n > 0 && phyOffset >= seg.base && phyOffset+n <= seg.base+seg.size && phyOffset+n <= l.appended.Load() {
			pos := phyOffset - seg.base
			b.load(l, seg, phyOffset, n)
			return seg.data[pos : pos+n : pos+n], seg
		}
	}
	rec, seg := l.slice(phyOffset, n)
	if seg != nil {
		b.pins = append(b.pins, seg)
	}
	return rec, seg
}

// loadBytes are brought into memory at a time.
const loadBytes = 64 << 10

// load sees to it that a record is in memory before it is looked at and written
// to a socket.
func (b *Batch) load(l *commitLog, seg *segment, phyOffset, n int64) {
	if l.hot(phyOffset) || phyOffset >= b.loadedAt && phyOffset+n <= b.loaded {
		return
	}
	b.loadedAt, b.loaded = phyOffset, min(phyOffset+max(n, loadBytes), seg.base+seg.size, l.appended.Load())
	l.bring(seg, phyOffset-seg.base, b.loaded-phyOffset)
}

// getScratch holds the units of one read.
type getScratch struct {
	units [getUnits]unit
	raw   [getUnits * unitBytes]byte
}

var getScratches = sync.Pool{New: func() any { return new(getScratch) }}

// Get returns messages of a queue from an offset on. Outcomes are statuses; an
// error means that the store cannot be read.
func (s *Store) Get(r GetRequest) (*Batch, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	b := &Batch{NextOffset: r.Offset}
	b.buffers, b.pins = b.firstBufs[:0], b.firstPin[:0]
	q := s.queues.get(r.Topic, r.QueueID)
	if q == nil {
		b.Status, b.NextOffset = NoMatchedLogicQueue, s.corrected(r.Offset, 0)
		s.gets.miss.Add(1)
		return b, nil
	}
	b.MinOffset, b.MaxOffset = q.min.Load(), q.end.Load()
	switch {
	case b.MaxOffset == 0:
		b.Status, b.NextOffset = NoMessageInQueue, s.corrected(r.Offset, 0)
	case r.Offset < b.MinOffset:
		b.Status, b.NextOffset = OffsetTooSmall, s.corrected(r.Offset, b.MinOffset)
	case r.Offset == b.MaxOffset:
		b.Status = OffsetOverflowOne
	case r.Offset > b.MaxOffset:
		b.Status, b.NextOffset = OffsetOverflowBadly, s.corrected(r.Offset, b.MaxOffset)
	default:
		if err := vfs.Guard(func() error { return s.collect(q, &r, b) }); err != nil {
			b.Release()
			return nil, err
		}
	}
	if b.Status == Found {
		s.gets.found.Add(1)
		s.gets.messages.Add(int64(b.Count))
	} else {
		s.gets.miss.Add(1)
	}
	return b, nil
}

// corrected is the next offset to tell a reader: on a slave, whose queues may
// be behind, the one it asked for.
func (s *Store) corrected(asked, next int64) int64 {
	if s.config().BrokerRole == Slave && !s.config().OffsetCheckInSlave {
		return asked
	}
	return next
}

// collect walks over the units. Like Java it looks at a bounded number of them,
// and stops before a record that would exceed a limit, except the first.
func (s *Store) collect(q *queue, r *GetRequest, b *Batch) error {
	b.Status = NoMatchedMessage
	maxBytes := maxGetBytes
	if r.MaxBytes > 0 {
		maxBytes = min(max(r.MaxBytes, minGetBytes), maxGetBytes)
	}
	scan := int64((max(s.config().MaxFilterMessageSize, r.MaxMsgs*unitBytes) + unitBytes - 1) / unitBytes)
	stop := min(b.MaxOffset, r.Offset+scan)
	logEnd := s.readable()
	skipBelow := int64(-1) // units below it are in a file that is gone

	scratch := getScratches.Get().(*getScratch)
	defer getScratches.Put(scratch)
	for offset := r.Offset; offset < stop; {
		n, refused, err := q.readMatching(offset, scratch.units[:min(getUnits, stop-offset)], scratch.raw[:], r.MatchExt)
		if err != nil {
			return err
		}
		if n == 0 {
			if b.Count == 0 && offset == r.Offset {
				b.Status = OffsetFoundNull
				perFile := q.files.size / unitBytes
				b.NextOffset = s.corrected(r.Offset, (offset/perFile+1)*perFile)
			}
			return nil
		}
		for i, u := range scratch.units[:n] {
			if u.phyOffset+int64(u.size) > s.log.appended.Load() && !u.isBlank() && b.Count == 0 {
				return s.wrongUnit(q, offset, errNowhere)
			}
			if u.phyOffset+int64(u.size) > logEnd && !u.isBlank() || s.batchFull(b, r, u, maxBytes, logEnd) {
				return nil
			}
			b.LastPhyOffset = u.phyOffset
			offset++
			b.NextOffset = offset
			if u.phyOffset >= 0 && u.phyOffset < skipBelow || refused>>i&1 != 0 {
				continue
			}
			if skipBelow, err = s.take(r, b, u, skipBelow); err != nil {
				b.NextOffset = offset - 1
				if b.Count > 0 {
					return nil // what is before it can be had
				}
				return s.wrongUnit(q, offset-1, err)
			}
		}
	}
	return nil
}

// take adds the record of one unit if it matches, and returns up to where the
// log's file is gone when its bytes are. It is an error when the unit points at
// something else than its record.
func (s *Store) take(r *GetRequest, b *Batch, u unit, skipBelow int64) (int64, error) {
	lost := isExtAddress(u.tagsCode) // the extension that has the tag code: then the record says it
	if r.MatchTags != nil && !lost && !r.MatchTags(u.tagsCode) {
		if b.Count == 0 {
			b.Status = NoMatchedMessage
		}
		return skipBelow, nil
	}
	rec, seg := b.slice(s.log, u.phyOffset, int64(u.size))
	if seg == nil {
		if !u.isBlank() && (u.size <= 0 || u.phyOffset < 0 || u.phyOffset >= s.log.minOffset()) {
			return 0, errNowhere
		}
		if b.Count == 0 {
			b.Status = MessageWasRemoving
		}
		return u.phyOffset - u.phyOffset%s.log.fileSize + s.log.fileSize, nil
	}
	if !recordOf(rec, r.Topic, r.QueueID, b.NextOffset-1, u.phyOffset) {
		return 0, errNowhere
	}
	if r.MatchRecord != nil && !r.MatchRecord(rec) || lost && r.MatchTags != nil && !r.MatchTags(tagsCodeOf(message.RecordProperties(rec))) {
		if b.Count == 0 {
			b.Status = NoMatchedMessage
		}
		return skipBelow, nil
	}
	b.add(rec, seg, u.phyOffset)
	b.Status = Found
	return -1, nil
}

// recordOf says whether a unit's bytes are the record that stands at that place
// of the queue. Light message queues have units of other queues' records.
func recordOf(rec []byte, topic string, queueID int32, queueOffset, phyOffset int64) bool {
	if len(rec) < message.MinRecordBytes || int(message.RecordSize(rec)) != len(rec) || message.RecordPhyOffset(rec) != phyOffset {
		return false
	}
	if magic := message.RecordMagic(rec); magic != message.MagicV1 && magic != message.MagicV2 {
		return false
	}
	if strings.HasPrefix(topic, lmqPrefix) {
		return true
	}
	return message.RecordQueueID(rec) == queueID && message.RecordQueueOffset(rec) == queueOffset && string(message.RecordTopic(rec)) == topic
}

const lmqPrefix = "%LMQ%"

// tagsCodeOf is the code of the tags that a record's properties have.
func tagsCodeOf(properties []byte) int64 {
	tags, _ := message.Property(unsafeString(properties), message.PropTags)
	return message.TagsCode(tags)
}

var errNowhere = errors.New("the unit does not point at its record")

// wrongUnit reports a unit that cannot be right. The next start makes the queues
// again; until then nothing is served from there.
func (s *Store) wrongUnit(q *queue, offset int64, cause error) error {
	file, pos := q.files.place(offset * unitBytes)
	err := &CorruptError{File: file, Offset: pos, Err: cause}
	if !s.distrusted.Swap(true) {
		s.deps.Log.Error().Err(err).Msg("a consume queue is damaged; a restart makes it again from the commit log")
		if merr := s.mark.update(func(m *markState) { m.distrust = true }); merr != nil {
			s.deps.Log.Error().Err(merr).Msg("the damage could not be noted")
		}
	}
	return err
}

func (s *Store) batchFull(b *Batch, r *GetRequest, u unit, maxBytes int, logEnd int64) bool {
	if b.Count == 0 {
		return false
	}
	cfg := s.config()
	bytes, count := cfg.MaxTransferBytesOnMessageInMemory, cfg.MaxTransferCountOnMessageInMemory
	if logEnd-u.phyOffset > s.inMemory() {
		bytes, count = cfg.MaxTransferBytesOnMessageInDisk, cfg.MaxTransferCountOnMessageInDisk
	}
	total := b.Bytes + int(u.size)
	return b.Count >= r.MaxMsgs || b.Count >= count || total > bytes || total > maxBytes
}

// Look calls fn with the record at a physical offset that a queue unit or an
// Arrival gave, and returns what it says; false when the record is gone. fn may
// not keep the record.
func (s *Store) Look(phyOffset int64, fn func(rec []byte) bool) bool {
	head, seg := s.log.slice(phyOffset, message.MinRecordBytes)
	if seg == nil {
		return false
	}
	size := int64(message.RecordSize(head))
	seg.unpin()
	rec, seg := s.log.slice(phyOffset, size)
	if seg == nil {
		return false
	}
	defer seg.unpin()
	return fn(rec)
}

// Record returns a copy of the record at a physical offset, ErrNotFound when
// none begins there.
func (s *Store) Record(phyOffset int64) ([]byte, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	var rec []byte
	err := vfs.Guard(func() (err error) {
		rec, err = s.record(phyOffset)
		return err
	})
	return rec, err
}

func (s *Store) record(phyOffset int64) ([]byte, error) {
	head, seg := s.log.slice(phyOffset, message.MinRecordBytes)
	if seg == nil {
		return nil, ErrNotFound
	}
	size := message.RecordSize(head)
	fits := size >= message.MinRecordBytes && message.RecordPhyOffset(head) == phyOffset && int(size) <= s.config().MaxMessageSize+maxExtraBytes
	seg.unpin()
	if !fits {
		return nil, ErrNotFound
	}
	rec, seg := s.log.slice(phyOffset, int64(size))
	if seg == nil {
		return nil, ErrNotFound
	}
	defer seg.unpin()
	var v message.View
	if err := v.Parse(rec, false); err != nil {
		return nil, ErrNotFound
	}
	return append([]byte(nil), rec...), nil
}

// Message returns the message at a physical offset; see Record.
func (s *Store) Message(phyOffset int64) (*message.Message, error) {
	rec, err := s.Record(phyOffset)
	if err != nil {
		return nil, err
	}
	m := new(message.Message)
	if err := message.DecodeRecord(rec, m); err != nil {
		return nil, ErrNotFound
	}
	return m, nil
}
