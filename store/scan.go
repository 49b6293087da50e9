// SPDX-License-Identifier: Apache-2.0

// The scan of recovery: every record from a place on, and what follows from it
// for its queue and the index.

package store

import (
	"encoding/binary"
	"errors"

	"rocketd/protocol/message"
)

// errGap says that a queue lacks units from before the scan.
var errGap = errors.New("a queue has a gap")

// scan walks over the records and returns where they end, and why if that is
// not plain emptiness.
func (r *recovery) scan() (end int64, stop error, err error) {
	s := r.s
	if s.index != nil {
		s.index.begin()
		defer func() { err = errors.Join(err, s.index.end()) }()
	}
	var v message.View
	for at := r.from; ; {
		seg := s.log.at(at)
		if seg == nil {
			return at, nil, nil
		}
		seg.unpin() // nobody else has the store yet
		pos := at - seg.base
		left := seg.data[pos:]
		if len(left) >= message.FillerBytes && message.RecordMagic(left) == message.MagicBlank &&
			int(binary.BigEndian.Uint32(left)) == len(left) {
			at = seg.base + seg.size
			continue
		}
		if reason := r.check(left, &v, at, pos); reason != nil {
			if zeros(left[:min(len(left), message.FillerBytes)]) {
				return at, nil, nil
			}
			return at, &CorruptError{File: seg.name, Offset: pos, Err: reason}, nil
		}
		if err := r.visit(&v); err != nil {
			return 0, nil, err
		}
		at += int64(v.Size)
		if r.records%4096 == 0 {
			r.tell("reading the commit log", at, s.log.appended.Load())
		}
	}
}

var (
	errPlace = errors.New("the record belongs to another offset")
	errTorn  = errors.New("part of the record was not written")
)

// check says whether a whole record stands at an offset.
func (r *recovery) check(b []byte, v *message.View, at, pos int64) error {
	if err := v.Parse(b, r.s.config().CheckCRCOnRecover || r.ending != closed); err != nil {
		return err
	}
	if v.PhyOffset != at {
		return errPlace
	}
	if r.s.config().ForceVerifyPropCRC {
		if err := message.CheckSeal(b[:v.Size]); err != nil {
			return err
		}
	}
	if r.ending == crashed && torn(b[:v.Size], pos, len(v.Topic), len(v.Properties)) {
		return errTorn
	}
	return nil
}

// torn looks for a disk sector of the record that still is zeros. The checksum
// covers the body only; topic and properties behind it can have been lost on
// their own.
func torn(rec []byte, pos int64, topicBytes, propBytes int) bool {
	const sector = 512
	propsAt := len(rec) - propBytes
	topicAt := propsAt - 2 - topicBytes
	for from := int(sector - pos%sector); from < len(rec); from += sector {
		to := min(from+sector, len(rec))
		text := to > topicAt && from < propsAt-2 || propBytes > 0 && to > propsAt
		if text && zeros(rec[from:to]) {
			return true
		}
	}
	return false
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// visit makes the queue and the index agree with one record.
func (r *recovery) visit(v *message.View) error {
	s := r.s
	r.records++
	r.lastMs = max(r.lastMs, v.StoreTimestampMs)
	if message.Queued(v.SysFlag) {
		if err := r.enqueue(v); err != nil {
			return err
		}
	}
	if s.index != nil {
		if err := s.index.add(v); err != nil {
			return err
		}
	}
	if s.pending.Load() >= int64(s.config().QueueTailMaxUnits) {
		return r.flush()
	}
	return nil
}

func (r *recovery) flush() error {
	r.s.takeDirty()
	if err := r.s.flushTails(); err != nil {
		return err
	}
	if r.s.index != nil {
		err := r.s.index.end()
		r.s.index.begin()
		return err
	}
	return nil
}

// enqueue compares the record's unit with the queue, or adds it. The log is
// right: a queue that begins anew in it (its topic was deleted and made again)
// begins anew.
func (r *recovery) enqueue(v *message.View) error {
	q, err := r.s.queues.ensure(string(v.Topic), v.QueueID)
	if err != nil {
		r.s.deps.Log.Warn().Err(err).Int64("offset", v.PhyOffset).Msg("a record is in no queue")
		return nil
	}
	n, u := v.QueueOffset, r.s.unitOf(v)
	if n < 0 || n > maxQueueOffset || r.whole && q.touched >= 0 && n-q.next > maxGapUnits {
		r.s.deps.Log.Warn().Str("queue", q.files.dir).Int64("queueOffset", n).Int64("offset", v.PhyOffset).
			Msg("a record's place in its queue cannot be right; it is in no queue")
		return nil
	}
	if q.touched > n {
		if err := r.shorten(q, n); err != nil {
			return err
		}
	}
	if n > q.next {
		if !r.whole {
			return errGap
		}
		if err := r.bridge(q, n); err != nil {
			return err
		}
	}
	if n*unitBytes < q.files.first() {
		if err := r.anew(q, n); err != nil {
			return err
		}
	}
	q.touched = n + 1
	// After a crash extension units of the scanned records are made anew: that
	// their tag code is right does not say that their bitmap was written. Nor does
	// it when files are gone, and others have taken the place that units point to.
	anew := (r.ending == crashed || r.whole) && q.files.ext != nil && q.files.ext.source != nil
	switch {
	case n == q.next:
		q.push(u)
		q.publish()
		r.s.markDirty(q, 1)
		return nil
	case r.ending == killed && !r.whole: // it was written by the process that was killed
		return nil
	case r.unitAt(q, n) == u && !anew:
		return nil
	case anew:
		return r.s.fix(q, n, u)
	}
	r.fixed(q, n)
	return r.s.fix(q, n, u)
}

// fixed tells once a queue that its units were wrong.
func (r *recovery) fixed(q *queue, n int64) {
	if run := r.ahead[q]; run != nil && !run.told {
		run.told = true
		r.s.deps.Log.Warn().Str("queue", q.files.dir).Int64("offset", n).Msg("the queue has wrong units; they are made again from the commit log")
	}
}

// unitRun is a piece of a queue that was read ahead.
type unitRun struct {
	base  int64
	n     int
	told  bool
	units [aheadUnits]unit
}

const (
	aheadUnits  = 32
	aheadQueues = 4096 // pieces that are kept
)

// unitAt reads a unit of a queue's files, with those behind it.
func (r *recovery) unitAt(q *queue, n int64) unit {
	run := r.ahead[q]
	if run != nil && n >= run.base && n < run.base+int64(run.n) {
		return run.units[n-run.base]
	}
	if run == nil {
		if len(r.ahead) >= aheadQueues {
			clear(r.ahead)
		}
		run = new(unitRun)
		r.ahead[q] = run
	}
	var raw [aheadUnits * unitBytes]byte
	got, err := q.read(n, run.units[:], raw[:])
	if err != nil || got == 0 {
		run.n = 0
		return unit{}
	}
	run.base, run.n = n, got
	return run.units[0]
}

const (
	maxQueueOffset = 1 << 56
	// maxGapUnits is how many records a queue may lack between two that are there.
	maxGapUnits = 1 << 20
)

// bridge makes a queue reach an offset that the log continues at, when what is
// between is in no file any more.
func (r *recovery) bridge(q *queue, n int64) error {
	if q.touched < 0 || q.next == q.min.Load() {
		return r.anew(q, n)
	}
	units := n - q.next
	for q.next < n {
		q.push(blank)
	}
	q.publish()
	r.s.markDirty(q, units)
	return nil
}

// anew drops what a queue has, units of nothing that is left, and has it begin
// at an offset.
func (r *recovery) anew(q *queue, n int64) error {
	if err := r.shorten(q, 0); err != nil {
		return err
	}
	if err := q.files.clear(); err != nil {
		return err
	}
	q.place(n)
	q.min.Store(n)
	return nil
}

// shorten writes what a queue has and cuts it.
func (r *recovery) shorten(q *queue, end int64) error {
	r.s.takeDirty()
	if err := r.s.flushTails(); err != nil {
		return err
	}
	delete(r.ahead, q)
	return q.truncate(end)
}

// fix writes one unit over what a queue file has there.
func (s *Store) fix(q *queue, n int64, u unit) error {
	var raw [unitBytes]byte
	return q.files.write(n, []unit{u}, raw[:])
}
