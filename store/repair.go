// SPDX-License-Identifier: Apache-2.0

// Repair mends a data directory that nobody uses, as far as nothing is lost by
// it: queues and index are made anew from the log, tables come back from their
// backups. What does not belong is set aside under damaged-<ms>, never deleted.
// A log that is damaged in its middle is cut only when that is asked for.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"rocketd/store/vfs"
)

// Repair reports what it does with emit. With cut it gives up the log behind
// the first damage, a copy of which it keeps.
func Repair(cfg Config, deps Deps, cut bool, emit func(Finding)) error {
	release, err := lockToRead(deps.FS, cfg.StorePathRootDir)
	if err != nil {
		return err
	}
	r := &repair{checker: newChecker(deps.FS, cfg, func(Finding) {}), tell: emit}
	r.aside = path.Join(r.root, "damaged-"+strconv.FormatInt(deps.Clock.Now().UnixMilli(), 10))
	err = r.prepare(cut)
	r.close()
	release()
	if err != nil {
		return err
	}
	s, err := Open(cfg, deps)
	if err != nil {
		return err
	}
	return s.Close()
}

type repair struct {
	*checker
	tell  func(Finding)
	aside string // where what is taken out goes
}

func (r *repair) did(file string, offset int64, format string, args ...any) {
	r.tell(Finding{File: file, Offset: offset, Text: fmt.Sprintf(format, args...)})
}

// prepare does what a start would not do by itself, and has the start that
// follows read the whole log.
func (r *repair) prepare(cut bool) error {
	if err := refuseForeign(r.fs, r.root); err != nil {
		return err
	}
	if err := r.checkLog(); err != nil {
		return err
	}
	if err := errors.Join(r.missLog(cut), r.mendLog(cut)); err != nil {
		return err
	}
	if err := r.asideOddFiles(); err != nil {
		return err
	}
	if err := r.mendTables(); err != nil {
		return err
	}
	// An abort file, a checkpoint that promises nothing, and no mark: the start
	// reads all.
	if err := r.fs.Remove(path.Join(r.root, markName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := vfs.WriteFile(r.fs, path.Join(r.root, "abort"), []byte("0")); err != nil {
		return err
	}
	if err := r.fs.SyncDir(r.root); err != nil {
		return err
	}
	return vfs.WriteFile(r.fs, path.Join(r.root, "checkpoint"), make([]byte, checkpointBytes))
}

// missLog is for a log without any file, as when its disk is not there: the start would remove the queues.
func (r *repair) missLog(cut bool) error {
	if len(r.log) > 0 || cut {
		return nil
	}
	for _, key := range r.queueDirs(path.Join(r.root, "consumequeue")) {
		q := r.openQueue(key)
		if q.files == nil {
			continue
		}
		first, end, _, err := q.files.bounds()
		if err := errors.Join(err, q.files.close()); err != nil {
			return err
		}
		if end > first {
			return fmt.Errorf("%s has no file of the commit log, and %s has %d units; with --cut queues and index are given up",
				newLogPaths(&r.cfg).first(), q.files.dir, end-first)
		}
	}
	return nil
}

// mendLog looks for damage that the start would have to cut at.
func (r *repair) mendLog(cut bool) error {
	found, err := findOffsetFiles(r.fs, newLogPaths(&r.cfg).all())
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, s := range r.log {
		known[s.name] = true
	}
	for _, f := range found {
		switch {
		case known[f.name()] || f.size == 0:
		case f.offset >= 0 && !cut:
			return fmt.Errorf("%s does not fit into the log, which ends at %d; with --cut the log is given up from there on", f.name(), r.logEnd)
		default:
			if err := r.setAside(f.name()); err != nil {
				return err
			}
		}
	}
	if r.stopAt == nil {
		return nil
	}
	if behind := r.bytesBehind(); behind > 0 && !cut {
		return fmt.Errorf("%s: damaged at byte %d, and up to %d bytes are behind it; with --cut the log is given up from there on",
			r.stopAt.File, r.stopAt.Offset, behind)
	}
	return r.keepTail()
}

// bytesBehind is how much of the log may lie behind the damage.
func (r *repair) bytesBehind() (n int64) {
	for _, s := range r.log {
		from := max(r.logEnd-s.base, 0)
		if from >= s.size {
			continue
		}
		last := int64(0)
		for at := s.size; at > from && last == 0; at = max(at-4096, from) {
			if begin := max(at-4096, from); !zeros(s.data[begin:at]) {
				last = at
			}
		}
		n += max(last-from, 0)
	}
	return n
}

// keepTail copies the files from the damage on, before the start zeroes them.
func (r *repair) keepTail() error {
	for _, s := range r.log {
		if s.base+s.size <= r.logEnd {
			continue
		}
		name := path.Join(r.aside, "commitlog", path.Base(s.name))
		if err := vfs.MkdirAllSync(r.fs, path.Dir(name)); err != nil {
			return err
		}
		if err := copySparse(r.fs, name, s.data); err != nil {
			return err
		}
		r.did(s.name, max(r.logEnd-s.base, 0), "cut; a copy of the file is in %s", name)
	}
	return nil
}

// copySparse writes a file without the pages that are zeros.
func copySparse(fsys vfs.FS, name string, data []byte) error {
	f, err := fsys.Open(name, vfs.Truncate)
	if err != nil {
		return err
	}
	err = f.Truncate(int64(len(data)))
	const page = 4096
	for at := 0; err == nil && at < len(data); at += page {
		if b := data[at:min(at+page, len(data))]; !zeros(b) {
			_, err = f.WriteAt(b, int64(at))
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), fsys.SyncDir(path.Dir(name)))
}

// setAside moves a file to where it is out of the way. A path of the log that is not under the root may be on another
// disk, and keeps its own.
func (r *repair) setAside(name string) error {
	to := path.Join(path.Dir(name), path.Base(r.aside), path.Base(name))
	if under, ok := strings.CutPrefix(name, r.root+"/"); ok {
		to = path.Join(r.aside, under)
	}
	if err := vfs.MkdirAllSync(r.fs, path.Dir(to)); err != nil {
		return err
	}
	if err := r.fs.Rename(name, to); err != nil {
		return err
	}
	r.did(name, -1, "set aside as %s", to)
	return errors.Join(r.fs.SyncDir(path.Dir(to)), r.fs.SyncDir(path.Dir(name)))
}

// asideOddFiles takes out files of queues and index that a start would refuse.
// What they held is made again from the log.
func (r *repair) asideOddFiles() error {
	for _, kind := range []struct {
		dir         string
		size        int64
		unit, least int64
	}{
		{"consumequeue", r.cfg.ConsumeQueueFileSize, unitBytes, unitBytes},
		{"consumequeue_ext", r.cfg.ConsumeQueueExtFileSize, 1, extHeadBytes + extEndBytes},
	} {
		for _, key := range r.queueDirs(path.Join(r.root, kind.dir)) {
			dir := path.Join(r.root, kind.dir, key.topic, strconv.Itoa(int(key.id)))
			if err := r.asideOddOf(dir, kind.size, kind.unit, kind.least); err != nil {
				return err
			}
		}
	}
	g := indexGeometry{int64(r.cfg.MaxHashSlotNum), int64(r.cfg.MaxIndexNum)}
	infos, err := r.fs.List(path.Join(r.root, "index"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, info := range infos {
		_, nameErr := strconv.ParseInt(info.Name, 10, 64)
		if !info.Dir && info.Size != 0 && (info.Size != g.size() || nameErr != nil) {
			if err := r.setAside(path.Join(r.root, "index", info.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *repair) asideOddOf(dir string, size, unit, least int64) error {
	found, err := findOffsetFiles(r.fs, []string{dir})
	if err != nil {
		return err
	}
	good, _, err := r.offsetFiles([]string{dir}, size, unit, least)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, f := range good {
		kept[f.name()] = true
	}
	for i, f := range found {
		if !kept[f.name()] && (f.size != 0 || i < len(found)-1) {
			if err := r.setAside(f.name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// mendTables puts backups in the place of tables that cannot be read, and sets damaged backups of good ones aside.
func (r *repair) mendTables() error {
	for base, shape := range tableFiles {
		name := path.Join(r.root, "config", base)
		_, err := readTable(r.fs, name, shape)
		_, berr := readTable(r.fs, name+".bak", shape)
		switch {
		case err == nil && (berr == nil || errors.Is(berr, fs.ErrNotExist)):
		case err == nil:
			if err := r.setAside(name + ".bak"); err != nil {
				return err
			}
		case berr == nil:
			if err := r.fromBackup(name, errors.Is(err, fs.ErrNotExist)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *repair) fromBackup(name string, missing bool) error {
	text, err := vfs.ReadFile(r.fs, name+".bak")
	if err != nil {
		return err
	}
	if !missing {
		if err := r.setAside(name); err != nil {
			return err
		}
	}
	r.did(name, -1, "taken from its backup")
	return vfs.WriteFileAtomic(r.fs, name, text)
}
