// SPDX-License-Identifier: Apache-2.0

// Check reads a data directory that nobody uses, Java's or ours, and says what
// is wrong with it, file by file (docs/format). It changes nothing. What a start
// would put right by itself after a crash is a note and no damage.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"

	"rocketd/store/vfs"
)

// Finding is something that a check has to say about a place.
type Finding struct {
	File   string
	Offset int64 // within the file; -1: the file as a whole
	Damage bool  // false: a note
	Text   string
}

func (f Finding) String() string {
	kind := "note"
	if f.Damage {
		kind = "damaged"
	}
	if f.Offset < 0 {
		return fmt.Sprintf("%s: %s: %s", f.File, kind, f.Text)
	}
	return fmt.Sprintf("%s: byte %d: %s: %s", f.File, f.Offset, kind, f.Text)
}

// findingsPerFile bounds what is said about one file; the rest is counted.
const findingsPerFile = 20

type checker struct {
	fs      vfs.FS
	cfg     Config
	root    string
	emit    func(Finding)
	crashed bool // there is an abort file: a start would recover
	said    map[string]int
	damaged int

	log    []*segment
	logMin int64
	logEnd int64
	lastMs int64 // store time of the newest record
	stopAt *Finding
	queues map[queueKey]*checkedQueue
}

// Check calls emit for each finding and returns how many are damage. An error
// means that the directory could not be read, or is in use.
func Check(fsys vfs.FS, cfg Config, emit func(Finding)) (damaged int, err error) {
	release, err := lockToRead(fsys, cfg.StorePathRootDir)
	if err != nil {
		return 0, err
	}
	defer release()
	c := newChecker(fsys, cfg, emit)
	defer c.close()
	err = c.run()
	return c.damaged, err
}

func newChecker(fsys vfs.FS, cfg Config, emit func(Finding)) *checker {
	return &checker{fs: fsys, cfg: cfg, root: cfg.StorePathRootDir, emit: emit, said: map[string]int{}, queues: map[queueKey]*checkedQueue{}}
}

// lockToRead keeps servers away while a directory is read. A directory that was
// never used has no lock file and gets none; one that cannot be written to has
// no server either.
func lockToRead(fsys vfs.FS, root string) (release func(), err error) {
	name := path.Join(root, "lock")
	if info, err := fsys.Stat(root); err != nil || !info.Dir {
		return nil, errors.Join(err, fmt.Errorf("%s is no data directory", root))
	}
	if there, err := vfs.Exists(fsys, name); err != nil || !there {
		return func() {}, err
	}
	lock, err := fsys.Lock(name)
	switch {
	case errors.Is(err, vfs.ErrLocked):
		return nil, fmt.Errorf("the store directory %s is in use: %w", root, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return func() {}, nil
	case err != nil:
		return nil, err
	}
	return func() { _ = lock.Close() }, nil
}

func (c *checker) close() {
	for _, s := range c.log {
		s.unpin()
	}
}

// run looks at every kind of file, the log first: the others are compared with it.
func (c *checker) run() error {
	if err := refuseForeign(c.fs, c.root); err != nil {
		c.damage(c.root, -1, "%v", err)
	}
	var err error
	if c.crashed, err = vfs.Exists(c.fs, path.Join(c.root, "abort")); err != nil {
		return err
	}
	if c.crashed {
		c.note(path.Join(c.root, "abort"), -1, "the last stop was no clean one; the next start recovers")
	}
	for _, look := range []func() error{c.checkLog, c.checkQueues, c.checkExts, c.checkIndex, c.checkCheckpoint, c.checkLock, c.checkMark, c.checkTables} {
		if err := look(); err != nil {
			return err
		}
	}
	for file, n := range c.said {
		if n > findingsPerFile {
			c.emit(Finding{File: file, Offset: -1, Text: fmt.Sprintf("%d more findings", n-findingsPerFile)})
		}
	}
	return nil
}

func (c *checker) note(file string, offset int64, format string, args ...any) {
	c.say(Finding{File: file, Offset: offset, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) damage(file string, offset int64, format string, args ...any) {
	c.say(Finding{File: file, Offset: offset, Damage: true, Text: fmt.Sprintf(format, args...)})
}

// behind is damage, unless a crash explains it: then the next start mends it.
func (c *checker) behind(file string, offset int64, format string, args ...any) {
	c.say(Finding{File: file, Offset: offset, Damage: !c.crashed, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) say(f Finding) {
	if f.Damage {
		c.damaged++
	}
	if c.said[f.File]++; c.said[f.File] <= findingsPerFile {
		c.emit(f)
	}
}

// offsetFiles returns the files of directories that follow one another and
// have one size, and says what is wrong with the others.
func (c *checker) offsetFiles(dirs []string, configured, unit, least int64) (files []offsetFile, size int64, err error) {
	found, err := findOffsetFiles(c.fs, dirs)
	if err != nil {
		return nil, 0, err
	}
	size = foundFileSize(found, configured, unit, least)
	for i, f := range found {
		last := len(files) - 1
		switch {
		case f.offset < 0:
			c.damage(f.name(), -1, "the name is not a 20-digit offset")
		case f.size == 0 && i == len(found)-1:
			c.note(f.name(), -1, "empty, it was being made")
		case f.size != size:
			c.damage(f.name(), -1, "%d bytes, where files have %d", f.size, size)
		case last >= 0 && f.offset == files[last].offset:
			c.damage(f.name(), -1, "the same part of the log as %s", files[last].name())
		case last >= 0 && f.offset != files[last].offset+size:
			c.damage(f.name(), -1, "does not follow %s", files[last].name())
		default:
			files = append(files, f)
		}
	}
	return files, size, nil
}
