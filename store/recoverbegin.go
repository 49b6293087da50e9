// SPDX-License-Identifier: Apache-2.0

// The beginning of recovery: look at queues and index, say what is not to be
// believed, and only then remove what cannot be right (docs/format/mark.md).

package store

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strconv"

	"rocketd/store/vfs"
)

// openQueues makes the queues from the list, or from what the directories have.
func (r *recovery) openQueues() (err error) {
	q := r.s.queues
	if err := errors.Join(q.findExt(), q.openVolumes()); err != nil {
		return err
	}
	if r.list != nil && r.ending != crashed && !q.extThere {
		if r.adopted, err = q.adopt(r.list, r.repaired); err != nil || r.adopted {
			return err
		}
		r.whole = true
	}
	if r.ending == killed { // what the list does not say, only the log says
		r.ending = crashed
	}
	r.newest, r.wrong, err = q.load(r.ending == closed, r.repaired, func(done int) { r.tell("reading the directories of the queues", int64(done), 0) })
	if err != nil {
		return err
	}
	r.whole = r.whole || len(r.wrong) > 0
	if r.ending == closed && r.trusted && r.newest.end() > r.closedAt {
		r.repaired(r.newest.dir, "the queue points behind the end of the commit log; it is made again")
		r.newest, r.whole = newestUnit{}, true
	}
	if r.list != nil && !r.whole {
		if dir, lost := q.compare(r.list); lost {
			r.repaired(dir, "the queue has lost units; it is made again from the commit log")
			r.whole = true
		}
	}
	return nil
}

func (r *recovery) openIndex() error {
	s := r.s
	if !s.config().MessageIndexEnable {
		return nil
	}
	s.index = newKeyIndex(s.deps.FS, s.indexDir(), s.config(), s.deps.Clock.Now)
	wrong, whole, err := s.index.load(r.list, r.lost, s.log.minOffset(), r.repaired)
	r.wrong = append(r.wrong, wrong...)
	r.whole = r.whole || whole
	return err
}

// begin says, durably, that the store is open, and what is not to be believed; then what cannot be right is removed.
func (r *recovery) begin(abort string) error {
	s := r.s
	r.queued = r.newest.end()
	switch {
	case r.ending == closed:
		s.log.flushed.Store(max(r.closedAt, r.queued))
	case r.trusted:
		s.log.flushed.Store(r.was.flushed)
	}
	err := s.mark.update(func(m *markState) {
		m.java, m.flushed = [2]javaCheckpoint{r.java, r.java}, s.log.flushed.Load()
		if r.list != nil {
			m.listID, m.cutting = r.was.listID, r.ending == crashed
		}
	})
	if err == nil && r.whole {
		err = r.distrust()
	}
	if err != nil {
		return err
	}
	if err := vfs.WriteFile(s.deps.FS, abort, strconv.AppendInt(nil, int64(s.deps.Host.PID), 10)); err != nil {
		return err
	}
	if err := s.deps.FS.SyncDir(s.root); err != nil {
		return err
	}
	return r.removeWrong()
}

// removeWrong removes files that cannot be right, durably: they may not come back behind what is written in their place.
func (r *recovery) removeWrong() error {
	dirs := map[string]bool{}
	for _, name := range r.wrong {
		if err := r.s.deps.FS.Remove(name); err != nil {
			return err
		}
		dirs[path.Dir(name)] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := r.s.deps.FS.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// distrust has the next start read the whole log, too, of whatever kind the
// broker is, until queues and index are durable again.
func (r *recovery) distrust() error {
	r.distrusted = true
	r.s.check.distrust()
	if err := r.s.saveCheckpoint(); err != nil {
		return err
	}
	return r.s.mark.update(func(m *markState) { m.distrust, m.listID = true, 0 })
}

// undo takes back what a start has said of itself.
func (r *recovery) undo(abort string) error {
	s := r.s
	if r.distrusted {
		if err := s.check.restore(s.deps.FS, r.java); err != nil {
			return err
		}
	}
	return errors.Join(s.mark.restore(r.saved), s.deps.FS.Remove(abort))
}
