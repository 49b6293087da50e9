// SPDX-License-Identifier: Apache-2.0

// ops.go: which half messages are through. A record of the op topic is tagged "d"; its body lists offsets in the half
// queue of the same number, each followed by a comma. Java 4.x writes one offset a record, without a comma. They are
// written some seconds behind; what a crash takes of them makes producers be asked once more.
// Java: TransactionalMessageServiceImpl.deletePrepareMessage, TransactionalOpBatchService.
package txn

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rocketd/protocol/message"
	"rocketd/store"
)

const (
	opTag        = "d"
	opSeparator  = ','
	maxPendingOp = 4 << 20 // bytes that wait for one queue, while the store takes nothing
)

// ErrOpsPending means that the store takes no records, and too many wait.
var ErrOpsPending = errors.New("too many decisions wait to be written down")

// pendingOps is what has not been written yet for one half queue.
type pendingOps struct {
	text  []byte
	since time.Time // of the oldest
}

// through notes that a half message is decided.
func (s *Service) through(half *message.Message) error {
	limits := s.limits()
	s.opsMu.Lock()
	defer s.opsMu.Unlock()
	p, waits := s.pending[half.QueueID]
	if !waits {
		p = &pendingOps{since: s.clock.Now()}
		s.pending[half.QueueID] = p
	}
	if len(p.text) > maxPendingOp {
		return ErrOpsPending
	}
	p.text = append(strconv.AppendInt(p.text, half.QueueOffset, 10), opSeparator)
	if !waits || len(p.text) > limits.OpMaxBytes {
		s.kick()
	}
	return nil
}

// writeOps writes down what has waited long enough, or is enough for a record, and returns when to look again; 0: nothing
// waits. With all it writes everything.
func (s *Service) writeOps(all bool) (wait time.Duration, err error) {
	limits := s.limits()
	s.opsMu.Lock()
	defer s.opsMu.Unlock()
	for _, queueID := range slices.Sorted(maps.Keys(s.pending)) {
		p := s.pending[queueID]
		due := p.since.Add(limits.OpEvery).Sub(s.clock.Now())
		if !all && due > 0 && len(p.text) <= limits.OpMaxBytes {
			wait = soonest(wait, due)
			continue
		}
		for len(p.text) > 0 {
			n := recordOf(p.text, limits.OpMaxBytes)
			if _, err := s.log.Put(s.opRecord(queueID, p.text[:n])); err != nil {
				return limits.OpEvery, err
			}
			p.text = p.text[n:]
		}
		delete(s.pending, queueID)
	}
	return wait, nil
}

func soonest(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// recordOf is how much of the text goes into one record: whole offsets, at least one, until there are enough bytes.
func recordOf(text []byte, enough int) int {
	if len(text) <= enough {
		return len(text)
	}
	from := max(enough-1, 0)
	return from + bytes.IndexByte(text[from:], opSeparator) + 1 // the text ends with one
}

// opProps are the properties of an op record: its tag, and what Java's says of waiting for the disk, which it does not.
var opProps = string(message.AppendProperty(message.AppendProperty(nil, message.PropTags, opTag), message.PropWait, "true"))

func (s *Service) opRecord(queueID int32, body []byte) *message.Message {
	return &message.Message{
		Topic: message.OpHalfTopic, QueueID: queueID, BornTimestampMs: s.clock.Now().UnixMilli(),
		BornHost: s.host, StoreHost: s.host, Body: body,
		Properties: opProps,
	}
}

// decided is what a round has read of the op queue that belongs to a half queue.
type decided struct {
	s       *Service
	queueID int32
	next    int64         // offset in the op queue of the record that is read next
	read    []opRead      // in order
	by      map[int64]int // the record that says so, by half offset: an index of read
}

// opRead is a record of the op queue.
type opRead struct {
	offset int64
	open   int // of its half messages, those that the round has not come to
}

// take says whether the half message at an offset is decided. Each is asked for once.
func (d *decided) take(offset int64) (bool, error) {
	for {
		if i, ok := d.by[offset]; ok {
			delete(d.by, offset)
			d.read[i].open--
			return true, nil
		}
		if more, err := d.readOn(offset); err != nil || !more {
			return false, err
		}
	}
}

// readOn reads the next record. at is where the round is in the half queue: what is before it is through.
func (d *decided) readOn(at int64) (more bool, err error) {
	low, high, _ := d.s.log.QueueRange(message.OpHalfTopic, d.queueID)
	if d.next = max(d.next, low); d.next >= high {
		return false, nil
	}
	phyOffset, _, _, ok := d.s.log.TagsCodeAt(message.OpHalfTopic, d.queueID, d.next)
	if !ok {
		return false, nil
	}
	op, err := d.s.log.Message(phyOffset)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	r := opRead{offset: d.next}
	for _, offset := range d.s.offsetsOf(op) {
		if _, twice := d.by[offset]; offset >= at && !twice {
			d.by[offset] = len(d.read)
			r.open++
		}
	}
	d.read = append(d.read, r)
	d.next++
	return true, nil
}

// offsetsOf are the half messages that a record of the op queue names.
func (s *Service) offsetsOf(op *message.Message) (offsets []int64) {
	if op == nil {
		return nil
	}
	if tag := op.Tags(); tag != opTag {
		s.logger.Error().Str("tag", tag).Int64("phyOffset", op.PhyOffset).Msg("a record of the op topic has a tag that means nothing")
		return nil
	}
	for text := range strings.SplitSeq(string(op.Body), string(rune(opSeparator))) {
		if text == "" {
			continue
		}
		offset, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			s.logger.Error().Str("offset", text).Int64("phyOffset", op.PhyOffset).Msg("a record of the op topic names no offset")
			continue
		}
		offsets = append(offsets, offset)
	}
	return offsets
}

// progress is where the next round has to begin to read.
func (d *decided) progress() int64 {
	for _, r := range d.read {
		if r.open > 0 {
			return r.offset
		}
	}
	return d.next
}
