// SPDX-License-Identifier: Apache-2.0

// Making queue files durable: a few each by its own sync, very many by one of the
// whole file system (docs/decisions/0002-syncs-of-many-queues.md).

package store

import (
	"errors"
	"maps"
	"path"
	"slices"

	"rocketd/store/vfs"
)

// syncWholeFrom is how many unsynced queue files are worth a sync of everything
// that the file system has to write, other programs' files included.
const syncWholeFrom = 512

// syncJob is a file that has to be made durable, taken under the dispatch lock
// and done without it: syncs are slow and the dispatcher must go on.
type syncJob struct {
	files *queueFiles
	file  *queueFile
	name  bool // its directory entry, too
}

// takeUnsynced appends the files that have at least leastBytes unsynced, and
// says whether that is all that is unsynced. Under the dispatch lock.
func (f *queueFiles) takeUnsynced(jobs []syncJob, leastBytes int64) ([]syncJob, bool) {
	all := true
	if f.ext != nil { // before the units that point to it
		jobs, _ = f.ext.files.takeUnsynced(jobs, 0)
	}
	for _, q := range *f.list.Load() {
		switch {
		case !q.dirty:
		case q.bytes < leastBytes:
			all = false
		default:
			jobs = append(jobs, syncJob{f, q, !q.named})
			q.dirty, q.bytes, q.named = false, 0, true
		}
	}
	return jobs, all
}

// openVolumes opens the file systems that the queues are on, if they can be
// synced as a whole. It comes before anything is written to a queue: of errors
// the kernel tells those since then.
func (t *queueTable) openVolumes() error {
	dirs := []string{t.dir}
	if t.extThere {
		dirs = append(dirs, t.extDir)
	}
	for _, dir := range dirs {
		v, err := t.fs.OpenVolume(dir)
		if errors.Is(err, errors.ErrUnsupported) {
			return t.closeVolumes()
		}
		if err != nil {
			return err
		}
		t.volumes = append(t.volumes, v)
	}
	return nil
}

func (t *queueTable) closeVolumes() error {
	var errs []error
	for _, v := range t.volumes {
		errs = append(errs, v.Close())
	}
	t.volumes = nil
	return errors.Join(errs...)
}

// sync does the jobs.
func (t *queueTable) sync(jobs []syncJob) error {
	if len(jobs) < t.syncWholeFrom || len(t.volumes) == 0 {
		return syncFiles(t.fs, jobs)
	}
	for _, v := range t.volumes {
		if err := v.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// syncFiles does the jobs one by one, and then syncs each directory once that has
// new names: the queue's, and the topic's and that of all topics, which may be as
// new. Files and directories that were removed since need it no more.
func syncFiles(fsys vfs.FS, jobs []syncJob) error {
	err := spread(len(jobs), func(i int) error {
		j := jobs[i]
		return unlessDropped(j.files.with(j.file, vfs.ReadWrite, vfs.File.Sync))
	})
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, j := range jobs {
		if j.name {
			topicDir := path.Dir(j.files.dir)
			named[j.files.dir], named[topicDir], named[path.Dir(topicDir)] = true, true, true
		}
	}
	dirs := slices.Sorted(maps.Keys(named))
	return spread(len(dirs), func(i int) error { return unlessDropped(fsys.SyncDir(dirs[len(dirs)-1-i])) })
}
