// SPDX-License-Identifier: Apache-2.0

// Recovery: find the true end of the log, cut what is behind it, and make
// queues and index say what the log says (docs/format/commitlog.md). It runs in
// Open, before anything is shared. Java: CommitLog.recoverNormally/Abnormally,
// ConsumeQueue.recover.

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strconv"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// load opens everything and recovers. Without an abort file the last stop was
// clean. The file is made before anything is changed, so that a crash in here
// is seen by the next start; a start that is refused takes it away again.
func (s *Store) load() error {
	abort := path.Join(s.root, "abort")
	crashed, err := vfs.Exists(s.deps.FS, abort)
	if err != nil {
		return err
	}
	if s.check, err = loadCheckpoint(s.deps.FS, path.Join(s.root, "checkpoint")); err != nil {
		return err
	}
	if err := s.log.load(); err != nil {
		return err
	}
	s.adoptSizes()
	if err := s.queues.load(crashed); err != nil {
		return err
	}
	if s.config().MessageIndexEnable {
		s.index = newKeyIndex(s.deps.FS, path.Join(s.root, "index"), s.config(), s.deps.Clock.Now)
		if err := s.index.load(crashed); err != nil {
			return err
		}
	}
	if err := vfs.WriteFile(s.deps.FS, abort, strconv.AppendInt(nil, int64(s.deps.Host.PID), 10)); err != nil {
		return err
	}
	if err := s.deps.FS.SyncDir(s.root); err != nil {
		return err
	}
	r := recovery{s: s, crashed: crashed}
	if err := r.run(); err != nil {
		if r.refused && !crashed {
			err = errors.Join(err, s.deps.FS.Remove(abort))
		}
		return err
	}
	s.deps.Log.Info().Bool("clean", !crashed).Int64("from", r.from).Int64("end", s.log.appended.Load()).
		Int64("records", r.records).Msg("store recovered")
	return s.deps.FS.SyncDir(s.root)
}

type recovery struct {
	s       *Store
	crashed bool
	from    int64 // where the scan began
	whole   bool  // it began at the first file
	records int64
	lastMs  int64
	refused bool  // damage was found and nothing changed
	queued  int64 // end of the newest record that a queue has a unit for
}

// errGap says that a queue lacks units from before the scan.
var errGap = errors.New("a queue has a gap")

func (r *recovery) run() error {
	s, l := r.s, r.s.log
	segs := l.segments()
	if len(segs) == 0 {
		return r.empty()
	}
	last := segs[len(segs)-1]
	l.appended.Store(last.base + last.size) // the scan may read everything
	r.queued = r.queuedEnd()
	r.from = r.start(segs)
	r.whole = r.from == segs[0].base
	if s.index != nil && r.crashed {
		if err := s.index.repair(r.from, true); err != nil {
			return err
		}
	}
	end, stop, err := r.scan()
	if errors.Is(err, errGap) {
		if err := r.again(segs[0].base); err != nil {
			return err
		}
		end, stop, err = r.scan()
	}
	if err != nil {
		return err
	}
	if err := r.refuseLoss(end, stop); err != nil {
		r.refused = true
		return err
	}
	return r.finish(end)
}

// empty is for a directory without log files: queues and index have nothing to
// point at.
func (r *recovery) empty() error {
	s := r.s
	for _, topic := range s.queues.topics() {
		if err := s.DeleteTopic(topic); err != nil {
			return err
		}
	}
	if s.index != nil {
		return s.index.clear()
	}
	return nil
}

// queuedEnd is the end of the newest record that the queues know.
func (r *recovery) queuedEnd() (end int64) {
	_ = r.s.queues.each(func(q *queue) error {
		if u, ok := q.unit(q.end.Load() - 1); ok && !u.isBlank() {
			end = max(end, u.phyOffset+int64(u.size))
		}
		return nil
	})
	return end
}

// start is where the scan begins. After a clean stop: at the newest record that
// a queue knows, if it is a record; after a crash: at the newest file whose
// first record is older than everything the crash could touch.
func (r *recovery) start(segs []*segment) int64 {
	if !r.crashed {
		if at, ok := r.newestQueued(); ok {
			return at
		}
		for i := len(segs) - 1; i >= 0; i-- {
			if segs[i].base <= r.queued && r.queued > 0 {
				return segs[i].base
			}
		}
		return segs[0].base
	}
	safeMs := r.s.check.safeMs()
	if r.s.index != nil && r.s.config().MessageIndexSafe {
		safeMs = min(safeMs, r.s.check.index)
	}
	for i := len(segs) - 1; i > 0; i-- {
		var v message.View
		if v.Parse(segs[i].data, false) == nil && v.PhyOffset == segs[i].base && v.StoreTimestampMs > 0 && v.StoreTimestampMs <= safeMs {
			return segs[i].base
		}
	}
	return segs[0].base
}

// newestQueued is the offset of the newest record that a queue has a unit for,
// if the log has that record.
func (r *recovery) newestQueued() (int64, bool) {
	at := int64(-1)
	_ = r.s.queues.each(func(q *queue) error {
		if u, ok := q.unit(q.end.Load() - 1); ok && !u.isBlank() {
			at = max(at, u.phyOffset)
		}
		return nil
	})
	if at < 0 {
		return 0, false
	}
	_, err := r.s.Record(at)
	return at, err == nil
}

// again prepares a second scan, of the whole log.
func (r *recovery) again(base int64) error {
	r.s.deps.Log.Warn().Int64("from", base).Msg("a consume queue lacks units; reading the whole commit log to rebuild it")
	r.from, r.whole, r.records = base, true, 0
	return r.s.queues.each(func(q *queue) error {
		q.touched = -1
		return nil
	})
}

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
	}
}

var (
	errPlace = errors.New("the record belongs to another offset")
	errTorn  = errors.New("part of the record was not written")
)

// check says whether a whole record stands at an offset.
func (r *recovery) check(b []byte, v *message.View, at, pos int64) error {
	if err := v.Parse(b, r.s.config().CheckCRCOnRecover || r.crashed); err != nil {
		return err
	}
	if v.PhyOffset != at {
		return errPlace
	}
	if r.crashed && torn(b[:v.Size], pos, len(v.Topic), len(v.Properties)) {
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
	q.touched = n + 1
	if n == q.next {
		q.push(u)
		q.publish()
		r.s.markDirty(q, 1)
		return nil
	}
	// After a crash extension units of the scanned records are made anew: that
	// their tag code is right does not say that their bitmap was written.
	anew := r.crashed && q.files.ext != nil && q.files.ext.source != nil
	if have, ok := q.unit(n); ok && have == u && !anew {
		return nil
	}
	return r.s.fix(q, n, u)
}

// bridge makes a queue reach an offset that the log continues at, when what is
// between is in no file any more.
func (r *recovery) bridge(q *queue, n int64) error {
	if q.touched < 0 || q.next == q.min.Load() {
		if err := r.shorten(q, 0); err != nil {
			return err
		}
		if err := q.files.clear(); err != nil { // units of nothing that is left
			return err
		}
		q.place(n)
		q.min.Store(n)
		return nil
	}
	units := n - q.next
	for q.next < n {
		q.push(blank)
	}
	q.publish()
	r.s.markDirty(q, units)
	return nil
}

// shorten writes what a queue has and cuts it.
func (r *recovery) shorten(q *queue, end int64) error {
	r.s.takeDirty()
	if err := r.s.flushTails(); err != nil {
		return err
	}
	return q.truncate(end)
}

// fix writes one unit over what a queue file has there.
func (s *Store) fix(q *queue, n int64, u unit) error {
	var raw [unitBytes]byte
	return q.files.write(n, []unit{u}, raw[:])
}

// refuseLoss compares the end that the scan found with what is known to have
// been written. Records behind it that had been durable mean damage, which is
// reported and not cut away.
func (r *recovery) refuseLoss(end int64, stop error) error {
	if !r.crashed {
		if r.queued <= end {
			return nil
		}
		if stop == nil {
			stop = &CorruptError{File: r.s.log.paths.first(), Offset: end, Err: errors.New("the log ends here")}
		}
		return fmt.Errorf("%w; a consume queue knows of records up to %d, so the commit log is damaged", stop, r.queued)
	}
	if stop == nil {
		return nil
	}
	physicMs := r.s.check.physicMs()
	for _, seg := range r.s.log.segments() {
		var v message.View
		if seg.base > end && v.Parse(seg.data, true) == nil && v.PhyOffset == seg.base && v.StoreTimestampMs < physicMs {
			return fmt.Errorf("%w; %s has records that were flushed later, so the commit log is damaged", stop, seg.name)
		}
	}
	return nil
}

// finish cuts log and queues at the end that was found.
func (r *recovery) finish(end int64) error {
	s, l := r.s, r.s.log
	s.takeDirty()
	if err := s.flushTails(); err != nil {
		return err
	}
	err := s.queues.each(func(q *queue) error {
		keep, limit := q.touched, end
		if r.crashed {
			limit = r.from // from there on the scan would have come across the queue
		}
		if keep < 0 {
			keep = q.search(q.min.Load(), q.end.Load(), func(u unit) bool { return !u.valid() || !u.isBlank() && u.phyOffset >= limit })
		}
		if !r.crashed && keep >= q.end.Load() {
			return nil
		}
		return q.truncate(keep)
	})
	if err != nil {
		return err
	}
	if err := l.cut(end); err != nil {
		return err
	}
	if r.crashed {
		l.flushed.Store(min(r.from, end)) // what the page cache has is not yet on the disk
		if err := errors.Join(l.sync(end), l.paths.syncNames(l.fs)); err != nil {
			return err
		}
	}
	l.flushed.Store(end)
	l.lastStoreMs = r.lastMs
	s.dispatch.done.Store(end)
	s.dispatch.doneMs = r.lastMs
	return s.queues.each(func(q *queue) error {
		q.raise(l.minOffset())
		return nil
	})
}
