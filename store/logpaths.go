// SPDX-License-Identifier: Apache-2.0

// The directories of the commit log: storePathCommitLog may name several, with
// commas between, and readOnlyCommitLogStorePaths more that get no new files.
// Together they hold one log. Java: MultiPathMappedFileQueue.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"rocketd/store/vfs"
)

// pathSeparator stands between paths, as in Java.
const pathSeparator = ","

type logPaths struct {
	write []string                 // where new files go, sorted
	read  []string                 // the others
	full  atomic.Pointer[[]string] // of write: those above diskSpaceCleanForciblyRatio
}

func splitPaths(text string) []string {
	var dirs []string
	for _, dir := range strings.Split(text, pathSeparator) {
		if dir = strings.TrimSpace(dir); dir != "" {
			dirs = append(dirs, path.Clean(dir))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// LogPaths are the directories that new commit-log files go to.
func (c *Config) LogPaths() []string {
	if dirs := splitPaths(c.StorePathCommitLog); len(dirs) > 0 {
		return dirs
	}
	return []string{path.Join(c.StorePathRootDir, "commitlog")}
}

func newLogPaths(c *Config) *logPaths {
	p := &logPaths{read: splitPaths(c.ReadOnlyCommitLogStorePaths)}
	for _, dir := range c.LogPaths() {
		if !slices.Contains(p.read, dir) {
			p.write = append(p.write, dir)
		}
	}
	p.full.Store(new([]string))
	return p
}

// first stands for the log where one directory is to be named.
func (p *logPaths) first() string { return p.write[0] }

func (p *logPaths) all() []string { return slices.Concat(p.write, p.read) }

// place is the directory for a new file: the paths take turns, those that are
// nearly full are left out as long as there are others.
func (p *logPaths) place(base, fileSize int64) string {
	full := *p.full.Load()
	dirs := slices.DeleteFunc(slices.Clone(p.write), func(dir string) bool { return slices.Contains(full, dir) })
	if len(dirs) == 0 {
		dirs = p.write
	}
	return dirs[base/fileSize%int64(len(dirs))]
}

// usage is the room of the path that has most of it.
func (p *logPaths) usage(fsys vfs.FS) (least vfs.Usage, dir string, err error) {
	for _, d := range p.write {
		u, uerr := fsys.Usage(d)
		if uerr != nil {
			err = errors.Join(err, uerr)
			continue
		}
		if dir == "" || u.UsedRatio() < least.UsedRatio() {
			least, dir = u, d
		}
	}
	if dir != "" {
		err = nil
	}
	return least, dir, err
}

// markFull remembers the paths of which more than limit is used.
func (p *logPaths) markFull(fsys vfs.FS, limit float64) {
	full := new([]string)
	for _, d := range p.write {
		if u, err := fsys.Usage(d); err == nil && u.UsedRatio() > limit {
			*full = append(*full, d)
		}
	}
	p.full.Store(full)
}

// syncNames makes creations and removals durable. A path that only has been
// read from may be missing.
func (p *logPaths) syncNames(fsys vfs.FS) error {
	for _, dir := range p.all() {
		if err := fsys.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (c *Config) validatePaths() error {
	if len(newLogPaths(c).write) == 0 {
		return fmt.Errorf("storePathCommitLog=%s and readOnlyCommitLogStorePaths=%s leave no path for new files", c.StorePathCommitLog, c.ReadOnlyCommitLogStorePaths)
	}
	return nil
}
