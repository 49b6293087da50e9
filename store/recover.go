// SPDX-License-Identifier: Apache-2.0

// Recovery: find the true end of the log, cut what is behind it, and make
// queues and index say what the log says (docs/format/commitlog.md). It runs in
// Open, before anything is shared. Java: CommitLog.recoverNormally/Abnormally,
// ConsumeQueue.recover.

package store

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// ending is how the last one who had the store left it.
type ending int

const (
	closed  ending = iota // in order, by whatever kind of broker
	killed                // the process ended, and what it had written is all there
	crashed               // what was not synced may be lost
)

func (e ending) String() string { return [...]string{"closed", "killed", "crashed"}[e] }

type recovery struct {
	s          *Store
	ending     ending
	was        markState // what the mark says
	valid      bool      // it is whole
	trusted    bool      // and nobody else has had the store since it was written
	list       *queueList
	adopted    bool           // the queues are those of the list
	closedAt   int64          // where our last stop left the end of the log, 0 when it is not known
	lost       bool           // what our own files say is gone: only the log says what queues and index had
	saved      []byte         // the mark's file
	java       javaCheckpoint // what Java's checkpoint had
	distrusted bool           // checkpoint and mark say that queues and index are not to be believed
	wrong      []string       // files of queues and index that cannot be right

	from    int64 // where the scan began
	whole   bool  // it began at the first file
	records int64
	lastMs  int64
	refused bool // damage was found and nothing changed
	newest  newestUnit
	queued  int64        // end of the record that it points to
	toldMs  atomic.Int64 // several goroutines tell
	ahead   map[*queue]*unitRun
}

// load opens everything and recovers. The abort file is made before anything is
// changed, so that a crash in here is seen by the next start; a start that is
// refused takes it away again, unless files of queues or index were removed of which nothing else tells.
func (s *Store) load() error {
	abort := path.Join(s.root, "abort")
	aborted, err := vfs.Exists(s.deps.FS, abort)
	if err != nil {
		return err
	}
	if err := s.makeDirs(); err != nil {
		return err
	}
	if s.check, err = loadCheckpoint(s.deps.FS, path.Join(s.root, "checkpoint")); err != nil {
		return err
	}
	if err := s.log.load(); err != nil {
		return err
	}
	s.adoptSizes()
	r := recovery{s: s, ahead: map[*queue]*unitRun{}}
	r.toldMs.Store(s.nowMs())
	if err := r.judge(aborted); err != nil {
		return err
	}
	if err := r.openQueues(); err != nil {
		return err
	}
	if err := r.openIndex(); err != nil {
		return err
	}
	if err := r.begin(abort); err != nil {
		return err
	}
	if err := r.run(); err != nil {
		if r.refused && !aborted && (r.list != nil || !r.distrusted) {
			err = errors.Join(err, r.undo(abort))
		}
		return err
	}
	s.deps.Log.Info().Stringer("before", r.ending).Bool("listed", r.adopted).Int64("from", r.from).
		Int64("end", s.log.appended.Load()).Int64("records", r.records).
		Int64("ms", s.nowMs()-s.startMs).Msg("store recovered")
	return s.deps.FS.SyncDir(s.root)
}

// makeDirs makes what is missing of the directories in one go: each sync may
// wait for whatever else the disk is told to write.
func (s *Store) makeDirs() error {
	dirs := append(slices.Clone(s.log.paths.write), s.queues.dir)
	if s.queues.extEnabled {
		dirs = append(dirs, s.queues.extDir)
	}
	if s.config().MessageIndexEnable {
		dirs = append(dirs, s.indexDir())
	}
	return vfs.MkdirAllSync(s.deps.FS, dirs...)
}

func (s *Store) indexDir() string { return path.Join(s.root, "index") }

// judge decides how the store was left. The mark counts when Java's checkpoint
// is the one that it knows; abort is Java's sign of a crash, and ours for Java.
func (r *recovery) judge(aborted bool) (err error) {
	s := r.s
	r.java = s.check.onDisk()
	s.mark, r.was, r.valid, err = loadMark(s.deps.FS, s.root, s.deps.Host.BootID, r.java)
	if err != nil {
		return err
	}
	r.trusted = r.valid && slices.Contains(r.was.java[:], r.java)
	r.saved = s.mark.saved
	switch {
	case r.trusted && r.was.clean && !aborted:
		r.ending, r.closedAt = closed, r.was.end
		if !s.log.untouched(&r.was) { // somebody else went on
			r.trusted = false
		}
	case r.trusted && !r.was.clean && !r.was.cutting && s.mark.sameBoot(&r.was):
		r.ending = killed
	case aborted || r.trusted:
		r.ending = crashed
	}
	if err := r.judgeList(); err != nil {
		return err
	}
	if r.list == nil && r.ending == killed {
		r.ending = crashed // only the list says what the queues have
	}
	return r.missPath()
}

// missPath refuses a log whose oldest files are gone since it was closed together with all that one of its paths had, as
// when a disk is not there: what queues and index have of them would go, too.
func (r *recovery) missPath() error {
	l := r.s.log
	if r.ending != closed || r.list == nil || r.list.logMin >= l.minOffset() {
		return nil
	}
	for _, dir := range l.paths.all() {
		if !slices.ContainsFunc(l.segments(), func(s *segment) bool { return path.Dir(s.name) == dir }) {
			return fmt.Errorf("%s has no file of the commit log, which began at %d when the store was closed and now begins with %s: is its disk there? "+
				"To give its files up, take the path out of storePathCommitLog and readOnlyCommitLogStorePaths", dir, r.list.logMin, l.segments()[0].name)
		}
	}
	return nil
}

// judgeList reads the list that the mark names, and notices when one of the files that say what queues and index had
// is missing or damaged: then a queue that is missing, too, would not be missed.
func (r *recovery) judgeList() error {
	s := r.s
	list, gone := path.Join(s.root, listName), ""
	there, err := vfs.Exists(s.deps.FS, list)
	if err != nil {
		return err
	}
	switch {
	case r.trusted:
		var damaged bool
		if r.list, damaged, err = loadList(s.deps.FS, s.root, r.was.listID); err != nil {
			return err
		}
		if damaged || r.list == nil && r.was.listID != 0 && r.ending == closed {
			gone = list
		}
	case r.valid && s.check.damaged:
		gone = s.check.name
	case !r.valid && there:
		gone = s.mark.name
	}
	r.lost = gone != ""
	r.whole = r.lost || r.trusted && r.was.distrust
	if r.lost {
		r.repaired(gone, "the file is missing or damaged; queues and index are made again from the commit log")
	}
	return nil
}

func (r *recovery) repaired(file, what string) {
	r.s.deps.Log.Warn().Str("file", file).Msg(what)
}

func (r *recovery) run() error {
	l := r.s.log
	segs := l.segments()
	if len(segs) == 0 {
		if err := r.refuseLoss(0, nil); err != nil {
			r.refused = true
			return err
		}
		return r.empty()
	}
	last := segs[len(segs)-1]
	l.appended.Store(last.base + last.size) // the scan may read everything
	if r.list != nil {
		r.lastMs = r.list.lastMs
	}
	r.from = r.start(segs)
	r.whole = r.from == segs[0].base
	if err := r.settleIndex(); err != nil {
		return err
	}
	var end int64
	var stop error
	err := vfs.Guard(func() (err error) {
		end, stop, err = r.scan()
		return err
	})
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
	return r.finish(end, stop)
}

func (r *recovery) settleIndex() error {
	switch x := r.s.index; {
	case x == nil || r.ending == closed:
		return nil
	case r.ending == killed:
		return x.settle()
	default:
		return x.repair(r.from, true)
	}
}

// empty is for a directory without log files, of which nothing says that it had any: queues and index have nothing to
// point at.
func (r *recovery) empty() error {
	s := r.s
	s.dispatch.listed.behind = true
	s.log.flushed.Store(0)
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

// start is where the scan begins: at what the list covers; else, after a clean
// stop, at the newest record that a queue knows, if it is a record; else at the
// newest file whose first record is older than everything a crash could touch.
func (r *recovery) start(segs []*segment) int64 {
	if r.whole {
		return segs[0].base
	}
	if r.list != nil && r.list.mark >= segs[0].base {
		return r.list.mark
	}
	if r.ending == closed {
		if r.newest.size > 0 {
			if _, err := r.s.Record(r.newest.phyOffset); err == nil {
				return r.newest.phyOffset
			}
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

// again prepares a second scan, of the whole log.
func (r *recovery) again(base int64) error {
	r.s.deps.Log.Warn().Int64("from", base).Msg("a consume queue lacks units; reading the whole commit log to rebuild it")
	r.from, r.whole, r.records = base, true, 0
	clear(r.ahead)
	if err := r.distrust(); err != nil {
		return err
	}
	return r.s.queues.each(func(q *queue) error {
		q.touched, q.newest = -1, -1
		return nil
	})
}

// tellEvery is how often long work says how far it is.
const tellEvery = time.Second

func (r *recovery) tell(what string, at, of int64) {
	now, told := r.s.nowMs(), r.toldMs.Load()
	if now-told < tellEvery.Milliseconds() || !r.toldMs.CompareAndSwap(told, now) {
		return
	}
	event := r.s.deps.Log.Info().Int64("at", at)
	if of > 0 {
		event = event.Int64("of", of)
	}
	event.Msg(what)
}

// refuseLoss compares the end that the scan found with what is known to have
// been written. Records behind it that cannot have been lost mean damage, which
// is reported and not cut away.
func (r *recovery) refuseLoss(end int64, stop error) error {
	known, what := int64(0), ""
	switch {
	case r.ending == closed && r.closedAt >= r.queued:
		known, what = r.closedAt, "the store was closed with records up to"
	case r.ending == closed:
		known, what = r.queued, "the queue "+r.newest.dir+" knows of records up to"
	case r.trusted:
		known, what = r.was.flushed, "there were durable records up to"
	}
	if r.ending == killed && stop != nil && end >= known {
		if at, ok := r.recordBehind(end); ok {
			known, what = at, "there is a record at"
		}
	}
	if known > end {
		if stop == nil {
			stop = &CorruptError{File: r.s.log.nameAt(end), Offset: end % r.s.log.fileSize, Err: errors.New("the log ends here")}
		}
		return fmt.Errorf("%w; %s %d, so the commit log is damaged (docs/format/commitlog.md says how to go on)", stop, what, known)
	}
	if stop == nil || r.ending == closed {
		return nil
	}
	physicMs := r.s.check.physicMs()
	for _, seg := range r.s.log.segments() {
		var v message.View
		if seg.base > end && v.Parse(seg.data, true) == nil && v.PhyOffset == seg.base && v.StoreTimestampMs < physicMs {
			return fmt.Errorf("%w; %s has records that were flushed later, so the commit log is damaged (docs/format/commitlog.md says how to go on)", stop, seg.name)
		}
	}
	return nil
}

// nameAt is the file that an offset is in, or would be.
func (l *commitLog) nameAt(phyOffset int64) string {
	for _, seg := range l.segments() {
		if phyOffset >= seg.base && phyOffset < seg.base+seg.size {
			return seg.name
		}
	}
	return path.Join(l.paths.first(), segmentName(phyOffset-phyOffset%l.fileSize))
}

// recordBehind looks for a record that begins behind bytes that are none: a kill
// leaves half of one record at most, so there is damage between.
func (r *recovery) recordBehind(end int64) (int64, bool) {
	l := r.s.log
	seg := l.at(end)
	if seg == nil {
		return 0, false
	}
	seg.unpin() // nobody else has the store yet
	var v message.View
	magics := [...][]byte{{0xDA, 0xA3, 0x20, 0xA7}, {0xDA, 0xA3, 0x20, 0xAB}}
	pos := end - seg.base
	near := seg.data[pos:min(seg.size, pos+int64(r.s.config().MaxMessageSize)+2*maxExtraBytes)]
	for _, magic := range magics {
		for i := 0; ; {
			n := bytes.Index(near[i:], magic)
			if n < 0 {
				break
			}
			i += n + len(magic)
			at := int64(i - len(magic) - 4)
			if at > 0 && v.Parse(seg.data[pos+at:], true) == nil && v.PhyOffset == end+at {
				return v.PhyOffset, true
			}
		}
	}
	if next := l.at(seg.base + seg.size); next != nil {
		next.unpin()
		if v.Parse(next.data, true) == nil && v.PhyOffset == next.base {
			return next.base, true
		}
	}
	return 0, false
}

// finish cuts log and queues at the end that was found.
func (r *recovery) finish(end int64, stop error) error {
	s, l := r.s, r.s.log
	done, doneMs := end, r.lastMs
	if r.adopted && stop == nil && r.from == r.list.mark {
		done, doneMs = r.from, r.list.lastMs // the dispatcher writes the tails that the scan has made
		s.kickDispatcher()
	} else {
		s.takeDirty()
		if err := s.flushTails(); err != nil {
			return err
		}
	}
	if !r.adopted || stop != nil {
		if err := s.queues.each(func(q *queue) error { return r.cutQueue(q, end) }); err != nil {
			return err
		}
	}
	if err := l.cut(end, r.ending == crashed || !r.adopted); err != nil {
		return err
	}
	switch r.ending {
	case crashed:
		l.flushed.Store(min(r.from, end)) // what the page cache has is not yet on the disk
		if err := errors.Join(l.sync(end), l.paths.syncNames(l.fs)); err != nil {
			return err
		}
		l.flushed.Store(end)
	case killed:
		l.flushed.Store(min(r.was.flushed, end))
		for _, seg := range l.segments() {
			seg.named.Store(seg.base+seg.size <= r.was.flushed)
		}
	default:
		l.flushed.Store(end)
	}
	l.lastStoreMs = r.lastMs
	s.dispatch.done.Store(done)
	s.dispatch.doneMs = doneMs
	s.dispatch.listed.behind = r.list == nil || r.whole
	if r.list != nil {
		s.dispatch.listed.mark, s.dispatch.listed.logMin = r.list.mark, r.list.logMin
	}
	if err := s.mark.update(func(m *markState) { m.cutting = false }); err != nil {
		return err
	}
	if r.adopted && r.list.logMin == l.minOffset() {
		return nil
	}
	return s.queues.each(func(q *queue) error {
		if q.based < l.minOffset() {
			q.raise(l.minOffset())
		}
		return nil
	})
}

// cutQueue removes what a queue has of records that the log does not have.
func (r *recovery) cutQueue(q *queue, end int64) error {
	keep, limit := q.touched, end
	if r.ending == closed && !r.whole && keep < 0 && r.queued <= end {
		return nil // no queue has more than the log
	}
	if r.ending == crashed {
		limit = r.from // from there on the scan would have come across the queue
	}
	if keep < 0 && !r.whole {
		keep = q.listed // the log has nothing of it from the list's mark on
	}
	if keep < 0 && q.newest >= 0 && q.newest < limit {
		keep = q.end.Load()
	}
	if keep < 0 {
		keep = q.search(q.min.Load(), q.end.Load(), func(u unit) bool { return !u.valid() || !u.isBlank() && u.phyOffset >= limit })
	}
	if keep >= q.end.Load() && (r.ending == closed || q.newest >= 0) {
		return nil
	}
	return q.truncate(keep)
}
